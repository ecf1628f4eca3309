"""Splink on DuckDB, linking one file: a program for the peers' own environment.

Belongs here: Splink set up for each kind of data as its documentation advises, as well as we know how. Does not belong
here: anything of this project but plain values (``kinds``), which need nothing of its environment.

Usage: ``python -m benchmarks.linkage.peer_splink RECORDS.parquet KIND VARIANT OUT [plain]``. The clock starts before
the records are read and stops when the clusters are written; starting Python and importing Splink are not counted.
With ``plain`` there are no term frequencies, and clusters at one threshold alone.
"""

import itertools
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from benchmarks.linkage.kinds import KINDS, Kind, column
from benchmarks.splink_linking import U_PAIRS, address

MATCH, REVIEW = 0.9, 0.1
OTHERS = (0.5, 0.8, 0.95, 0.99, 0.999, 0.9999)
"""Further thresholds, clustered after the clock has stopped: which one suits best, only the truth can tell."""
SEED = 1


@dataclass(frozen=True)
class Model:
    """How one kind of data is linked.

    Attributes:
        comparisons: Of Splink's library, with term frequencies.
        training: Blocking rules of the expectation-maximisation runs.
        certain: Rules of which nearly all pairs are matches, and the share of matches they find.
        added: Columns derived from others, as SQL.
    """

    comparisons: tuple[Any, ...]
    training: tuple[tuple[str, ...], ...]
    certain: tuple[tuple[str, ...], ...]
    recall: float
    added: str = ""


def people() -> Model:
    """Names, date of birth, address, e-mail and telephone."""
    return Model(
        (
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("birth_date", input_is_string=True, datetime_format="%Y-%m-%d"),
            address(),
            cl.EmailComparison("email"),
            cl.LevenshteinAtThresholds("phone", [1]).configure(term_frequency_adjustments=True),
        ),
        training=(("email",), ("surname", "birth_date"), ("given_name", "postcode")),
        certain=(("given_name", "surname", "birth_date"), ("given_name", "email"), ("given_name", "phone")),
        recall=0.8,
    )


def historical() -> Model:
    """As in the documentation's example of these 50,000 records."""
    return Model(
        (
            cl.ForenameSurnameComparison(
                "first_name", "surname", forename_surname_concat_col_name="first_and_last"
            ),
            cl.DateOfBirthComparison("dob", input_is_string=True, datetime_format="%Y-%m-%d"),
            cl.PostcodeComparison("postcode_fake"),
            cl.ExactMatch("birth_place").configure(term_frequency_adjustments=True),
            cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
        ),
        training=(("first_name", "surname"), ("dob",)),
        certain=(
            ("first_name", "surname", "dob"),
            ("first_name:2", "surname:2", "dob", "postcode_fake:2"),
            ("dob", "postcode_fake"),
        ),
        recall=0.6,
        added="first_name || ' ' || surname AS first_and_last",
    )


def febrl() -> Model:
    """As in the documentation's examples of Febrl 3 and 4, without the social security number, with the street."""
    return Model(
        (
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("address_1", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("suburb", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
        ),
        training=(("date_of_birth",), ("given_name", "surname"), ("postcode",)),
        certain=(("given_name", "surname", "date_of_birth"), ("surname", "date_of_birth", "postcode")),
        recall=0.8,
    )


def fake() -> Model:
    """As in the documentation's tutorial."""
    return Model(
        (
            cl.NameComparison("first_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison("dob", input_is_string=True, datetime_format="%Y-%m-%d"),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.EmailComparison("email"),
        ),
        training=(("first_name", "surname"), ("dob",), ("email",)),
        certain=(("first_name", "dob"), ("surname", "dob"), ("email",)),
        recall=0.7,
    )


MODELS: dict[str, Callable[[], Model]] = {
    "people": people,
    "historical_50k": historical,
    "febrl3": febrl,
    "febrl4": febrl,
    "fake_1000": fake,
}


def rule(parts: tuple[str, ...]) -> Any:
    """A blocking rule of Splink's."""
    names = [column(part) for part in parts]
    return block_on(*(f"substr({name}, 1, {length})" if length else name for name, length in names))


def link(records: Path, kind: str, variant: str, out: Path, *, plain: bool = False) -> dict[str, object]:
    """Link one file; returns seconds per step and pairs kept."""
    about, model = KINDS[kind], MODELS[kind]()
    laps = {"start": time.perf_counter()}
    connection = duckdb.connect()
    api = DuckDBAPI(connection=connection)
    tables = [api.register(name) for name in _read(connection, records, about, model)]
    settings = SettingsCreator(
        link_type="link_only" if about.source else "dedupe_only",
        comparisons=[
            one.configure(term_frequency_adjustments=False) if plain else one for one in model.comparisons
        ],
        blocking_rules_to_generate_predictions=[rule(parts) for parts in about.rules[variant]],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )
    linker = Linker(tables if about.source else tables[0], settings, log_level=logging.ERROR)
    laps["read"] = time.perf_counter()
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [rule(parts) for parts in model.certain], recall=model.recall
    )
    training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=SEED)
    for parts in model.training:
        training.estimate_parameters_using_expectation_maximisation(
            rule(parts), estimate_without_term_frequencies=True
        )
    laps["fit"] = time.perf_counter()
    pairs = linker.inference.predict(threshold_match_probability=REVIEW)
    laps["block, compare, score"] = time.perf_counter()
    _write_clusters(linker, connection, pairs, MATCH, out / "clusters.parquet")
    laps["cluster"] = time.perf_counter()
    for threshold in () if plain else OTHERS:
        _write_clusters(linker, connection, pairs, threshold, out / f"clusters-{threshold}.parquet")
    moments = list(laps.items())
    steps = {name: later - earlier for (_, earlier), (name, later) in itertools.pairwise(moments)}
    return {"seconds": sum(steps.values()), "steps": steps}


def _read(connection: Any, records: Path, about: Kind, model: Model) -> list[str]:
    """Tables of the records: one, or one a source."""
    added = f", {model.added}" if model.added else ""
    columns = f"* EXCLUDE ({about.id}), {about.id} AS unique_id{added}"
    connection.execute(
        f"CREATE TABLE everything AS SELECT {columns} FROM read_parquet(?)",  # noqa: S608 - our own columns
        [str(records)],
    )
    if not about.source:
        return ["everything"]
    query = f"SELECT DISTINCT {about.source} FROM everything ORDER BY 1"  # noqa: S608
    sources = [name for (name,) in connection.execute(query).fetchall()]
    for name in sources:
        connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM everything WHERE {about.source} = '{name}'"  # noqa: S608
        )
    return sources


def _write_clusters(linker: Linker, connection: Any, pairs: Any, threshold: float, path: Path) -> None:
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
        pairs, threshold_match_probability=threshold
    )
    found = connection.table(clusters.physical_name)
    found.project("unique_id AS record_id, CAST(cluster_id AS VARCHAR) AS cluster_id").write_parquet(
        str(path)
    )


if __name__ == "__main__":
    figures = link(
        Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]), plain="plain" in sys.argv[5:]
    )
    (Path(sys.argv[4]) / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
