"""A cluster that links, asked by the pipeline and by the command: what comes of it is what this machine links."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from spark_server import served
from typer.testing import CliRunner, Result

from cdm_pipelines.cli import app
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.linking.parties import link_parties
from cdm_pipelines.store import tables
from cdm_pipelines.store.lake import Lake

from .conftest import Pipeline


@pytest.mark.slow
def test_what_a_cluster_links_is_what_this_machine_links(pipeline: Pipeline, tmp_path: Path) -> None:
    with served() as url:
        found = []
        for engine in ("local", "spark"):
            home = tmp_path / engine
            shutil.copytree(pipeline[0].settings.lake_url, home / "lake")
            own = load_settings(
                home=home,
                landing_url=str(tmp_path),
                lake_url=str(home / "lake"),
                link_engine=engine,
                spark_remote=url,
            )
            lake = Lake(own.lake_url)
            linked = link_parties(lake, own, refit=True, rebuild=True)
            assert linked.fitted
            one, other = (table(lake).read() for table in (tables.clusters, tables.matches))
            found.append((one, other, linked.model_fingerprint))
            # What has changed since is linked here, whichever engine linked all.
            assert not link_parties(lake, own.model_copy(update={"link_engine": "local"})).fitted
            assert tables.clusters(lake).read() == one
    assert found[0][0].num_rows > 200
    assert found[0] == found[1]


POLICY = """
id: id
columns: {surname: {clean: surname}, birth_date: {clean: date}}
blocking: [{keys: birth_date}, {keys: surname}]
comparisons:
  surname: {kind: surname, column: surname}
  birth_date: {kind: date, column: birth_date}
"""


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Result]:
    (tmp_path / "mine.yaml").write_text(POLICY, encoding="utf-8")
    people = [
        (
            f"r{n:03d}",
            f"{'abcde'[n % 5]}{'klmnr'[n // 5 % 5]}ström",
            f"19{n // 2 % 70 + 10}-0{n // 2 % 9 + 1}-11",
        )
        for n in range(400)
    ]
    pd.DataFrame(people, columns=["id", "surname", "birth_date"]).to_csv(tmp_path / "people.csv", index=False)

    def asked(out: str, *options: str) -> Result:
        given = ["link", str(tmp_path / "people.csv"), "--policy", str(tmp_path / "mine.yaml")]
        return CliRunner().invoke(app, [*given, "--out", str(tmp_path / out), *options])

    return asked


@pytest.mark.slow
def test_the_command_writes_what_it_writes_without_a_cluster(
    ask: Callable[..., Result], tmp_path: Path
) -> None:
    with served() as url:
        for out, options in (("here", ()), ("there", ("--engine", "spark", "--remote", url))):
            done = ask(out, *options)
            assert done.exit_code == 0, done.output
    for name in ("clusters.parquet", "pairs.parquet", "model.json", "charts.svg"):
        here, there = ((tmp_path / out / name).read_bytes() for out in ("here", "there"))
        assert here == there, name


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--remote", "sc://a:1"), 2, "go with --engine spark"),
        (("--engine", "spark", "--remote", "sc://a:1", "--master", "local"), 2, "each names a cluster"),
        (("--engine", "spark", "--explain-blocking"), 2, "leave --engine out"),
        (("--engine", "spark"), 1, "CDM_SPARK_REMOTE"),
        (("--engine", "spark", "--remote", "sc://127.0.0.1:9"), 1, "nothing answers at sc://127.0.0.1:9"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_words(
    ask: Callable[..., Result], tmp_path: Path, options: tuple[str, ...], code: int, told: str
) -> None:
    done = ask("out", *options)
    assert done.exit_code == code, done.output
    assert told in " ".join(done.output.split())
    assert not list(tmp_path.glob("out/*.parquet"))
