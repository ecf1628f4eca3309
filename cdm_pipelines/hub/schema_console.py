"""Tables of the console and API: sessions, keys, kept answers, proposals, what is put off, assignments, works.

Belongs here: columns and comments. Does not belong here: filling and asking them (``console``, ``proposals``,
``put_off``, ``assignments``, ``works``). Of every secret its SHA-256 is kept, never itself.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from cdm_pipelines.hub.schema import column, comment_of, metadata, moment
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS

USERNAME = "user.account.username"

session = Table(
    "session",
    metadata,
    column("secret", LargeBinary, "SHA-256 of what the cookie or the link holds.", key=True),
    column("state", Text, "link, signing in, or signed in.", nullable=False),
    column("who", Text, "Login name.", USERNAME, nullable=False),
    column("role", Text, "Role that they act in; empty while they sign in.", nullable=False),
    Column(
        "roles", ARRAY(Text()), nullable=False, comment=comment_of("Roles that they may act in.", OPERATIONS)
    ),
    column("noted", JSONB, "What is remembered of the provider until they are signed in.", nullable=False),
    moment("began_at", "When it began."),
    moment("seen_at", "When it was last used."),
    column("ends_at", DateTime(timezone=True), "When it ends, used or not.", nullable=False),
    schema="ops",
    comment="Who is signed in to the console; a row goes when it ends.",
)
Index(None, session.c.ends_at)

api_token = Table(
    "api_token",
    metadata,
    Column(
        "token_id",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of("Number of the key.", OPERATIONS),
    ),
    column("secret", LargeBinary, "SHA-256 of the key.", nullable=False),
    column("name", Text, "Program that uses it.", USERNAME, nullable=False),
    column("role", Text, "Role that it acts in.", nullable=False),
    Column(
        "scopes",
        ARRAY(Text()),
        nullable=False,
        comment=comment_of("What it may do: read, match, write.", OPERATIONS),
    ),
    column("per_minute", Integer, "Requests that it may make a minute.", nullable=False),
    column("made_by", Text, "Who made it.", USERNAME, nullable=False),
    moment("made_at", "When it was made."),
    column("ends_at", DateTime(timezone=True), "When it ends.", nullable=False),
    column("revoked_at", DateTime(timezone=True), "When it was taken back."),
    schema="ops",
    comment="Keys of programs that use the API; kept after their end, so that the access log can be read.",
)
Index(None, api_token.c.secret, unique=True)

kept_answer = Table(
    "kept_answer",
    metadata,
    column("caller", Text, "Who asked.", USERNAME, key=True),
    column("key", Text, "Idempotency key that they chose.", key=True),
    column("asked", LargeBinary, "SHA-256 of what they asked.", nullable=False),
    column("status", Integer, "Status of the answer; empty while it is worked on."),
    column("answer", JSONB, "The answer: numbers and states, no values of customers."),
    moment("asked_at", "When they asked."),
    schema="ops",
    comment="Answers to writes by their idempotency key, so that a repeated one is answered and not done again.",
)
Index(None, kept_answer.c.asked_at)

proposal = Table(
    "proposal",
    metadata,
    Column(
        "proposal_id",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of("Number of the proposal.", OPERATIONS),
    ),
    column(
        "kind",
        Text,
        "What is proposed: same, different, confirm, set or undo of a steward; access or erase for a person.",
        nullable=False,
    ),
    column(
        "subject",
        JSONB,
        "Whom it is about, and what: ids, records, attribute, value.",
        "user",
        nullable=False,
    ),
    column("proposed_by", Text, "Who proposed it.", USERNAME, nullable=False),
    moment("proposed_at", "When."),
    column("state", Text, "open, approved, rejected or expired.", nullable=False),
    column("decided_by", Text, "Who approved or rejected it.", USERNAME),
    column("decided_at", DateTime(timezone=True), "When it was approved, rejected, or expired."),
    column("reason", Text, "Why, in the words of who proposed it.", "user"),
    CheckConstraint("state <> 'approved' OR lower(decided_by) <> lower(proposed_by)", "four_eyes"),
    schema="ops",
    comment="What one person proposes and another approves; nobody approves what they proposed themselves.",
)
Index(None, proposal.c.state, proposal.c.kind)

put_off = Table(
    "put_off",
    metadata,
    column("who", Text, "Who is not sure.", USERNAME, key=True),
    column("item_id", Text, "What is in doubt, and about whom.", IDENTIFIER, key=True),
    moment("at", "When they put it off."),
    schema="ops",
    comment="What a steward looks at again after all else; a row goes after a day.",
)
assignment = Table(
    "assignment",
    metadata,
    column("source", Text, "Source system.", key=True),
    column("entity", Text, "Entity of the source; empty for the source's corrections.", key=True),
    column("date", Text, "Extract date, YYYY-MM-DD; empty for the source's corrections.", key=True),
    column("who", Text, "Who works on it.", USERNAME, nullable=False),
    column("given_by", Text, "Who said so.", USERNAME, nullable=False),
    moment("given_at", "When."),
    schema="ops",
    comment="Who works on the rejected rows of a day, or on the corrections of a source.",
)

work = Table(
    "work",
    metadata,
    Column(
        "work_id",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of("Number of the work, in the order in which they were asked for.", OPERATIONS),
    ),
    column("key", Text, "What it is about, by a name that tells of nobody.", nullable=False),
    column("who", Text, "Who asked for it.", USERNAME, nullable=False),
    Column(
        "arguments",
        ARRAY(Text()),
        nullable=False,
        comment=comment_of("Of cdm; they name no customer.", OPERATIONS),
    ),
    column("given", Text, "What the command reads: golden ids; empty once it has begun.", IDENTIFIER),
    column("files", JSONB, "Texts of changed policies by their path, for a plan.", nullable=False),
    moment("asked_at", "When it was asked for."),
    column("state", Text, "waits, is under way, is done, failed, or was stopped.", nullable=False),
    column(
        "told", Text, "The last lines that it printed; our commands print no personal value.", nullable=False
    ),
    column("printed", Text, "What it printed to standard output.", nullable=False),
    schema="ops",
    comment="Commands that the console has run beside it, one after the other; a row goes after a week.",
)
Index(None, work.c.key)
