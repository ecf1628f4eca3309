"""Splink on DuckDB, linking one file of organisations: a program for the peers' own environment.

Belongs here: Splink set up with care for names of organisations. Does not belong here: anything of this project but
the prepared columns that it is given.

It is given what a careful person would prepare: names without legal forms, their words and the two rarest of them (as
we make them ourselves). Usage: ``python -m benchmarks.organisations.peer_splink RECORDS.parquet TWO OUT``.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from benchmarks.organisations.thresholds import THRESHOLDS

REVIEW = 0.1
SEED = 1
U_PAIRS = 1e7


OPINION = (0.5, 0.15, 0.12, 0.08, 0.07, 0.05, 0.03)
"""m of a name's levels where there is little but names: expectation-maximisation on them alone finds no matches."""


def name(*, fixed: bool) -> Any:
    """Equal whatever the order, alike by letters, or with words in common."""
    levels = [
        cll.ExactMatchLevel("name_sorted").configure(tf_adjustment_column="name_sorted"),
        cll.JaroWinklerLevel("name_clean", 0.95),
        cll.ArrayIntersectLevel("words", min_intersection=3),
        cll.JaroWinklerLevel("name_clean", 0.88),
        cll.ArrayIntersectLevel("words", min_intersection=2),
        cll.ArrayIntersectLevel("words", min_intersection=1),
        cll.ElseLevel(),
    ]
    if fixed:
        levels = [one.configure(m_probability=m) for one, m in zip(levels, OPINION, strict=True)]
    return cl.CustomComparison(
        output_column_name="name", comparison_levels=[cll.NullLevel("name_clean"), *levels]
    )


def bare(columns: set[str]) -> bool:
    """Whether there is little but names."""
    return not columns & {"phone", "postcode", "street", "vat_number"}


def comparisons(columns: set[str]) -> list[Any]:
    """Those that the table has the columns for."""
    found = [name(fixed=bare(columns))]
    if "postcode" in columns:
        found.append(cl.LevenshteinAtThresholds("postcode", [1]).configure(term_frequency_adjustments=True))
    if "street" in columns:
        found.append(
            cl.JaroWinklerAtThresholds("street", [0.9, 0.8]).configure(term_frequency_adjustments=True)
        )
    if "house_number" in columns:
        found.append(cl.ExactMatch("house_number").configure(term_frequency_adjustments=True))
    if "city" in columns:
        found.append(cl.JaroWinklerAtThresholds("city", [0.9]).configure(term_frequency_adjustments=True))
    if "phone" in columns:
        found.append(cl.LevenshteinAtThresholds("phone", [1]))
    if "vat_number" in columns:
        found.append(cl.LevenshteinAtThresholds("vat_number", [1]))
    return found


def rules(columns: set[str]) -> list[Any]:
    """Blocking: rare words, beginnings of names, and whatever else the table has."""
    found = [block_on("rare1"), block_on("rare2"), block_on("name_start")]
    found += [block_on(one) for one in ("phone", "vat_number") if one in columns]
    if {"postcode", "house_number"} <= columns:
        found.append(block_on("postcode", "house_number"))
    return found


def link(records: Path, out: Path, *, two: bool) -> dict[str, object]:
    """Link one file; returns seconds."""
    started = time.perf_counter()
    connection = duckdb.connect()
    api = DuckDBAPI(connection=connection)
    connection.execute("CREATE TABLE everything AS SELECT * FROM read_parquet(?)", [str(records)])
    columns = {row[0] for row in connection.execute("DESCRIBE everything").fetchall()}
    names = ["everything"]
    if two:
        names = ["a", "b"]
        for one in names:
            connection.execute(f"CREATE TABLE {one} AS SELECT * FROM everything WHERE file = '{one}'")  # noqa: S608
    tables = [api.register(one) for one in names]
    settings = SettingsCreator(
        link_type="link_only" if two else "dedupe_only",
        comparisons=comparisons(columns),
        blocking_rules_to_generate_predictions=rules(columns),
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )
    linker = Linker(tables if two else tables[0], settings, log_level=logging.ERROR)
    training = linker.training
    training.estimate_probability_two_random_records_match([block_on("name_sorted")], recall=0.6)
    training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=SEED)
    if not bare(columns):
        trained: tuple[str, ...] = ("rare1", "name_start", "postcode", "phone")
    else:
        trained = ("name_sorted",) if "city" in columns else ()
    for part in trained:
        if part in columns:
            try:
                training.estimate_parameters_using_expectation_maximisation(
                    block_on(part), estimate_without_term_frequencies=True
                )
            except Exception as error:
                sys.stderr.write(f"training on {part}: {type(error).__name__}\n")
    pairs = linker.inference.predict(threshold_match_probability=REVIEW)
    seconds = 0.0
    for threshold in THRESHOLDS:
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            pairs, threshold_match_probability=threshold
        )
        found = connection.table(clusters.physical_name)
        found.project("unique_id AS record_id, cluster_id").write_parquet(
            str(out / f"clusters-{threshold}.parquet")
        )
        seconds = seconds or time.perf_counter() - started
    kept = connection.table(pairs.physical_name)
    kept.project("unique_id_l AS left_id, unique_id_r AS right_id, match_probability").write_parquet(
        str(out / "pairs.parquet")
    )
    return {"seconds": seconds}


if __name__ == "__main__":
    _records, _two, _out = sys.argv[1:]
    _told = link(Path(_records), Path(_out), two=_two == "two")
    (Path(_out) / "told.json").write_text(json.dumps(_told), encoding="utf-8")
