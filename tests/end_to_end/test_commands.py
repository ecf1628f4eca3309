"""Every command of ``cdm``: on an installation where nothing ran yet, on one where something did, and used wrongly."""

import csv
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import typer
import yaml

from cdm_pipelines.cli import COMMANDS as LISTED
from cdm_pipelines.cli import app
from cdm_pipelines.contracts import load_contract

from .conftest import DAYS, ROOT, Deployment

FORMULA = "=cmd|' /C calc'!A0"
LATER = "2026-06-09"
PERSON = ROOT / "cdm_pipelines" / "policies" / "linkage" / "person.yaml"


@pytest.fixture(scope="module")
def empty(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """An installation on its first day: no extract, no table, no lake."""
    return deploy(tmp_path_factory.mktemp("nothing"))


@pytest.fixture
def day_one(lived: Callable[..., Deployment]) -> Deployment:
    return lived(DAYS[0])


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


# Help


def every_command(command: Any, path: tuple[str, ...] = ("cdm",)) -> Iterator[tuple[str, Any]]:
    yield " ".join(path), command
    for name, child in getattr(command, "commands", {}).items():
        yield from every_command(child, (*path, name))


COMMANDS = dict(every_command(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_each_of_its_options_is_documented(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    undocumented = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    assert undocumented == []


def test_help_names_every_command(empty: Deployment) -> None:
    told = empty.ask("--help")
    for name in (
        "demo",
        "run",
        "ingest",
        "quarantine",
        "customer",
        "export",
        "feed",
        "link",
        "steward",
        "suggest",
        "check",
        "doctor",
    ):
        assert f" {name} " in told
    assert "retry" in empty.ask("quarantine", "--help")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_knows_no_tick_is_written_to_all_the_same(empty: Deployment, encoding: str) -> None:
    """Of a locale that is not UTF-8: a command that had done its work ended as a bug."""
    done = subprocess.run(
        [sys.executable, "-m", "cdm_pipelines.cli", "check"],
        env={**empty.environment, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"in order" in done.stdout


# An installation on its first day


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["customer", "jansen"], 1, "No customer found."),
        (["quarantine", "list"], 0, "Quarantine: none"),
        (["quarantine", "show", "crm/contact"], 0, "Quarantine of crm/contact: none"),
        (
            ["quarantine", "export", "crm/contact", "--date", DAYS[0], "--out", "{tmp}/r.csv"],
            1,
            "no quarantined rows",
        ),
        (["quarantine", "retry", "{tmp}/people.csv"], 1, "lacks _sha256, _row"),
        (["check"], 0, "in order"),
        (["doctor"], 0, "PostgreSQL"),
        (["demo"], 1, "cdm demo-data"),
        (["run", "--date", DAYS[0]], 1, f"no file for {DAYS[0]}"),
        (["link", "{tmp}/people.csv", "--policy", str(PERSON), "--out", "{tmp}/out"], 1, "record_id"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else str(value),
)
def test_on_the_first_day_every_command_says_what_there_is(
    empty: Deployment, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    (tmp_path / "people.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert told in empty.ask(*(word.replace("{tmp}", str(tmp_path)) for word in arguments), code=code)


@pytest.mark.parametrize("file_format", ["csv", "parquet", "jsonl"])
def test_an_export_without_customers_is_a_file_without_rows(
    empty: Deployment, tmp_path: Path, file_format: str
) -> None:
    out = tmp_path / "a folder that is not there" / f"customers.{file_format}"
    assert "0 customers" in empty.ask("export", "golden", "--format", file_format, "--out", str(out))
    assert out.exists()
    if file_format == "parquet":
        assert "golden_id" in pq.read_schema(out).names
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_command_is_a_program_that_says_what_it_cannot_do(empty: Deployment) -> None:
    told = empty.cdm("customer", "jansen", code=1)
    assert told.strip() == "No customer found."


# Used wrongly


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--date", "2999-01-01"], "2999-01-01 has not come yet"),
        (["run", "--from", DAYS[0], "--to", "2999-01-01"], "2999-01-01 has not come yet"),
        (["run", "--customers", "--source", "crm"], "--customers runs no days"),
        (["run", "--date", "yesterday"], "yesterday is not a date"),
        (["run", "--date", "20260601"], "20260601 is not a date"),
        (["run", "--date", "2026-02-30"], "2026-02-30 is not a date"),
        (["run", "--date", DAYS[0], "--from", DAYS[0]], "not both"),
        (["run", "--from", DAYS[1], "--to", DAYS[0]], "is before"),
        (["run", "--date", DAYS[0], "--source", "nope"], "No source named nope; there are crm, desk, erp"),
        (["run", "--date", "2026-05-01"], "crm begins on 2026-06-01"),
        (["quarantine", "list", "--date", "never"], "never is not a date"),
        (["quarantine", "show"], "Missing argument"),
        (["ingest", "{tmp}/nothing.csv", "--source", "crm"], "does not exist"),
        (["export", "golden", "--format", "docx"], "'csv', 'parquet', 'jsonl'"),
        (["export", "golden", "--out", "{tmp}"], "is a folder"),
        (["customer"], "Missing argument"),
        (["nonsense"], "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_wrong_usage_is_told_and_leaves_with_code_2(
    empty: Deployment, tmp_path: Path, arguments: list[str], told: str
) -> None:
    said = empty.ask(*(word.replace("{tmp}", str(tmp_path)) for word in arguments), code=2)
    assert told in said.replace("\n", " ").replace("  ", " ")


@pytest.mark.parametrize(
    ("date", "told"), [("2999-01-01", "has not come yet"), ("2026-05-31", "crm begins on 2026-06-01")]
)
def test_a_file_of_a_day_that_cannot_run_is_refused_before_it_is_placed(
    empty: Deployment, tmp_path: Path, date: str, told: str
) -> None:
    (tmp_path / "people.csv").write_text("Id,LastName\n1,Berg\n", encoding="utf-8")
    asked = ("ingest", str(tmp_path / "people.csv"), "--source", "crm", "--entity", "contact", "--date", date)
    before = sorted(empty.landing.rglob("*"))
    assert told in " ".join(empty.ask(*asked, code=2).split())
    assert sorted(empty.landing.rglob("*")) == before


def test_of_a_file_that_was_refused_it_is_told_where_it_is_and_how_it_leaves(
    empty: Deployment, tmp_path: Path
) -> None:
    """Beside it the right file of that day would be refused too."""
    (tmp_path / "orders.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    asked = (
        "ingest",
        str(tmp_path / "orders.csv"),
        "--source",
        "crm",
        "--entity",
        "contact",
        "--date",
        DAYS[0],
    )
    told = " ".join(empty.ask(*asked, code=1).split())
    assert "The file stays in landing" in told
    assert f"delete the file at crm/contact/{DAYS[0]}-orders.csv." in told
    (empty.landing / "crm" / "contact" / f"{DAYS[0]}-orders.csv").unlink()


def test_what_is_not_there_is_told_with_what_is(empty: Deployment, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert "crm, desk, erp, mail, shop, web" in empty.ask(
        "ingest", str(tmp_path / "people.csv"), "--source", "nope", code=1
    )
    assert "crm, desk, erp, mail, shop, web" in empty.ask("quarantine", "list", "--source", "nope", code=1)
    assert "crm/contact" in empty.ask("quarantine", "show", "crm/nothing", code=1)
    told = empty.ask("ingest", str(tmp_path / "people.csv"), "--source", "crm", code=1)
    assert "account, contact" in told
    assert not any(path.is_file() for path in empty.landing.rglob("*"))


def test_a_misspelt_setting_is_told(empty: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDM_LANDING", "somewhere")
    assert "did you mean CDM_LANDING_URL?" in empty.ask("quarantine", "list", code=2)


def test_doctor_says_what_to_do_about_what_is_missing(empty: Deployment, tmp_path: Path) -> None:
    elsewhere = Deployment(empty.settings.model_copy(update={"landing_url": str(tmp_path / "gone")}))
    told = elsewhere.ask("doctor", code=3)
    assert "✗ │ landing" in told
    assert "set CDM_LANDING_URL" in told


def test_a_database_that_does_not_answer_is_told_without_its_password(empty: Deployment) -> None:
    url = "postgresql://someone:geheim@127.0.0.1:1/nowhere"
    environment = {**empty.environment, "CDM_DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "cdm_pipelines.cli", "customer", "jansen"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "geheim" not in done.stdout + done.stderr


# One file


def test_one_file_is_ingested_without_the_rest_of_its_source(
    empty: Deployment, extracts: Path, tmp_path: Path
) -> None:
    one = shutil.copy(extracts / "crm" / "contact" / f"{DAYS[0]}.csv", tmp_path / "from my desk.csv")
    told = empty.ask("ingest", str(one), "--source", "crm", "--date", LATER)
    assert f"is crm/contact of {LATER}" in told
    ((entities, records),) = empty.query(
        "SELECT array_agg(DISTINCT source || '/' || entity), count(*) FROM golden.crosswalk"
    )
    assert entities == ["crm/contact"]
    quarantined = pq.read_table(Path(empty.settings.lake_url) / "quarantine/crm/contact" / f"{LATER}.parquet")
    assert records + quarantined.num_rows == len(read_csv(Path(one)))
    assert "✗" not in empty.ask("quarantine", "list")


# Correct and retry


def test_a_corrected_row_becomes_a_customer_and_stays_one(day_one: Deployment, tmp_path: Path) -> None:
    contact = day_one.landing / "crm" / "contact" / f"{DAYS[1]}.csv"
    rows = read_csv(contact)
    lost = dict(rows[5], Id="", LastName="Zonderling", FirstName="Wobbe", Email="wobbe@zonderling.nl")
    write_csv(contact, [*rows, lost])
    assert day_one.run(DAYS[1]) == 0
    found = "SELECT record_count FROM golden.customer WHERE surname = 'Zonderling'"
    assert day_one.query(found) == []
    shown = day_one.ask("quarantine", "show", "crm/contact", "--date", DAYS[1])
    assert "missing_key" in shown
    assert "Zonderling" not in shown

    out = tmp_path / "rejected.csv"
    assert "delete the file" in day_one.ask(
        "quarantine", "export", "crm/contact", "--date", DAYS[1], "--out", str(out)
    )
    rejected = read_csv(out)
    (place,) = [number for number, row in enumerate(rejected) if row["LastName"] == "Zonderling"]
    rejected[place]["Id"] = "0037Q0000ZZZZZZQAS"
    told = day_one.ask("quarantine", "retry", str(write_csv(out, [rejected[place]])))
    assert f"1 corrected rows for crm/contact of {DAYS[1]}" in told
    customer = day_one.query(found)
    assert len(customer) == 1
    assert "Zonderling" in day_one.ask("customer", "0037Q0000ZZZZZZQAS")

    before, files = day_one.published(), day_one.lake()
    assert day_one.run(DAYS[1]) == 0
    assert day_one.published() == before
    assert day_one.lake() == files
    lake = Path(day_one.settings.lake_url)
    counts = [
        pq.read_metadata(lake / layer / "crm" / "contact" / f"{DAYS[1]}.parquet").num_rows
        for layer in ("raw", "valid", "quarantine")
    ]
    assert counts[0] == len(rows) + 1 == counts[1] + counts[2]
    assert (
        day_one.ask("quarantine", "retry", str(out), code=1).count("none of its rows is in quarantine") == 1
    )


# Formulas


def test_a_formula_in_a_name_is_harmless_in_every_csv(day_one: Deployment, tmp_path: Path) -> None:
    contact = day_one.landing / "crm" / "contact" / f"{DAYS[1]}.csv"
    rows = read_csv(contact)
    good = dict(rows[5], Id="0037Q0000YYYYYYQAS", LastName=FORMULA, FirstName="", Email="calc@example.nl")
    write_csv(contact, [*rows, good, dict(good, Id="", LastName=FORMULA)])
    assert day_one.run(DAYS[1], sources=["crm"]) == 0

    out = tmp_path / "customers.csv"
    day_one.ask("export", "golden", "--out", str(out))
    cells = [
        value for row in pa_csv.read_csv(out).to_pylist() for value in row.values() if isinstance(value, str)
    ]
    assert any("calc'!A0" in cell for cell in cells)
    dangerous = [cell for cell in cells if re.match(r"[=@\t\r-]|\+(?![0-9]+$)", cell)]
    assert dangerous == []

    rejected = tmp_path / "rejected.csv"
    day_one.ask("quarantine", "export", "crm/contact", "--date", DAYS[1], "--out", str(rejected))
    held = read_csv(rejected)
    assert "'" + FORMULA in [row["LastName"] for row in held]
    assert [value for row in held for value in row.values() if value[:1] in ("=", "+", "-", "@")] == []

    lines = tmp_path / "customers.jsonl"
    day_one.ask("export", "golden", "--format", "jsonl", "--out", str(lines))
    names = [json.loads(line)["surname"] or "" for line in lines.read_text(encoding="utf-8").splitlines()]
    assert any("calc'!A0" in name and not name.startswith("'") for name in names)


# Without the pipeline around it


def test_two_files_are_linked(empty: Deployment, tmp_path: Path) -> None:
    people = [
        ("Jan", "Klaassen", "jan.klaassen@ziggo.nl", "3511 AB", "1971-02-03"),
        ("Katrijn", "Poppenkast", "katrijn@xs4all.nl", "1012 CD", "1983-04-05"),
        ("Willem", "Wever", "wever@gmail.com", "9711 EF", "1965-06-07"),
        ("Sjoukje", "Dijkstra", "sjoukje@home.nl", "8911 GH", "1990-08-09"),
    ]
    names = ("given_name", "family_name", "email", "postcode", "birth_date")
    shop = [{"record_id": f"s{n}", **dict(zip(names, one, strict=True))} for n, one in enumerate(people)]
    crm = [{"record_id": f"c{n}", **dict(zip(names, one, strict=True))} for n, one in enumerate(people[:3])]
    crm[0]["given_name"] = "J."
    policy = tmp_path / "policy.yaml"
    columns = {"id": "record_id", **{name: name for name in names}}
    columns["surname"] = columns.pop("family_name")
    policy.write_text(yaml.safe_dump({"extends": "person", "columns": columns}), encoding="utf-8")
    out = tmp_path / "linked"
    told = empty.ask(
        "link",
        str(write_csv(tmp_path / "crm.csv", crm)),
        str(write_csv(tmp_path / "shop.csv", shop)),
        "--policy",
        str(policy),
        "--out",
        str(out),
    )
    assert "7 records" in told
    clusters: dict[str, set[tuple[str, str]]] = {}
    for row in pq.read_table(out / "clusters.parquet").to_pylist():
        clusters.setdefault(row["cluster_id"], set()).add((row["source"], row["record_id"]))
    assert sorted(map(sorted, clusters.values())) == [
        *([("crm", f"c{n}"), ("shop", f"s{n}")] for n in range(3)),
        [("shop", "s3")],
    ]
    assert (out / "pairs.parquet").exists()
    again = tmp_path / "again"
    empty.ask(
        "link",
        str(tmp_path / "crm.csv"),
        "--policy",
        str(policy),
        "--out",
        str(again),
        "--model",
        str(out / "model.json"),
    )
    assert pq.read_metadata(again / "clusters.parquet").num_rows == 3


def test_a_suggested_contract_is_printed_as_yaml_that_loads(
    empty: Deployment, extracts: Path, tmp_path: Path
) -> None:
    file = extracts / "erp" / "customer" / f"{DAYS[0]}.csv"
    text = empty.cdm("suggest", str(file), "--source", "backoffice", "--entity", "debtor")
    target = tmp_path / "debtor.odcs.yaml"
    target.write_text(text, encoding="utf-8")
    contract = load_contract(target)
    assert contract.name == "backoffice/debtor"
    assert contract.key == ("KUNNR",)
    told = empty.ask(
        "suggest",
        str(file),
        "--source",
        "backoffice",
        "--entity",
        "debtor",
        "--out",
        str(tmp_path / "new/x.yaml"),
    )
    assert "Contract written to" in told
    assert (tmp_path / "new" / "x.yaml").read_text(encoding="utf-8") == text


def test_demo_data_of_one_seed_is_the_same(empty: Deployment, tmp_path: Path) -> None:
    for name in ("one", "two"):
        told = empty.ask(
            "demo-data", "--customers", "20", "--days", "1", "--seed", "5", "--out", str(tmp_path / name)
        )
        assert "source records of 20 customers over 1 days" in told
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.csv")}
        for name in ("one", "two")
    )
    assert one == two
    assert Path("landing/crm/contact/2026-06-01.csv") in one
    assert Path("truth/party.csv") in one


def test_dagsters_own_commands_work_on_this_instance(empty: Deployment) -> None:
    assert "concurrency" in empty.cdm("dagster", "instance", "info")


# Dagster's programs in the checkout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list", "defs"], "golden/customer"),
        (["check", "defs"], "All component YAML validated successfully"),
        (["check", "yaml"], "All component YAML validated successfully"),
        (["check", "toml"], "All TOML configuration files are valid"),
    ],
    ids=["list defs", "check defs", "check yaml", "check toml"],
)
def test_dg_finds_the_project_in_order_with_no_variable_set(
    tmp_path_factory: pytest.TempPathFactory, arguments: list[str], told: str
) -> None:
    binaries = Path(sys.executable).parent
    done = subprocess.run(
        ["dg", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "CDM_HOME": str(tmp_path_factory.mktemp("dg")),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert told in done.stdout + done.stderr


def test_the_help_lists_each_command_as_it_says_itself_what_it_does() -> None:
    group: Any = typer.main.get_command(app)
    told = {
        name: inspect.cleandoc(child.help or "").split("\n\n")[0] for name, child in group.commands.items()
    }
    assert {name: " ".join(words.split()) for name, words in told.items()} == {
        name: one.help for name, one in LISTED.items()
    }


def test_the_help_loads_nothing_of_what_commands_work_with() -> None:
    heavy = ["pydantic", "pandas", "sqlalchemy", "pyarrow", "dagster"]
    program = f"""import sys, cdm_pipelines.cli
try: cdm_pipelines.cli.app(["--help"])
finally: print([name for name in {heavy} if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Ingest a day" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_command_that_ends_looks_for_no_garbage_in_what_it_has_loaded() -> None:
    """Python looks twice, which took a quarter of every command."""
    program = """import atexit, gc, sys, cdm_pipelines.cli
sys.argv = ["cdm", "--help"]
atexit.register(lambda: print(len(gc.get_objects()) < 1_000))
cdm_pipelines.cli.main()"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


DATABASE_ALONE = ("pyarrow", "numpy", "yaml", "fsspec", "open_data_contract_standard", "alembic")
"""What a command that asks the hub alone loads none of."""
NEVER_TO_LOOK = (
    "dagster",
    "duckdb",
    "pandera",
    "recordlinkage",
    "scipy",
    "sklearn",
    "email_validator",
    "ftfy",
)


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["token", "list"], (*NEVER_TO_LOOK, "pandas", *DATABASE_ALONE)),
        (
            ["steward", "queue"],
            (*NEVER_TO_LOOK, "pandas", "alembic", "pyarrow", "numpy", "cdm_pipelines.linkage"),
        ),
        (["customer", "{id}"], (*NEVER_TO_LOOK, "pandas", "alembic", "cdm_pipelines.linkage")),
        (["customer", "{name}"], (*NEVER_TO_LOOK, "alembic")),
        (["privacy", "access", "{id}", "--to", "{folder}"], (*NEVER_TO_LOOK, "alembic")),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_light_command_loads_nothing_that_it_has_no_use_for(
    day_one: Deployment, tmp_path: Path, arguments: list[str], unused: tuple[str, ...]
) -> None:
    ((id_, name),) = day_one.query(
        "SELECT golden_id::text, surname FROM golden.customer WHERE party_kind = 'person' ORDER BY 1 LIMIT 1"
    )
    given = [one.format(id=id_, name=name, folder=tmp_path) for one in arguments]
    program = f"""import sys, cdm_pipelines.cli
try: cdm_pipelines.cli.app({given})
finally: print([name for name in {unused} if name in sys.modules])"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=day_one.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_the_code_location_loads_no_engine_before_it_is_asked_for_assets() -> None:
    heavy = ["pandas", "duckdb", "recordlinkage", "scipy", "sklearn", "alembic", "pandera"]
    program = (
        f"import sys, cdm_pipelines.definitions; print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
