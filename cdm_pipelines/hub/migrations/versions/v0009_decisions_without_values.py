"""The decision log without values: the chain seals salted digests, details can be erased.

The former log is verified by its own rules first. Entries keep number, time and effect. What was wrong with it, and the
hash that it ended with, are sealed by an entry of kind ``migrated`` after its last.
"""

import datetime as dt
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from cdm_pipelines.hub.load import without_data

revision = "0009"
down_revision = "0008"

_GENESIS = "0" * 64
_LOGS = ("decision", "decision_head")
Row = Mapping[str, Any]


def _column(
    name: str,
    kind: sa.types.TypeEngine[Any],
    description: str,
    privacy: str = "system.operations",
    *,
    null: bool = False,
) -> sa.Column[Any]:
    comment = f"{description} Privacy category: {privacy}."
    return sa.Column(name, kind, nullable=null, comment=comment)


def upgrade() -> None:
    """Go to this version."""
    connection = op.get_bind()
    log, heads = _read(connection, "decision"), _read(connection, "decision_head")
    for table in _LOGS:
        op.drop_table(table, schema="identity")  # the values are in its file, which goes with it
    _create()
    with without_data("sealing the decisions anew"):
        _fill(connection, log, heads)
    for table in _LOGS:
        op.execute(
            f"""CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.{table}
                FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change()"""
        )
    op.execute(
        """CREATE FUNCTION identity.refuse_unless_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
             IF current_setting('cdm.erasing', true) IS DISTINCT FROM 'on' THEN
               RAISE EXCEPTION '%.% can only be added to', TG_TABLE_SCHEMA, TG_TABLE_NAME
                 USING ERRCODE = 'restrict_violation', HINT = 'Details are erased with an entry of the log.';
             END IF;
             RETURN NULL;
           END $$"""
    )
    op.execute(
        """CREATE TRIGGER only_erased BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.decision_detail
           FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_unless_erasing()"""
    )
    # What is erased must not live on among the planner's most common values.
    for column in ("salt", "content"):
        op.execute(f"ALTER TABLE identity.decision_detail ALTER COLUMN {column} SET STATISTICS 0")


def downgrade() -> None:
    """Go back to the version before, from which a log without entries only can be made."""
    if op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM identity.decision)")):
        raise NotImplementedError("The decision log cannot be brought back to the form that it had before.")
    for table in ("decision_detail", *_LOGS):
        op.drop_table(table, schema="identity")
    op.execute("DROP FUNCTION identity.refuse_unless_erasing()")
    op.create_table(
        "decision",
        _column("decision_id", sa.BigInteger(), "1, 2, 3 … in the order of recording."),
        _column("decided_at", sa.DateTime(timezone=True), "When it was recorded."),
        _column("decided_by", sa.Text(), "Who decided.", "user.unique_id"),
        _column("kind", sa.Text(), "same, different, confirm, set or undo."),
        _column("subject", postgresql.JSONB(), "The source records, and for set the value.", "user"),
        _column("reason", sa.Text(), "Why, in the steward's words."),
        _column("undoes", sa.BigInteger(), "The decision that an undo takes back.", null=True),
        _column("previous_hash", sa.Text(), "Hash of the decision before; 64 zeros for the first."),
        _column("hash", sa.Text(), "SHA-256 over the decision and the hash before it."),
        sa.PrimaryKeyConstraint("decision_id", name="decision_pkey"),
        schema="identity",
        comment="What stewards decided, as a chain of hashes; effective decisions bind linkage and survivorship.",
    )
    _create_head()
    for table in _LOGS:
        op.execute(
            f"""CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.{table}
                FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change()"""
        )


def _create() -> None:
    op.create_table(
        "decision",
        _column("decision_id", sa.BigInteger(), "1, 2, 3 … in the order of recording."),
        _column("decided_at", sa.DateTime(timezone=True), "When it was recorded."),
        _column("kind", sa.Text(), "same, different, confirm, set, undo, erase or migrated."),
        _column("undoes", sa.BigInteger(), "The decision that an undo takes back.", null=True),
        _column("about", postgresql.JSONB(), "What an erasure or a migration is about; no values."),
        _column("parts", postgresql.ARRAY(sa.Text()), "What each detail is, in order of place."),
        _column("seals", postgresql.ARRAY(sa.Text()), "HMAC-SHA256 of each detail, under its own salt."),
        _column("previous_hash", sa.Text(), "Hash of the decision before; 64 zeros for the first."),
        _column("hash", sa.Text(), "SHA-256 over the entry and the hash before it."),
        sa.PrimaryKeyConstraint("decision_id", name="decision_pkey"),
        schema="identity",
        comment="What stewards decided, as a chain of hashes without values; details are in decision_detail.",
    )
    _create_head()
    op.create_table(
        "decision_detail",
        _column("decision_id", sa.BigInteger(), "The decision."),
        _column("place", sa.Integer(), "0, 1, 2 … within it."),
        _column("salt", sa.LargeBinary(), "Key of its seal, random."),
        _column("content", sa.Text(), "Author, reason, record or value, as JSON.", "user"),
        sa.PrimaryKeyConstraint("decision_id", "place", name="decision_detail_pkey"),
        schema="identity",
        comment="Who decided, why, and about what: sealed by the decision, and erased by an entry of the log.",
    )


def _create_head() -> None:
    op.create_table(
        "decision_head",
        _column("decision_id", sa.BigInteger(), "The last decision at the time."),
        _column("hash", sa.Text(), "Its hash."),
        sa.PrimaryKeyConstraint("decision_id", name="decision_head_pkey"),
        schema="identity",
        comment="Where the log of decisions ended, noted with each of them: a log that is shorter was cut off.",
    )


def _read(connection: sa.Connection, table: str) -> list[Row]:
    query = sa.text(f"SELECT * FROM identity.{table} ORDER BY decision_id")  # noqa: S608 - our own names
    return [dict(row) for row in connection.execute(query).mappings()]


def _fill(connection: sa.Connection, log: Sequence[Row], heads: Sequence[Row]) -> None:
    """Seal the entries anew, and after them what the former log showed of itself."""
    previous = _GENESIS
    for row in log:
        previous = _add(connection, row, list(_details(row)), previous)
    if not (log or heads):
        return
    faults = _faults(log, heads)
    last = log[-1] if log else {"decision_id": 0, "hash": _GENESIS}
    number = max([last["decision_id"], *(head["decision_id"] for head in heads)]) + 1
    about = {"role": "migration", "faults": [[decision, text] for decision, text in sorted(faults.items())]}
    now = connection.scalar(sa.text("SELECT clock_timestamp()"))
    row = {"decision_id": number, "decided_at": now, "kind": "migrated", "undoes": None, "about": about}
    former = [("former head", f"{last['decision_id']}:{last['hash']}")]
    _add(connection, row, former, previous)


def _details(row: Row) -> Iterator[tuple[str, Any]]:
    """What the details of an entry are; digests that a ``set`` keeps of sources' values are salted."""
    yield "author", row["decided_by"]
    yield "reason", row["reason"]
    subject = (
        row["subject"] if isinstance(row["subject"], dict) else {}
    )  # who has altered it may have broken it
    if row["kind"] != "set":
        for side in ("left", "right", "records"):
            yield from (("record", [side, *record]) for record in subject.get(side, ()))
        return
    salt = secrets.token_hex(16)
    yield "value", {**{name: subject.get(name) for name in ("attribute", "value", "expires")}, "salt": salt}
    if "record" in subject:
        yield "record", ["record", *subject["record"]]
    for *record, told in subject.get("overruled", ()):
        salted = None if told is None else hmac.digest(salt.encode(), told.encode(), "sha256").hex()[:16]
        yield "record", ["overruled", *record, salted]


def _add(connection: sa.Connection, row: Row, details: Sequence[tuple[str, Any]], previous: str) -> str:
    """Add an entry with its details and its head; returns its hash."""
    number, rows = row["decision_id"], []
    for place, (part, content) in enumerate(details):
        salt, text = secrets.token_bytes(32), _json(content)
        seal = hmac.digest(salt, _json([number, place, part, text]).encode(), "sha256").hex()
        rows.append({"decision_id": number, "place": place, "salt": salt, "content": text, "seal": seal})
    entry = {
        "decision_id": number,
        "kind": row["kind"],
        "undoes": row["undoes"],
        "about": row.get("about", {}),
        "parts": [part for part, _ in details],
        "seals": [detail.pop("seal") for detail in rows],
        "previous_hash": previous,
    }
    hashed = sha256(_json({**entry, "decided_at": _instant(row["decided_at"])}).encode()).hexdigest()
    connection.execute(_ENTRY, {**entry, "decided_at": row["decided_at"], "hash": hashed})
    connection.execute(_HEAD, {"decision_id": number, "hash": hashed})
    if rows:
        connection.execute(_DETAIL, rows)
    return hashed


def _faults(log: Sequence[Row], heads: Sequence[Row]) -> dict[int, str]:
    """What the former log shows of tampering, by its own rules, by decision."""
    found: dict[int, str] = {}
    before, last = 0, _GENESIS
    for row in log:
        number = row["decision_id"]
        found |= {missing: f"decision {missing} was removed" for missing in range(before + 1, number)}
        if _former_digest(row) != row["hash"]:
            found[number] = f"decision {number} was edited or moved"
        elif before == number - 1 and before not in found and row["previous_hash"] != last:
            found[before or number] = f"decision {before or number} was replaced"
        before, last = number, row["hash"]
    held = {(row["decision_id"], row["hash"]) for row in log}
    for head in heads:
        number = head["decision_id"]
        if number not in found and (number, head["hash"]) not in held:
            found[number] = f"decision {number} was {'replaced' if number <= before else 'removed'}"
    return found


def _former_digest(row: Row) -> str:
    names = ("decision_id", "decided_by", "kind", "subject", "reason", "undoes", "previous_hash")
    content = {name: row[name] for name in names} | {"decided_at": _instant(row["decided_at"])}
    return sha256(_json(content).encode()).hexdigest()


def _instant(time: dt.datetime) -> str:
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _json(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _table(name: str, *columns: sa.ColumnClause[Any]) -> sa.Insert:
    return sa.insert(sa.table(name, *columns, schema="identity"))


_ENTRY = _table(
    "decision",
    sa.column("decision_id"),
    sa.column("decided_at"),
    sa.column("kind"),
    sa.column("undoes"),
    sa.column("about", postgresql.JSONB()),
    sa.column("parts", postgresql.ARRAY(sa.Text())),
    sa.column("seals", postgresql.ARRAY(sa.Text())),
    sa.column("previous_hash"),
    sa.column("hash"),
)
_HEAD = _table("decision_head", sa.column("decision_id"), sa.column("hash"))
_DETAIL = _table(
    "decision_detail", sa.column("decision_id"), sa.column("place"), sa.column("salt"), sa.column("content")
)
