"""Which names of organisations are taken for one, and tables that hold little but names."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from cdm_pipelines.linkage import LinkagePolicy, load_policy
from cdm_pipelines.linkage.compare.comparers import Comparer
from cdm_pipelines.linkage.encode.organisation import organisation_name
from cdm_pipelines.linkage.encode.records import encode
from cdm_pipelines.linkage.engines.local import link
from cdm_pipelines.linkage.model.fellegi_sunter import LinkageModel
from cdm_pipelines.linkage.model.scoring import PairScorer

DIFFERENT, SOME, MOST, WITHIN_MORE, WITHIN, ACRONYM, SPELLED, EQUAL = range(8)


def policy(folder: Path, *, branches: str = "apart", **columns: str) -> LinkagePolicy:
    spelled = {
        "extends": "organisation",
        "id": "id",
        "source": None,
        "columns": columns or {"organisation_name": "name"},
        "comparisons": {"name": {"branches": branches}},
    }
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(spelled), encoding="utf-8")
    return load_policy(path)


def level(
    folder: Path, one: str, other: str, towns: tuple[str, str] | None = None, branches: str = "apart"
) -> int:
    table = pd.DataFrame({"id": ["1", "2"], "name": [one, other]})
    columns = {"organisation_name": "name"}
    if towns:
        table["city"] = towns
        columns["city"] = "city"
    how = policy(folder, branches=branches, **columns)
    comparer = Comparer(encode(table, how), how)
    a, b = np.array([0], np.int32), np.array([1], np.int32)
    found = comparer.by_name["name"].levels(a, b)
    assert found == comparer.by_name["name"].levels(b, a)
    return int(found[0])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Philips Lighting B.V.", "philips lighting"),
        ("BV Philips Lighting", "philips lighting"),
        ("Siemens A.G.", "siemens"),
        ("Siemens Aktiengesellschaft", "siemens"),
        ("Nokia Oyj", "nokia"),
        ("Hitachi Kabushiki Kaisha", "hitachi"),
        ("BHP Group Pty. Ltd.", "bhp group"),
        ("Fiat S.p.A.", "fiat"),
        ("Müller GmbH & Co. KG", "muller"),
        ("Stichting De Molen", "de molen"),
        ("Jansen v.o.f.", "jansen"),
        ("I.B.M. Corp.", "ibm"),
        ("Société Générale S.A.", "societe generale"),
        ("Spa Zuiver", "spa zuiver"),
        ("Limited", "limited"),
    ],
)
def test_legal_forms_of_any_country_are_no_part_of_a_name(written: str, words: str) -> None:
    import pyarrow as pa  # noqa: PLC0415

    from cdm_pipelines.linkage.encode.clean import clean  # noqa: PLC0415

    assert clean(pa.array([written]), "organisation").to_pylist() == [words]
    assert organisation_name(words) == words


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("University of Twente", "Twente Univ.", EQUAL),
        ("Universität Leipzig", "Leipzig University", EQUAL),
        ("Bakker & Zonen B.V.", "Bakker en Zn.", EQUAL),
        ("Bakker und Söhne GmbH", "Bakker and Sons", EQUAL),
        ("AlbertHeijn", "Albert Heijn B.V.", EQUAL),
        ("Koninklijke Luchtvaart Maatschappij N.V.", "KLM", ACRONYM),
        ("International Business Machines Corp", "I.B.M.", ACRONYM),
        ("TU Delft", "Technische Universiteit Delft", SPELLED),
        ("Acme Manufacturing Intl", "Acme Mfg. International Ltd", EQUAL),
        ("Koninklijke Philips Electronics", "Koninklijke Philps Elektronica NV", SPELLED),
        ("Novagraaf Precision", "Novagraaf Prec.", SPELLED),
        ("Philips", "Philips Lighting B.V.", WITHIN),
        ("Philips Lighting", "Philips Medical Systems", SOME),
        ("Basisschool 12 De Regenboog", "Basisschool 14 De Regenboog", SOME),
        ("Jansen Transport", "De Vries Transport", DIFFERENT),
    ],
)
def test_names_are_compared_word_by_word(tmp_path: Path, one: str, other: str, expected: int) -> None:
    assert level(tmp_path, one, other) == expected


def test_branches_of_a_chain_are_customers_of_their_own_unless_a_company_says_otherwise(
    tmp_path: Path,
) -> None:
    one, other, towns = "Albert Heijn Amsterdam", "Albert Heijn Utrecht", ("Amsterdam", "Utrecht")
    assert level(tmp_path, one, other, towns) < WITHIN_MORE
    assert level(tmp_path, one, other, towns, branches="together") == EQUAL
    assert level(tmp_path, "Albert Heijn Amsterdam B.V.", "Albert Heijn", ("Amsterdam", "Amsterdam")) == EQUAL


def _names(groups: int) -> pd.DataFrame:
    dice = np.random.default_rng(3)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(dice.choice(letters, 7)).title() for _ in range(groups)]
    rows = [
        (f"{number}-{k}", name, "Breda" if number % 2 else "Lyon", "NL" if number % 2 else "FR")
        for number, word in enumerate(words)
        for k, name in enumerate((f"{word} Transport B.V.", f"{word} Transport", f"Transport {word} BV"))
    ]
    return pd.DataFrame(rows, columns=["id", "name", "city", "country"])


@pytest.mark.parametrize("more", [(), ("city",), ("city", "country")])
def test_tables_of_little_but_names_are_linked(tmp_path: Path, more: tuple[str, ...]) -> None:
    table = _names(150)
    own = policy(tmp_path, organisation_name="name", **{name: name for name in more if name == "city"})
    if "country" in more:
        spelled = own.model_dump(mode="json", exclude={"folder"})
        spelled["columns"]["country"] = {"column": "country"}
        spelled["comparisons"]["country"] = {"kind": "exact", "column": "country"}
        own = LinkagePolicy.model_validate(spelled)
    found = link(table[["id", "name", *more]], own)
    groups = found.clusters.assign(group=found.clusters["record_id"].str.split("-").str[0])
    assert groups.groupby("group")["cluster_id"].nunique().eq(1).all()
    assert groups.groupby("cluster_id")["group"].nunique().eq(1).all()


def test_pairs_weigh_the_same_in_any_batch_and_in_a_model_that_was_written_down(tmp_path: Path) -> None:
    table = _names(80).assign(
        name=lambda t: t["name"].where(t.index % 5 > 0, t["name"].str[:-1] + " Holding")
    )
    own = policy(tmp_path, organisation_name="name", city="city")
    found = link(table, own)
    pairs = found.pairs
    model = LinkageModel.from_json(found.model.to_json())
    assert model == found.model
    scorer = PairScorer(own, model)
    rows = table.set_index("id", drop=False)
    left, right = rows.loc[pairs["left_id"]], rows.loc[pairs["right_id"]]
    whole = scorer.score(left, right).weight
    one_by_one = [scorer.score(left.iloc[[k]], right.iloc[[k]]).weight[0] for k in range(0, len(pairs), 17)]
    assert whole[::17].tolist() == one_by_one
    assert whole.tolist() == pairs["weight"].tolist()


def test_agreement_on_a_rare_word_weighs_more_than_on_a_common_one(tmp_path: Path) -> None:
    table = _names(80)
    table["name"] = table["name"].str.replace("Transport", "Velomar")
    found = link(table, policy(tmp_path))
    scorer = PairScorer(policy(tmp_path), found.model)
    rare = next(word for word in table["name"][0].split() if word != "Velomar")
    one = pd.DataFrame({"id": ["a", "b"], "name": [f"{rare} Alfavo", "Velomar Alfavo"]})
    other = pd.DataFrame({"id": ["c", "d"], "name": [f"{rare} Betiwu", "Velomar Betiwu"]})
    scored = scorer.score(one, other)
    assert scored.levels[0].tolist() == scored.levels[1].tolist()
    assert scored.weight[0] > scored.weight[1] + 1
