"""Splink on DuckDB, linking the same standardised records: a script for the peers' own environment.

Belongs here: Splink set up as its documentation advises, as well as we know how. Does not belong here: anything of this
project, which that environment does not have.

Usage: ``python splink_linking.py PARTY.parquet OUT_FOLDER SEED``. Persons and organisations are linked apart, as we do.
Its clock starts before the records are read and stops when the clusters are written; starting Python is not counted.
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
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

MATCH, REVIEW = 0.95, 0.3
"""The thresholds of our own policies: pairs linked, and pairs kept."""
STRICTER = (0.99, 0.999, 0.9999)
"""Further thresholds, clustered after the clock has stopped: which one suits best, only the truth can tell."""
U_PAIRS = 1e7
"""Random pairs for the u-probabilities. Splink's documentation calls ten million often adequate and advises a hundred
million or more; one million, its default, costs precision at a million records, and more than ten million gain none."""

KEYS = """
    row_number() OVER () AS unique_id,
    source || '/' || entity AS source,
    record_id,
    postcode,
    house_number,
    city,
    email,
    iban,
    list_filter([phone, mobile], lambda number: number IS NOT NULL) AS phones
"""
COLUMNS = {
    "person": f"""{KEYS},
        given_name,
        left(coalesce(given_name, initials), 1) AS initial,
        surname,
        left(surname, 4) AS surname_start,
        birth_date
    """,
    "organisation": f"""{KEYS},
        organisation_name,
        left(organisation_name, 5) AS name_start,
        vat_number,
        coc_number
    """,
}


@dataclass(frozen=True)
class Model:
    """How one kind of party is linked.

    Attributes:
        settings: Comparisons and blocking rules.
        training: Blocking rules of the expectation-maximisation runs.
        certain: Rules of which nearly all pairs are matches, and the share of matches they find.
    """

    settings: SettingsCreator
    training: tuple[tuple[str, ...], ...]
    certain: tuple[tuple[str, ...], ...]
    recall: float


def address() -> cl.CustomComparison:
    """Postcode and house number together, then the postcode, then its area."""
    return cl.CustomComparison(
        output_column_name="address",
        comparison_levels=[
            cll.NullLevel("postcode"),
            cll.And(
                cll.ExactMatchLevel("postcode", term_frequency_adjustments=True),
                cll.ExactMatchLevel("house_number"),
            ).configure(tf_adjustment_column="postcode"),
            cll.ExactMatchLevel("postcode"),
            cll.CustomLevel("left(postcode_l, 4) = left(postcode_r, 4)", "same area"),
            cll.ElseLevel(),
        ],
    )


def given_name() -> cl.CustomComparison:
    """Given names, or their initials where a record has no more."""
    return cl.CustomComparison(
        output_column_name="given_name",
        comparison_levels=[
            cll.NullLevel("initial"),
            cll.ExactMatchLevel("given_name", term_frequency_adjustments=True),
            cll.JaroWinklerLevel("given_name", 0.92),
            cll.JaroWinklerLevel("given_name", 0.85),
            cll.CustomLevel(
                "initial_l = initial_r AND (given_name_l IS NULL OR given_name_r IS NULL)", "initial"
            ),
            cll.ExactMatchLevel("initial"),
            cll.ElseLevel(),
        ],
    )


def persons() -> Model:
    """Names, date of birth, address, e-mail, phones, bank account."""
    return Model(
        SettingsCreator(
            link_type="dedupe_only",
            comparisons=[
                given_name(),
                cl.NameComparison("surname"),
                cl.DateOfBirthComparison("birth_date", input_is_string=True, datetime_format="%Y-%m-%d"),
                address(),
                cl.EmailComparison("email"),
                cl.ArrayIntersectAtSizes("phones", [1]),
                cl.ExactMatch("iban"),
            ],
            blocking_rules_to_generate_predictions=[
                block_on("email"),
                block_on("phones", arrays_to_explode=["phones"]),
                block_on("iban"),
                block_on("surname", "birth_date"),
                block_on("birth_date", "initial"),
                block_on("surname_start", "postcode"),
                block_on("postcode", "house_number", "initial"),
                block_on("given_name", "surname", "city"),
            ],
            retain_matching_columns=False,
            retain_intermediate_calculation_columns=False,
        ),
        training=(("email", "given_name"), ("surname", "birth_date"), ("postcode", "given_name")),
        certain=(("surname", "given_name", "birth_date"), ("email", "surname", "initial")),
        recall=0.7,
    )


def organisations() -> Model:
    """Name, address, registration numbers, e-mail, phones, bank account."""
    return Model(
        SettingsCreator(
            link_type="dedupe_only",
            comparisons=[
                cl.NameComparison("organisation_name"),
                address(),
                cl.ExactMatch("vat_number"),
                cl.ExactMatch("coc_number"),
                cl.EmailComparison("email"),
                cl.ArrayIntersectAtSizes("phones", [1]),
                cl.ExactMatch("iban"),
            ],
            blocking_rules_to_generate_predictions=[
                block_on("vat_number"),
                block_on("coc_number"),
                block_on("email"),
                block_on("phones", arrays_to_explode=["phones"]),
                block_on("organisation_name"),
                block_on("name_start", "city"),
                block_on("postcode", "house_number"),
            ],
            retain_matching_columns=False,
            retain_intermediate_calculation_columns=False,
        ),
        training=(("organisation_name",), ("postcode", "house_number")),
        certain=(("vat_number",), ("organisation_name", "postcode")),
        recall=0.7,
    )


MODELS: dict[str, Callable[[], Model]] = {"person": persons, "organisation": organisations}


def link(kind: str, party: Path, out: Path, seed: int) -> dict[str, float]:
    """Link one kind of party; returns seconds per step, pairs kept and CPU seconds."""
    laps, cpu = {"start": time.perf_counter()}, time.process_time()
    connection = duckdb.connect()
    query = f"SELECT {COLUMNS[kind]} FROM read_parquet(?) WHERE party_kind = ?"  # noqa: S608 - our own columns
    connection.execute(f"CREATE TABLE party AS {query}", [str(party), kind])
    api = DuckDBAPI(connection=connection)
    model = MODELS[kind]()
    linker = Linker(api.register("party"), model.settings, log_level=logging.ERROR)
    laps["read"] = time.perf_counter()
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on(*rule) for rule in model.certain], recall=model.recall
    )
    training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=seed)
    for rule in model.training:
        training.estimate_parameters_using_expectation_maximisation(
            block_on(*rule), estimate_without_term_frequencies=True
        )
    laps["fit"] = time.perf_counter()
    pairs = linker.inference.predict(threshold_match_probability=REVIEW)
    laps["block, compare, score"] = time.perf_counter()
    _write_clusters(linker, connection, pairs, MATCH, out / str(MATCH) / f"{kind}.parquet")
    laps["cluster"], cpu = time.perf_counter(), time.process_time() - cpu
    kept = len(connection.table(pairs.physical_name))
    for threshold in STRICTER:
        _write_clusters(linker, connection, pairs, threshold, out / str(threshold) / f"{kind}.parquet")
    moments = list(laps.items())
    steps = {name: later - earlier for (_, earlier), (name, later) in itertools.pairwise(moments)}
    return {**steps, "pairs": kept, "cpu seconds": cpu}


def _write_clusters(linker: Linker, connection: Any, pairs: Any, threshold: float, path: Path) -> None:
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
        pairs, threshold_match_probability=threshold
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    found = connection.table(clusters.physical_name)
    found.project("source, record_id, CAST(cluster_id AS VARCHAR) AS cluster_id").write_parquet(str(path))


def main(party: Path, out: Path, seed: int) -> None:
    """Link both kinds and leave clusters and figures in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    figures = {kind: link(kind, party, out, seed) for kind in MODELS}
    (out / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
