"""The tables of schema ``privacy`` that hold consent: the ledger, what was said here, and what follows from them.

Belongs here: columns, comments and indexes. Does not belong here: filling them (``consent``).
"""

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Index, Integer, Table, Text, Uuid
from sqlalchemy import Date as SqlDate
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.hub.schema import column, comment_of, metadata, typed
from cdm_pipelines.store.categories import OPERATIONS

_PREFERENCE = "user.privacy_preferences"
_IDENTIFIER = "user.unique_id"
_MOMENT = DateTime(timezone=True)

consent = Table(
    "consent",
    metadata,
    column("golden_id", Uuid, "Golden customer.", _IDENTIFIER, key=True),
    column("purpose", Text, "Purpose, by its key.", key=True),
    column("channel", Text, "Channel; empty for every channel that has no row of its own.", key=True),
    column("allowed", Boolean, "Whether it is allowed.", _PREFERENCE, nullable=False),
    column(
        "state",
        Text,
        "given, refused, withdrawn, objected, expired or unknown; empty where nothing was said.",
        _PREFERENCE,
    ),
    column("since", _MOMENT, "Moment of the statement that decides.", _PREFERENCE),
    column("expires", _MOMENT, "When what was given ends; empty where it does not.", _PREFERENCE),
    column("why", Text, "Why it is so, in words.", _PREFERENCE, nullable=False),
    column("shared", Boolean, "Whether an address that several customers have plays a part.", nullable=False),
    column("contradictory", Boolean, "Whether statements that hold say different things.", nullable=False),
    column("source", Text, "Source of the statement that decides."),
    column("entity", Text, "Entity of that source."),
    column("record_id", Text, "The statement.", _IDENTIFIER),
    schema="privacy",
    comment="What each customer allows, for purposes and channels about which something was said. For others the "
    "purpose's own default holds.",
)

consent_statement = Table(
    "consent_statement",
    metadata,
    column("source", Text, "Source system.", key=True),
    column("entity", Text, "Entity of the source system.", key=True),
    column(
        "record_id", Text, "The statement: of which row, when, and a digest of it.", _IDENTIFIER, key=True
    ),
    column("golden_id", Uuid, "The customer that it is about, where that is one.", _IDENTIFIER),
    column("customers", Integer, "How many customers it is about.", nullable=False),
    column("standing", Text, "in force, superseded, of nobody, or why it does not count.", nullable=False),
    column("first_seen", SqlDate, "Extract that brought it.", nullable=False),
    *(column(one.name, typed(one.type), one.description, one.privacy) for one in attributes(Entity.CONSENT)),
    schema="privacy",
    comment="The ledger of consent: every statement that a source ever delivered, or that was made here.",
)
Index(None, consent_statement.c.golden_id)
Index(None, consent_statement.c.party_email)
Index(None, consent_statement.c.party_phone)

said_here = Table(
    "said_here",
    metadata,
    Column(
        "number",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of("Number of the statement.", OPERATIONS),
    ),
    column("statement", Text, "Its key in the ledger.", _IDENTIFIER, nullable=False),
    column("source", Text, "Source system of the record that stands for the customer.", nullable=False),
    column("entity", Text, "Its entity.", nullable=False),
    column("record_id", Text, "Its id there.", _IDENTIFIER, nullable=False),
    column("purpose", Text, "Purpose, by its key.", _PREFERENCE, nullable=False),
    column("channel", Text, "Channel; empty for every channel.", _PREFERENCE, nullable=False),
    column("state", Text, "given, refused, withdrawn or objected.", _PREFERENCE, nullable=False),
    column("stated_at", _MOMENT, "When it was said.", _PREFERENCE, nullable=False),
    column("method", Text, "How it was said: a call, a form.", _PREFERENCE, nullable=False),
    column("notice", Text, "What was asked or read at that time: a text, or where it is.", _PREFERENCE),
    column("notice_version", Text, "Version of that text.", _PREFERENCE),
    column("reason", Text, "Words of whoever took it down.", _PREFERENCE),
    column("who", Text, "Who took it down.", "user.account.username", nullable=False),
    column("role", Text, "Role in which they did.", nullable=False),
    Column(
        "told",
        ARRAY(Text),
        nullable=False,
        comment=comment_of("What of the customer's consent it changed: purposes and channels.", OPERATIONS),
    ),
    column("publication_id", BigInteger, "The publication that took it in; empty before that."),
    schema="privacy",
    comment="Statements of consent that were made at a touch point: in force at once, and kept for good.",
)
Index(None, said_here.c.source, said_here.c.entity, said_here.c.record_id)
Index(None, said_here.c.statement, unique=True)

consent_state = Table(
    "consent_state",
    metadata,
    column("name", Text, "consent.", key=True),
    column("made_from", JSONB, "Versions of all that it was made from, by name.", nullable=False),
    column("rows", BigInteger, "Rows of privacy.consent.", nullable=False),
    schema="privacy",
    comment="What consent was made from: what is up to date is not worked out again.",
)
