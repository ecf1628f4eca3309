"""Values that are kept encrypted: nowhere at rest in clear, linked as before, in clear for who may see them."""

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cdm_pipelines.settings import Settings
from cdm_pipelines.store.file_store import FileStore

from .conftest import DAYS, Deployment
from .traces import traces

IBAN = re.compile(r"\bNL\d\d[A-Z]{4}\d{10}\b")
KEYS = "privacy/protection.keys"
SOURCES = ["crm", "erp"]


def encrypting(home: Deployment, *categories: str) -> None:
    """Have a deployment encrypt some categories."""
    policies = home.settings.policies
    (policies / "protection.yaml").write_text(json.dumps({"categories": list(categories)}))


@pytest.fixture(scope="module")
def plain(deploy: Callable[..., Deployment]) -> Deployment:
    home = deploy()
    assert home.run(DAYS[0], sources=SOURCES) == 0
    return home


@pytest.fixture(scope="module")
def home(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    policies = tmp_path_factory.mktemp("own") / "policies"
    shutil.copytree(Settings.model_fields["policies"].default, policies)
    home = Deployment(deploy().settings.model_copy(update={"policies": policies}))
    for file in home.landing.rglob("*.*"):
        if file.name != f"{DAYS[0]}.csv" or file.relative_to(home.landing).parts[0] not in SOURCES:
            file.unlink()  # what is not read is not known to hold anybody
    encrypting(home, "user.financial.bank_account")
    assert home.run(DAYS[0], sources=SOURCES) == 0
    return home


def delivered(home: Deployment) -> set[str]:
    """Bank accounts as the extracts have them."""
    text = "".join(file.read_text("latin-1") for file in home.landing.rglob(f"{DAYS[0]}.csv"))
    return set(IBAN.findall(text))


def at_rest(home: Deployment, values: set[str]) -> set[str]:
    """Files and tables that hold any of some values in clear, but for what was delivered."""
    return {place for place in traces(home, values) if not place.startswith("landing/")}


CLUSTERS = """SELECT string_agg(concat_ws('/', source, entity, record_id), ' ' ORDER BY 1)
    FROM golden.crosswalk GROUP BY golden_id ORDER BY 1"""
"""Which records are one customer."""


def test_what_is_encrypted_is_nowhere_in_clear_and_customers_are_the_same(
    plain: Deployment, home: Deployment
) -> None:
    values = delivered(home)
    assert len(values) > 20
    assert at_rest(plain, values)
    assert at_rest(home, values) == set()
    assert home.query(CLUSTERS) == plain.query(CLUSTERS)
    sealed = home.query("SELECT DISTINCT left(iban, 6) FROM golden.customer WHERE iban IS NOT NULL")
    assert sealed == [("enc:1:",)]
    for table in ("quarantine", "repairs", "valid"):
        counts = [
            sum(1 for path in FileStore(one.settings.lake_url).stamps() if path.startswith(table))
            for one in (home, plain)
        ]
        assert counts[0] == counts[1], table


def one_of(home: Deployment) -> tuple[str, str]:
    """A customer with a bank account, and it."""
    plainly = home.ask("export", "golden", "--out", str(home.settings.home / "out.csv"))
    assert plainly
    rows = list(csv.DictReader(io.StringIO((home.settings.home / "out.csv").read_text("utf-8-sig"))))
    (home.settings.home / "out.csv").unlink()
    return next((row["golden_id"], row["iban"]) for row in rows if row["iban"])


def test_who_may_see_it_sees_it(home: Deployment, tmp_path: Path) -> None:
    golden_id, iban = one_of(home)
    assert iban in delivered(home)
    assert iban in home.ask("steward", "show", golden_id).replace("\n", "")
    home.ask("privacy", "access", golden_id, "--to", str(tmp_path))
    with zipfile.ZipFile(next(tmp_path.glob("*.zip"))) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "replace")
    assert iban in text
    assert "enc:1:" not in text


def test_a_value_that_a_steward_sets_is_encrypted_too(home: Deployment) -> None:
    golden_id, _ = one_of(home)
    home.ask("steward", "set", golden_id, "iban=NL91 ABNA 0417 1643 00", "--by", "stien")
    assert home.run(DAYS[0], sources=["crm"]) == 0
    assert "NL91ABNA0417164300" in home.ask("steward", "show", golden_id).replace("\n", "")
    assert at_rest(home, {"NL91ABNA0417164300"}) == set()
    home.ask("steward", "undo", "1", "--by", "stien")
    assert home.run(DAYS[0], sources=["crm"]) == 0


def test_a_new_key_seals_everything_anew(home: Deployment) -> None:
    before, values = one_of(home), delivered(home)
    told = home.ask("privacy", "rotate-keys")
    assert "key 2" in told
    assert home.run(DAYS[0], sources=["crm"]) == 0
    assert home.query("SELECT DISTINCT left(iban, 6) FROM golden.customer WHERE iban IS NOT NULL") == [
        ("enc:2:",)
    ]
    assert one_of(home) == before
    assert at_rest(home, values) == set()
    assert home.run(DAYS[0], sources=SOURCES) == 0
    assert one_of(home) == before


def test_erased_it_is_gone_in_clear_and_sealed(home: Deployment) -> None:
    mine = "SELECT golden_id::text, min(iban) FROM golden.customer WHERE iban IS NOT NULL GROUP BY golden_id, iban"
    shared = "SELECT iban FROM golden.customer WHERE iban IS NOT NULL GROUP BY iban HAVING count(*) > 1"
    others = {iban for (iban,) in home.query(shared)}
    golden_id, sealed = next(
        (one, iban) for one, iban in home.query(f"{mine} ORDER BY 1") if iban not in others
    )
    out = home.settings.home / "before.csv"
    home.ask("export", "golden", "--out", str(out))
    rows = list(csv.DictReader(io.StringIO(out.read_text("utf-8-sig"))))
    out.unlink()
    iban = next(row["iban"] for row in rows if row["golden_id"] == golden_id)
    assert traces(home, {iban, sealed})
    home.ask("privacy", "erase", golden_id, "--by", "Petra", "--yes")
    assert traces(home, {iban, sealed}) == set()


def test_without_its_keys_nothing_runs_and_it_is_told(home: Deployment) -> None:
    keys = home.settings.home / KEYS
    content = keys.read_bytes()
    assert keys.stat().st_mode & 0o777 == 0o600
    published = home.published()
    keys.unlink()
    assert home.run(DAYS[0], sources=SOURCES) != 0
    assert "Put the file back from your copy" in home.ask("export", "golden", "--out", "/tmp/x.csv", code=1)
    keys.write_bytes(content[:-20])
    assert "put it back from a copy" in home.ask("privacy", "rotate-keys", code=1)
    keys.write_bytes(content)
    assert home.published() == published
    assert home.run(DAYS[0], sources=SOURCES) == 0
