"""For whom a purpose is off, from what they said; and what that means for a profile."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdm_pipelines.privacy.off import NOBODY, OFF_SCHEMA, off, off_for, withheld
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.settings import load_settings

PURPOSES = Purposes.load(load_settings().policies / "purposes.yaml")
CONSENT = pa.schema(
    [("golden_id", pa.string()), ("purpose", pa.string()), ("channel", pa.string()), ("allowed", pa.bool_())]
)
EVERYBODY = ["anna", "bram", "cato"]
Said = tuple[str, str, str, bool | None]


def effective(*said: Said) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(CONSENT.names, one, strict=True)) for one in said], CONSENT)


def who(purpose: str, *said: Said, channel: str = "") -> list[str]:
    """Of whom data may not be used."""
    found = off(effective(*said), PURPOSES, pa.array(EVERYBODY), [(purpose, channel)])
    result: list[str] = off_for(found, purpose, channel).to_pylist()
    return result


TABLE: list[tuple[str, str, list[Said], str, list[str]]] = [
    ("without a word nobody has consented", "marketing", [], "", EVERYBODY),
    ("without a word nobody has objected", "analytics", [], "", []),
    ("a yes is a consent", "marketing", [("anna", "marketing", "", True)], "", ["bram", "cato"]),
    ("no answer is no yes", "marketing", [("anna", "marketing", "", None)], "", EVERYBODY),
    ("a no is an objection", "analytics", [("anna", "analytics", "", False)], "", ["anna"]),
    ("a contract cannot be objected to", "service", [("anna", "service", "", False)], "", []),
    ("a law cannot be objected to", "legal_duty", [("anna", "legal_duty", "", False)], "", []),
    ("another purpose's answer says nothing", "analytics", [("anna", "marketing", "", False)], "", []),
    ("a yes by e-mail is one to it", "marketing", [("anna", "marketing", "email", True)], "", ["bram", "cato"]),
    ("but not by phone", "marketing", [("anna", "marketing", "email", True)], "phone", EVERYBODY),
    ("a no by e-mail leaves the purpose", "analytics", [("anna", "analytics", "email", False)], "", []),
    ("and closes e-mail", "analytics", [("anna", "analytics", "email", False)], "email", ["anna"]),
    ("a general no closes each channel", "analytics", [("anna", "analytics", "", False)], "phone", ["anna"]),
    (
        "of a general yes and a no to a channel the no counts there",
        "marketing",
        [("anna", "marketing", "", True), ("anna", "marketing", "email", False)],
        "email",
        EVERYBODY,
    ),
    (
        "of a general no and a yes to a channel the no counts",
        "marketing",
        [("anna", "marketing", "", False), ("anna", "marketing", "email", True)],
        "email",
        EVERYBODY,
    ),
    ("who is no customer is left out", "analytics", [("zeno", "analytics", "", False)], "", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("purpose", "said", "channel", "expected"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_for_whom_a_purpose_is_off(purpose: str, said: list[Said], channel: str, expected: list[str]) -> None:
    assert who(purpose, *said, channel=channel) == expected


_SAID = st.tuples(
    st.sampled_from([*EVERYBODY, "zeno"]),
    st.sampled_from(["marketing", "analytics", "service", "unknown"]),
    st.sampled_from(["", "email", "phone"]),
    st.sampled_from([True, False, None]),
)


@given(st.lists(_SAID, max_size=12), st.randoms(use_true_random=False), _SAID)
def test_a_further_no_never_lets_more_happen_and_order_means_nothing(
    said: list[Said], order: Any, one: Said
) -> None:
    golden_id, purpose, channel, _ = one
    asked = [(key, c) for key in ("marketing", "analytics") for c in ("", "email")]
    before = off(effective(*said), PURPOSES, pa.array(EVERYBODY), asked)
    shuffled = list(said)
    order.shuffle(shuffled)
    assert off(effective(*shuffled), PURPOSES, pa.array(EVERYBODY), asked).equals(before)
    after = off(effective(*said, (golden_id, purpose, channel, False)), PURPOSES, pa.array(EVERYBODY), asked)
    rows = {tuple(row.values()) for row in before.to_pylist()}
    assert rows <= {tuple(row.values()) for row in after.to_pylist()}


def test_whose_profile_leaves_something_out_is_told_with_what() -> None:
    table = pa.Table.from_pylist(
        [
            {"purpose": purpose, "channel": "", "golden_id": golden_id}
            for purpose, golden_id in [
                ("billing", "bram"),
                ("analytics", "anna"),
                ("analytics", "bram"),
                ("analytics", "zeno"),
            ]
        ],
        OFF_SCHEMA,
    )
    told = withheld(table, PURPOSES, ["rfm", "churn", "payment", "quality"], pa.array(EVERYBODY))
    assert told.to_pylist() == [
        {"golden_id": "anna", "enrichers": "churn, rfm", "purposes": "analytics"},
        {"golden_id": "bram", "enrichers": "churn, payment, rfm", "purposes": "analytics, billing"},
    ]
    assert withheld(NOBODY, PURPOSES, ["rfm"], pa.array(EVERYBODY)).num_rows == 0


def test_an_enricher_goes_on_while_one_of_its_purposes_is_on(tmp_path: Path) -> None:
    text = PURPOSES.path.read_text(encoding="utf-8")
    path = tmp_path / "purposes.yaml"
    path.write_text(text.replace("enrichers: [preference, basket]", "enrichers: [preference, basket, rfm]"))
    both = Purposes.load(path)
    first = pa.table([["analytics"], [""], ["anna"]], schema=OFF_SCHEMA)
    second = pa.table([["personalisation"], [""], ["anna"]], schema=OFF_SCHEMA)
    assert withheld(first, both, ["rfm"], pa.array(EVERYBODY)).num_rows == 0
    [row] = withheld(pa.concat_tables([first, second]), both, ["rfm"], pa.array(EVERYBODY)).to_pylist()
    assert row == {"golden_id": "anna", "enrichers": "rfm", "purposes": "analytics, personalisation"}


def test_an_objection_through_one_channel_keeps_nothing_out_of_the_profile() -> None:
    table = pa.table([["analytics"], ["email"], ["anna"]], schema=OFF_SCHEMA)
    assert withheld(table, PURPOSES, ["rfm"], pa.array(EVERYBODY)).num_rows == 0
