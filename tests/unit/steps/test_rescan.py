"""Looking through everything finds a value wherever it may lie in a file or in a table."""

import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

from cdm_pipelines.hub import upkeep
from cdm_pipelines.privacy import finding
from cdm_pipelines.privacy.traces import Traces
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.rights.rescan import rescan, values_in
from cdm_pipelines.store.lake import Lake

MAIL, NUMBER = "willem@oranje.nl", "612345678"
TRACES = Traces([MAIL, NUMBER, "Zoë van Buren", 'Huize "Rust" 5'])
MANY = 3_000


def column(value: str | None, length: int = MANY) -> list[str | None]:
    return [None, *[f"nobody-{at}@x.nl" for at in range(length)], value, None]


def parquet(table: pa.Table, **how: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return sink.getvalue()


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"a": column(f"tel. {NUMBER}, mail {MAIL.upper()};")}),
        pa.table({"a": [*column(None), *["z" * 400 + MAIL[:1], f"{'z' * 400} {MAIL}"]]}),
        pa.table({"a": column('{"mail": "' + MAIL + '"}')}),
        pa.table({"a": [None, [{"b": {"c": MAIL}}], []]}),
        pa.table({"a": [1, None, int(NUMBER)]}),
        pa.table({"a": ["x", None, "zoë VAN buren"] * 9}).cast(pa.schema([("a", pa.large_string())])),
        pa.table({"a": pa.array(["x", MAIL, None] * 9).dictionary_encode()}),
        pa.table({MAIL: [1, 2]}),
        pa.table({"a": ["x"]}).replace_schema_metadata({"note": f"of {MAIL}"}),
    ],
)
def test_a_value_is_found_in_any_row_group_whatever_its_statistics_say(table: pa.Table) -> None:
    assert values_in("a.parquet", parquet(table, row_group_size=1_000), TRACES)
    assert values_in("a.parquet", parquet(table, row_group_size=7, write_statistics=False), TRACES)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    assert values_in("a.arrow", sink.getvalue(), TRACES)


def test_a_value_that_no_row_has_any_more_is_found_among_the_codes_of_a_file() -> None:
    codes = pa.DictionaryArray.from_arrays(pa.array([0] * MANY, pa.int32()), pa.array(["x", MAIL]))
    assert values_in("a.parquet", parquet(pa.table({"a": codes})), TRACES) == {MAIL}


def test_bytes_that_are_no_text_hide_nothing() -> None:
    assert values_in("a.csv", b"\xff\xfa\x00" + MAIL.encode() + b"\xc3;\xe2\x84", TRACES) == {MAIL}
    assert values_in("a.txt", f"x;{MAIL};".encode("utf-16"), TRACES) == {MAIL}
    assert values_in("a.txt", ("İ" * 99 + f";{MAIL}").encode(), TRACES) == {MAIL}
    assert values_in("a.txt", b"", TRACES) == set()


def test_archives_are_opened_whatever_stands_before_them() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/a.parquet", parquet(pa.table({"a": column(MAIL)})))
    for before in (b"", b"#!/bin/sh\n"):
        assert values_in("a.bin", memoryview(before + packed.getvalue()), TRACES) == {MAIL}


@pytest.mark.parametrize("piece", [1, 3, 16, 17, 30])
def test_a_value_on_the_border_of_what_is_looked_through_at_once_is_found_once(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_PIECE", piece)
    texts = pa.array([None, "x" * 20, f"{MAIL} {NUMBER}", f"a{MAIL}", MAIL])
    assert TRACES.within(texts) == {MAIL, NUMBER}
    assert TRACES.rows(texts).to_pylist() == [False, False, True, False, True]


WIDE = ", ".join(f"c{at} text" for at in range(205))


@pytest.fixture
def crowded(settings: Settings, hub_engine: Engine) -> Settings:
    """A deployment with a value in odd places of the lake, and in odd columns of odd tables."""
    lake = Lake(settings.lake_url)
    lake.write("odd/a.parquet", pa.table({"a": column(MAIL)}))
    lake.write_arrow("odd/a.arrow", [pa.table({"a": [MAIL]})], pa.schema([("a", pa.string())]))
    for name, content in (
        ("a.gz", gzip.compress(MAIL.encode())),
        ("a.txt", f"x;{MAIL};".encode("utf-16")),
        ("a.csv", f"ZOË VAN BUREN,{NUMBER}\n".encode()),
    ):
        with lake.file(f"odd/{name}") as sink:
            sink.write(content)
    Path(settings.home).mkdir(parents=True, exist_ok=True)
    (settings.home / "note.txt").write_text(f"{NUMBER}\n", encoding="utf-8")
    (settings.home / "empty").touch()
    with hub_engine.begin() as connection:
        for made in (
            'CREATE TABLE ops."100%% of {{it}}" ("50%% {0}" text, "a""b" jsonb)',
            f"CREATE TABLE ops.wide ({WIDE})",
            "CREATE TABLE ops.of_nothing ()",
            "CREATE TABLE ops.long (a text)",
            "CREATE TABLE ops.arrays (a text[], b bigint, dropped text)",
            "ALTER TABLE ops.arrays DROP COLUMN dropped",
            "INSERT INTO ops.of_nothing DEFAULT VALUES",
            f"INSERT INTO ops.arrays VALUES (ARRAY['x', '{MAIL}'], NULL), (NULL, -{NUMBER})",
            f"INSERT INTO ops.wide (c0, c204) VALUES ('x', 'Huize \"Rust\" 5'), (NULL, '{MAIL}')",
            f"INSERT INTO ops.long SELECT string_agg(md5(n::text), ' ') || ' {MAIL}' FROM generate_series(1, 9999) n",
        ):
            connection.exec_driver_sql(made.replace("{{", "{").replace("}}", "}").replace("%%", "%%"))
        connection.execute(
            text('INSERT INTO ops."100% of {it}" VALUES (NULL, :told), (:mail, NULL)'),
            {"told": f'{{"x": ["{NUMBER}"]}}', "mail": f"mail:{MAIL}"},
        )
    return settings


def test_every_table_and_file_is_looked_through(crowded: Settings, hub_engine: Engine) -> None:
    with hub_engine.connect() as connection:
        seen = rescan(crowded, connection, TRACES)
        assert seen.found == {
            "lake/odd/a.parquet": 1,
            "lake/odd/a.arrow": 1,
            "lake/odd/a.gz": 1,
            "lake/odd/a.txt": 1,
            "lake/odd/a.csv": 2,
            "home/note.txt": 1,
            "ops.100% of {it}": 2,
            "ops.wide": 2,
            "ops.long": 1,
            "ops.arrays": 2,
        }
        assert rescan(crowded, connection, Traces(["maria@oranje.nl"])).found == {}


STATED = """INSERT INTO privacy.consent_statement
    (source, entity, record_id, customers, standing, first_seen, party_email)
    SELECT 'crm', 'consent', n::text, 1, 'in force', '2026-01-01', :mail FROM generate_series(1, :rows) AS n"""


@pytest.mark.parametrize("others", [0, 500])
def test_an_address_that_only_statistics_still_quote_is_found_and_goes(
    settings: Settings, hub_engine: Engine, others: int
) -> None:
    with hub_engine.begin() as connection:
        connection.execute(text(STATED), {"mail": MAIL, "rows": 20})
        connection.execute(text(STATED.replace("'crm'", "'shop'")), {"mail": "nobody@x.nl", "rows": others})
        connection.execute(text("ANALYZE privacy.consent_statement"))
        connection.execute(
            text("DELETE FROM privacy.consent_statement WHERE party_email = :mail"), {"mail": MAIL}
        )
    with hub_engine.connect() as connection:
        assert rescan(settings, connection, TRACES).found == {"pg_catalog.pg_stats": 1}
    upkeep.analyze(hub_engine)
    with hub_engine.connect() as connection:
        assert rescan(settings, connection, TRACES).found == {}


def test_what_the_law_has_kept_and_whom_a_request_is_about_stand_in_no_statistics(
    settings: Settings, hub_engine: Engine
) -> None:
    held = """INSERT INTO privacy.legal_hold
        SELECT 1, n, 'order', jsonb_build_object('mail', CAST(:mail AS text)), 'law', '2033-01-01'
        FROM generate_series(1, 20) AS n"""
    asked = """INSERT INTO privacy.request (kind, due_on, checked_by, state, policy, subject)
        SELECT 'erase', '2026-01-01', 'Guus', 'open', '{}', jsonb_build_object('mail', CAST(:mail AS text))
        FROM generate_series(1, 20)"""
    with hub_engine.begin() as connection:
        for query in (held, asked):
            connection.execute(text(query), {"mail": MAIL})
    upkeep.analyze(hub_engine)
    with hub_engine.connect() as connection:
        assert rescan(settings, connection, TRACES).found == {}
