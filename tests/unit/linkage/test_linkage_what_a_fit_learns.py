"""What a fit learns, what it cannot, when it has settled, and that levels weigh in their order."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from benchmarks.people import generate
from cdm_pipelines.linkage import LinkageModel, LinkagePolicy, LinkResult, link, load_policy
from cdm_pipelines.linkage.evaluate.measures import evaluate
from cdm_pipelines.linkage.model import em
from cdm_pipelines.linkage.model.patterns import Table as Patterns
from cdm_pipelines.linkage.model.ranked import Rank, rising
from cdm_pipelines.linkage.model.remarks import remarks, unlearned
from cdm_pipelines.linkage.model.u_probabilities import UProbabilities
from cdm_pipelines.steps.linking.checks import learned, settled

PERSON = "extends: person\nid: record_id\nsource: null\n"


class Table(NamedTuple):
    """Records with who they are of."""

    records: pd.DataFrame
    truth: pd.DataFrame

    def f1(self, result: LinkResult) -> float:
        return evaluate(result.clusters, self.truth.assign(source="records")).pairs.f1

    def agreeing(self, column: str) -> float:
        """Share of the pairs of one person that agree on a column, of those that have it."""
        named = self.records[["record_id", column]].dropna().merge(self.truth, on="record_id")
        pairs = named.merge(named, on="truth_id")
        pairs = pairs[pairs["record_id_x"] < pairs["record_id_y"]]
        return float((pairs[f"{column}_x"] == pairs[f"{column}_y"]).mean())


def people(number: int, seed: int, *, wrong_dates: float = 0.0, mixed_names: float = 0.0) -> Table:
    """Made-up people; some of their dates of birth are any dates, some of their given names somebody else's."""
    made = generate(number, seed=seed, sources=1)
    frame, rng = made.records.to_pandas(), np.random.default_rng(seed)
    wrong = (rng.random(number) < wrong_dates) & frame["birth_date"].notna()
    frame.loc[wrong, "birth_date"] = [
        f"{year}-{month:02d}-{day:02d}"
        for year, month, day in zip(
            rng.integers(1930, 2005, wrong.sum()),
            rng.integers(1, 13, wrong.sum()),
            rng.integers(1, 29, wrong.sum()),
            strict=True,
        )
    ]
    mixed = rng.random(number) < mixed_names
    frame.loc[mixed, "given_name"] = rng.permutation(frame.loc[mixed, "given_name"].to_numpy())
    return Table(frame.drop(columns="source"), made.truth.to_pandas()[["record_id", "truth_id"]])


def policy(folder: Path, columns: str, more: str = "") -> LinkagePolicy:
    path = folder / "mine.yaml"
    path.write_text(f"{PERSON}columns: {{{columns}}}\n{more}", encoding="utf-8")
    return load_policy(path)


NAMES_AND_DATE = "given_name: given_name, surname: surname, birth_date: birth_date"


def equal(model: LinkageModel, comparison: str) -> float:
    """The m-probability of the highest level."""
    return model.comparisons[comparison].m[-1]


def test_a_third_column_that_every_rule_holds_or_leaves_alone_is_learned_all_the_same(tmp_path: Path) -> None:
    table = people(5_000, seed=31, wrong_dates=0.3)
    model = link(table.records, policy(tmp_path, NAMES_AND_DATE)).model
    assert 0.35 < table.agreeing("birth_date") < 0.5, "as the data were made"
    assert equal(model, "birth_date") == pytest.approx(table.agreeing("birth_date"), abs=0.1)
    assert "birth_date" not in unlearned(model.training)


@pytest.mark.parametrize(
    "column", ["phone", "iban"]
)  # which is compared beside others, and which blocks by itself
@pytest.mark.parametrize("filled", [0.05, 0.5])
def test_a_random_fourth_column_moves_little(tmp_path: Path, column: str, filled: float) -> None:
    table, rng = people(3_000, seed=36, wrong_dates=0.3), np.random.default_rng(7)
    number = len(table.records)
    values = [
        str(value) if there else None
        for value, there in zip(rng.integers(0, 1_000, number), rng.random(number) < filled, strict=True)
    ]
    records = table.records.assign(random=pd.Series(values, dtype=object))
    three = table.f1(link(records, policy(tmp_path, NAMES_AND_DATE)))
    four = table.f1(link(records, policy(tmp_path, f"{NAMES_AND_DATE}, {column}: random")))
    assert four == pytest.approx(three, abs=0.01)


def test_e_mail_and_phone_alone_find_those_who_share_one_exactly(tmp_path: Path) -> None:
    table = people(5_000, seed=32)
    shares = table.records[["record_id", "email", "phone"]].dropna(how="all", subset=["email", "phone"])
    known = Table(shares, table.truth[table.truth["record_id"].isin(shares["record_id"])])
    measured = evaluate(
        link(shares, policy(tmp_path, "email: email, phone: phone")).clusters,
        known.truth.assign(source="records"),
    ).pairs
    assert measured.precision > 0.9
    assert measured.recall > 0.58, "most others have one of the two missing on a side, or another one"


def test_what_no_rule_leaves_free_is_said_to_be_supposed(tmp_path: Path) -> None:
    table = people(1_500, seed=33)
    rules = "blocking: [{keys: [surname, birth_date]}, {keys: [surname, given_start]}]\n"
    result = link(table.records, policy(tmp_path, NAMES_AND_DATE, rules))
    assert "surname" in result.report["fit"]["never_learned"]
    assert "surname" in learned({"person": result.model})
    assert any(
        "surname was never learned" in text or "surname," in text for text in remarks(result.model.training)
    )
    free = "blocking: [{keys: birth_date}, {keys: [given_start, city]}, {keys: surname}]\n"
    columns = f"{NAMES_AND_DATE}, city: city"
    assert link(table.records, policy(tmp_path, columns, free)).report["fit"]["never_learned"] == []


def test_what_hardly_any_match_holds_is_said_and_is_nothing_to_mend(tmp_path: Path) -> None:
    table = people(1_500, seed=33)
    some = np.random.default_rng(5).random(len(table.records)) < 0.03
    seldom = table.records.assign(phone=table.records["phone"].where(some))
    result = link(seldom, policy(tmp_path, f"{NAMES_AND_DATE}, city: city, phone: phone"))
    assert "phone" in result.report["fit"]["never_learned"]
    said = remarks(result.model.training)
    assert any(text.startswith("hardly any match has phone on both sides") for text in said)
    assert learned({"person": result.model}) == ""


def test_a_prior_that_moves_has_not_settled_however_still_m_is() -> None:
    """One rule holds both comparisons: nothing is learned but how many matches there are."""
    levels = np.array([[1, 1], [1, -1], [1, 0]], dtype=np.int8)
    counted = Patterns(levels, np.ones((3, 1), dtype=bool), np.array([4_000.0, 3_000.0, 5_000.0]))
    chances = [UProbabilities(np.array([0.9999, 0.0001]), 0.9), UProbabilities(np.array([0.95, 0.05]), 0.9)]

    def fitted(tolerance: float) -> em.Fitted:
        return em.fit(
            counted,
            chances,
            np.ones((1, 2), dtype=bool),
            [False, False],
            10**8,
            relatives=False,
            iterations=2_000,
            tolerance=tolerance,
        )

    found = fitted(1e-4)
    assert found.converged
    assert found.iterations > 1
    assert found.prior == pytest.approx(fitted(1e-10).prior, rel=0.01)


def test_a_fit_goes_on_while_its_prior_moves_and_says_when_it_was_stopped(tmp_path: Path) -> None:
    table = people(3_000, seed=35, wrong_dates=0.3)
    full = table.records.assign(
        full_name=table.records["given_name"].fillna("") + " " + table.records["surname"].fillna("")
    )
    rules = (
        "blocking: [{keys: birth_date}, {keys: name_words}]\n"
        "derived: {name_words: {of: full_name, take: rare_tokens, length: 2}}\n"
        "comparisons: {full_name: {kind: text, columns: full_name, similarity: token_sort, at_least: [0.9, 0.7]}}\n"
        "thresholds: {not_alone: [full_name]}\n"
    )
    columns = "full_name: {column: full_name, clean: text}, birth_date: birth_date"
    short = policy(tmp_path, columns, f"{rules}training: {{iterations: 3}}\n")
    result = link(full, short)
    assert not result.report["fit"]["converged"]
    assert "stopped after 3 steps and had not settled" in " ".join(result.report["fit"]["remarks"])
    assert settled({"person": result.model}).startswith("person: the fit stopped after 3 steps")
    longer = short.model_copy(update={"training": short.training.model_copy(update={"iterations": 2_000})})
    rested = link(full, longer).model
    finer = longer.training.model_copy(update={"tolerance": 1e-6})
    finest = link(full, longer.model_copy(update={"training": finer})).model
    assert rested.training["converged"]
    assert rested.training["iterations"] > 3
    assert settled({"person": rested}) == ""
    assert rested.prior == pytest.approx(finest.prior, rel=0.05)
    assert remarks(rested.training) == ()


def test_an_untaught_level_weighs_no_more_than_equal_and_pulls_at_no_other() -> None:
    m, u = np.array([0.05, 0.1, 1e-5, 0.84999]), np.array([0.99, 0.006, 1e-9, 0.003999])
    seen = Rank(np.zeros(4, dtype=bool), np.array([False, False, True, False]))
    new_m, new_u = rising(m, u, seen)
    weights = new_m / new_u
    assert (np.diff(weights) >= -1e-9 * weights[-1]).all()
    np.testing.assert_allclose(weights[[0, 1, 3]], (m / u)[[0, 1, 3]], rtol=1e-3)
    above = np.array([0.05, 0.1, 0.8, 0.05]), np.array([0.99, 0.006, 1e-5, 0.003990])
    m, u = rising(*above, Rank.plain(4))
    assert (m / u)[3] == pytest.approx((m / u)[2]), (
        "equal never weighs less than likeness, however it was learned"
    )
    assert m.sum() == pytest.approx(1.0)


def test_no_level_of_a_fitted_model_weighs_more_than_equal(tmp_path: Path) -> None:
    table = people(3_000, seed=36)
    prefixed = table.records.assign(
        surname_prefix=np.array(["van", "", ""], dtype=object)[np.arange(3_000) % 3],
    )
    columns = f"{NAMES_AND_DATE}, surname_prefix: surname_prefix, postcode: postcode"
    model = link(prefixed, policy(tmp_path, columns)).model
    for name in ("surname", "birth_date", "address"):
        found = model.comparisons[name]
        weights = np.log2(np.array(found.m) / np.array(found.u))
        assert weights.max() <= weights[-1] + 1e-6, name


def test_contradictions_weigh_where_matches_show_them_and_forbid_where_they_do_not(tmp_path: Path) -> None:
    columns = f"{NAMES_AND_DATE}, postcode: postcode, house_number: house_number, email: email, phone: phone"
    asked = policy(tmp_path, columns)
    forbidding = asked.model_copy(
        update={"thresholds": asked.thresholds.model_copy(update={"may_cost": None})}
    )
    dirty = people(5_000, seed=37, wrong_dates=0.4, mixed_names=0.3)
    weighed, forbidden = link(dirty.records, asked), link(dirty.records, forbidding)
    assert weighed.model.outweighed == (("birth_date", "given_name"),)
    assert forbidden.model.outweighed == ()
    assert dirty.f1(weighed) > dirty.f1(forbidden) + 0.03
    assert LinkageModel.from_json(weighed.model.to_json()) == weighed.model
    clean = people(5_000, seed=38)
    assert link(clean.records, asked).model.outweighed == ()


def test_expected_figures_are_of_what_was_linked(tmp_path: Path) -> None:
    table = people(4_000, seed=39)
    asked = policy(tmp_path, f"{NAMES_AND_DATE}, postcode: postcode, email: email")
    result = link(table.records, asked)
    expected = result.report["expected_linked"]
    measured = evaluate(result.clusters, table.truth.assign(source="records")).pairs
    assert expected["precision"] == pytest.approx(measured.precision, abs=0.03)
    apart = replace(result.model, match=0.999999, names_suffice=False)
    strict = link(table.records, asked, model=apart).report["expected_linked"]
    assert strict["recall"] < expected["recall"]
    assert strict["pairs"] < expected["pairs"]
