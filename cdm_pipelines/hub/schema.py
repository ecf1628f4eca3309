"""The tables of the hub, derived from the canonical model (R2).

Belongs here: schemas, tables, columns, comments and indexes. Does not belong here: what is published of them
(``published``), steps between versions (``migrations``), loading (``load``), publishing (``publish``).

``golden`` is what departments read, ``identity`` what makes golden ids last, ``ops`` what was done when,
``staging`` the next version while it is checked; staging tables come and go with a publication and are not
declared. There are no foreign keys: every publication is audited as a whole before it is seen, and a key per
row would cost more than loading it.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine

from cdm_pipelines.contracts.canonical import (
    Attribute,
    Entity,
    EntityDeclaration,
    OfParty,
    ValueType,
    attributes,
    declaration,
    published_entities,
)
from cdm_pipelines.store.categories import OPERATIONS

SCHEMAS = {
    "golden": "Golden customers, and where their values come from.",
    "identity": "What makes golden ids last.",
    "ops": "What was published when.",
    "privacy": "What may be done with data of customers, what they asked, and keys.",
    "profile": "What is worked out of golden customers: one view per customer.",
    "insight": "Figures of quality, worth, key figures and maturity, kept as a history.",
    "activation": "Whom to approach with what, who was told to whom for which purpose, and what came of it.",
    "staging": "The next version while it is checked; not for readers.",
}

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

Kind = type[TypeEngine[Any]] | TypeEngine[Any]

_TYPES: dict[ValueType, Kind] = {
    ValueType.TEXT: Text,
    ValueType.DATE: Date,
    ValueType.TIMESTAMP: DateTime(timezone=True),
    ValueType.DECIMAL: Numeric,
    ValueType.INTEGER: BigInteger,
    ValueType.BOOLEAN: Boolean,
    ValueType.REFERENCE: Text,
}
_GOLDEN_ID = "Golden customer."
_IDENTIFIER = "user.unique_id"
_OPERATIONS = OPERATIONS


def comment_of(description: str, privacy: str) -> str:
    """The comment of a column: what it means, and its privacy category."""
    return f"{description} Privacy category: {privacy}."


def privacy_of(column: Column[Any]) -> str:
    """The privacy category that a column's comment ends with."""
    return (column.comment or "").rpartition("Privacy category: ")[2].removesuffix(".")


def column(
    name: str,
    kind: Kind,
    description: str,
    privacy: str = _OPERATIONS,
    *,
    key: bool = False,
    nullable: bool = True,
) -> Column[Any]:
    """A column with its comment; part of the primary key with ``key``."""
    return Column(
        name, kind, primary_key=key, nullable=nullable and not key, comment=comment_of(description, privacy)
    )


def moment(name: str, description: str) -> Column[Any]:
    """A column with the time at which its row was written."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment=comment_of(description, _OPERATIONS),
    )


def typed(kind: ValueType) -> Kind:
    """How PostgreSQL types values of a kind."""
    return _TYPES[kind]


def _canonical(attribute: Attribute) -> Column[Any]:
    return column(attribute.name, _TYPES[attribute.type], attribute.description, attribute.privacy)


def _record_key(*, key: bool) -> list[Column[Any]]:
    return [
        column("source", Text, "Source system.", key=key, nullable=False),
        column("entity", Text, "Entity of the source system.", key=key, nullable=False),
        column("record_id", Text, "Record within it.", _IDENTIFIER, key=key, nullable=False),
    ]


def _text(name: str, description: str, privacy: str = _OPERATIONS) -> Column[Any]:
    return column(name, Text, description, privacy, nullable=False)


customer = Table(
    "customer",
    metadata,
    column("golden_id", Uuid, "Lasting id of the customer.", _IDENTIFIER, key=True),
    _text("party_kind", "person or organisation."),
    _text("status", "active while any source keeps the customer, else inactive."),
    *(_canonical(attribute) for attribute in attributes(Entity.PARTY, golden_only=True)),
    column(
        "employer_id",
        Uuid,
        "Golden customer of the organisation that the person works for.",
        "user.contact.organization",
    ),
    column("record_count", Integer, "Source records behind the customer.", nullable=False),
    column("source_count", Integer, "Source systems that know the customer.", nullable=False),
    column("first_seen", Date, "Oldest extract that holds any of the records.", nullable=False),
    column("last_seen", Date, "Newest extract that holds any of the records.", nullable=False),
    schema="golden",
    comment="One row per customer: the best value of every attribute.",
)
for _columns in (("postcode", "house_number"), ("employer_id",), ("record_count",)):
    Index(None, *(customer.c[name] for name in _columns))
for _name in ("email", "phone", "mobile"):
    # For whole values, and for how they begin and end, whatever the collation of the database.
    Index(None, customer.c[_name], postgresql_ops={_name: "text_pattern_ops"})
    _end = (
        func.split_part(customer.c.email, literal_column("'@'"), 1) if _name == "email" else customer.c[_name]
    )
    Index(
        f"customer_{_name}_reversed_idx",
        func.reverse(_end).label("reversed"),
        postgresql_ops={"reversed": "text_pattern_ops"},
    )
Index("customer_surname_lower_idx", func.lower(customer.c.surname))
Index("customer_organisation_name_lower_idx", func.lower(customer.c.organisation_name))

crosswalk = Table(
    "crosswalk",
    metadata,
    *_record_key(key=True),
    column("golden_id", Uuid, _GOLDEN_ID, _IDENTIFIER, nullable=False),
    column("active", Boolean, "Whether the source still keeps the record.", nullable=False),
    schema="golden",
    comment="The golden customer of every source record.",
)
Index(None, crosswalk.c.golden_id)
Index(None, crosswalk.c.record_id)

provenance = Table(
    "provenance",
    metadata,
    column("golden_id", Uuid, _GOLDEN_ID, _IDENTIFIER, key=True),
    column(
        "attribute",
        Text,
        "Attribute, or group of attributes chosen together; * stands for all without a row of their own.",
        key=True,
    ),
    *_record_key(key=False),
    _text("rule", "Why this record's value is the golden one."),
    column(
        "losers",
        JSONB,
        "Values that lost, each with the source record that holds it.",
        "user",
    ),
    column("decision_id", BigInteger, "The steward's decision, where the rule is steward."),
    schema="golden",
    comment="Where each golden value comes from, by which rule, and which values lost.",
)
Index(
    "provenance_decision_idx",
    provenance.c.golden_id,
    postgresql_where=provenance.c.decision_id.is_not(None),
)

entity_tables: dict[EntityDeclaration, Table] = {}
"""The tables of canonical entities; `published.published` keeps them in step with what is declared."""


def entity_table(declared: EntityDeclaration) -> Table:
    """The table of a canonical entity other than the party, as its declaration has it."""
    customer_of = column(
        "golden_id", Uuid, f"{_GOLDEN_ID} Empty when the source names nobody known.", _IDENTIFIER
    )
    of_party = isinstance(declared.whose, OfParty)
    table = Table(
        declared.table_name,
        metadata,
        *_record_key(key=True),
        *([customer_of] if of_party else []),
        column("active", Boolean, "Whether the source still keeps the record.", nullable=False),
        column("first_seen", Date, "Oldest extract that holds the record."),
        *(_canonical(attribute) for attribute in declared.attributes),
        schema="golden",
        comment=declared.description,
    )
    for name in (*(["golden_id"] if of_party else []), *declared.indexed):
        Index(None, table.c[name])
    entity_tables[declared] = table
    return table


for _declared in published_entities():
    entity_table(_declared)
customer_order = entity_tables[declaration(Entity.ORDER)]

golden_id = Table(
    "golden_id",
    metadata,
    column("golden_id", Uuid, "The id.", _IDENTIFIER, key=True),
    _text("source", "Source system of the founding record."),
    _text("entity", "Its entity."),
    _text("record_id", "Its id there.", _IDENTIFIER),
    column("generation", Integer, "How many ids this record founded before.", nullable=False),
    column("sequence", BigInteger, "Order of first publication; a lower one is older.", nullable=False),
    _text("status", "current, alias (merged into another) or retired (no record is left)."),
    column("alias_of", Uuid, "The current id that an alias stands for.", _IDENTIFIER),
    schema="identity",
    comment="Every golden id ever published; none is ever removed or used again.",
)
Index(None, golden_id.c.alias_of)
Index("golden_id_founder_idx", golden_id.c.record_id)

publication = Table(
    "publication",
    metadata,
    Column(
        "publication_id",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of("Number of the publication.", _OPERATIONS),
    ),
    moment("published_at", "When it was published."),
    column("changes", JSONB, "Rows inserted, updated and deleted, per table.", nullable=False),
    column("run", Text, "Dagster's run that published; empty where none did."),
    schema="ops",
    comment="One row per publication that changed something.",
)

staged = Table(
    "staged",
    metadata,
    column("table_name", Text, "Published table that the staged one will become.", key=True),
    column("rows", BigInteger, "Rows staged; a staging table with fewer is not whole.", nullable=False),
    column("token", Uuid, "One per staging, so that what was audited is what is published.", nullable=False),
    column("made_from", JSONB, "What the staged version was made from, by name."),
    schema="ops",
    comment="What is staged and waits for publication.",
)

version = Table(
    "version",
    metadata,
    column("made_from", JSONB, "What the published version was made from, by name.", nullable=False),
    column("rows", JSONB, "Rows of each published table.", nullable=False),
    schema="ops",
    comment="One row: from where the next run goes on.",
)

# Steward decisions: logs that only grow, and details that are only erased; triggers refuse anything else.

decision = Table(
    "decision",
    metadata,
    column("decision_id", BigInteger, "1, 2, 3 … in the order of recording.", key=True),
    column("decided_at", DateTime(timezone=True), "When it was recorded.", nullable=False),
    _text("kind", "same, different, confirm, set, undo, erase or migrated."),
    column("undoes", BigInteger, "The decision that an undo takes back."),
    column("about", JSONB, "What an erasure or a migration is about; no values.", nullable=False),
    column("parts", ARRAY(Text), "What each detail is, in order of place.", nullable=False),
    column("seals", ARRAY(Text), "HMAC-SHA256 of each detail, under its own salt.", nullable=False),
    _text("previous_hash", "Hash of the decision before; 64 zeros for the first."),
    _text("hash", "SHA-256 over the entry and the hash before it."),
    schema="identity",
    comment="What stewards decided, as a chain of hashes without values; details are in decision_detail.",
)
decision_head = Table(
    "decision_head",
    metadata,
    column("decision_id", BigInteger, "The last decision at the time.", key=True),
    _text("hash", "Its hash."),
    schema="identity",
    comment="Where the log of decisions ended, noted with each of them: a log that is shorter was cut off.",
)
decision_detail = Table(
    "decision_detail",
    metadata,
    column("decision_id", BigInteger, "The decision.", key=True),
    column("place", Integer, "0, 1, 2 … within it.", key=True),
    column("salt", LargeBinary, "Key of its seal, random.", nullable=False),
    column("content", Text, "Author, reason, record or value, as JSON.", "user", nullable=False),
    schema="identity",
    comment="Who decided, why, and about what: sealed by the decision, and erased by an entry of the log.",
)

# History and search


def _version(name: str, description: str) -> Column[Any]:
    return column(name, DateTime(timezone=True), description, nullable=False)


customer_history = Table(
    "customer_history",
    metadata,
    *(
        Column(known.name, known.type, nullable=known.nullable, comment=known.comment)
        for known in customer.columns
    ),
    _version("valid_from", "When this version was published."),
    _version("valid_to", "When the next version was published, or the customer ended."),
    column("opened_by", BigInteger, "Publication that published this version.", nullable=False),
    column("closed_by", BigInteger, "Publication that ended it.", nullable=False),
    column("provenance", JSONB, "The rows of golden.provenance as they were then.", "user"),
    PrimaryKeyConstraint("golden_id", "valid_from"),
    schema="golden",
    comment="Former versions of customers. The current ones are in golden.customer.",
)
Index(None, customer_history.c.valid_to)
Index(None, customer_history.c.closed_by)

customer_version = Table(
    "customer_version",
    metadata,
    column("golden_id", Uuid, _GOLDEN_ID, _IDENTIFIER, key=True),
    _version("valid_from", "When the current version of the customer was published."),
    column("publication_id", BigInteger, "Publication that published it.", nullable=False),
    schema="golden",
    comment="Since when customers are as they are; those without a row: since the first publication.",
)
Index(None, customer_version.c.publication_id)

search = Table(
    "search",
    metadata,
    column("golden_id", Uuid, _GOLDEN_ID, _IDENTIFIER, key=True),
    column("terms", ARRAY(Text), "What the customer can be found by.", "user", nullable=False),
    schema="golden",
    comment="Words and marks by which customers are found; made by view golden.search_source.",
)
Index(None, search.c.terms, postgresql_using="gin")  # publishing sorts in what it has added: see search_index

search_word = Table(
    "search_word",
    metadata,
    column("word", Text(collation="C"), "A word of names or towns.", "user.name", key=True),
    column("customers", Integer, "About how many customers have it.", nullable=False),
    column("slips", ARRAY(Text), "The word, and the word without any one of its letters.", "user.name"),
    schema="golden",
    comment="Every word that customers are found by, with what typing errors make of it.",
)
_AT_ONCE = {"fastupdate": "off"}  # a list of what is still to be sorted in would be read by every search
Index(None, search_word.c.slips, postgresql_using="gin", postgresql_with=_AT_ONCE)
Index(
    "search_word_word_trigrams_idx",
    search_word.c.word,
    postgresql_using="gin",
    postgresql_with=_AT_ONCE,
    postgresql_ops={"word": "gin_trgm_ops"},
)
