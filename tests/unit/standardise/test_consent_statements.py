"""Statements of consent in canonical words, whatever a source calls them."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.standardise import standardise
from cdm_pipelines.standardise.consent_words import ConsentWords, ConsentWordsError, shipped

CONTRACTS = {contract.name: contract for contract in all_contracts()}


def rows(name: str | SourceContract, *given: dict[str, str]) -> list[dict[str, str | None]]:
    contract = CONTRACTS[name] if isinstance(name, str) else name
    columns = {one: pa.array([row.get(one) for row in given], pa.string()) for one in contract.column_names}
    origin = {
        "_file": pa.array(["f"] * len(given)),
        "_row": pa.array(range(2, len(given) + 2), pa.int64()),
        "_sha256": pa.array(["0"] * len(given)),
    }
    made = standardise(pa.table({**columns, **origin}), contract, "2026-06-01")
    found: list[dict[str, str | None]] = made.tables[Entity.CONSENT].to_pylist()
    return found


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Subscribed", "given"),
        ("opt-in", "given"),
        ("JA", "given"),
        ("1", "given"),
        ("true", "given"),
        ("yes", "given"),
        ("On", "given"),
        ("no", "refused"),
        ("OFF", "refused"),
        ("false", "refused"),
        ("Unsubscribed", "withdrawn"),
        ("opt_out", "withdrawn"),
        ("nee", "refused"),
        ("0", "refused"),
        ("Do not contact", "objected"),
        ("pending", "nothing"),
        ("perhaps", None),
    ],
)
def test_words_of_states(word: str, state: str | None) -> None:
    assert shipped().state(pa.array([word])).to_pylist() == [state]


def test_row_is_a_statement_in_canonical_words() -> None:
    one, other = rows(
        "mail/consent",
        {
            "Consent ID": "1",
            "Email Address": " Jan@X.nl ",
            "Topic": "Newsletter",
            "Status": "unsubscribed",
            "Timestamp": "2026-05-01 10:00:00",
        },
        {
            "Consent ID": "2",
            "Visitor ID": "v",
            "Topic": "Star signs",
            "Status": "hm",
            "Timestamp": "9999-12-31 12:00:00",
        },
    )
    assert (one["party_email"], one["purpose"], one["channel"], one["state"], one["stated_at"]) == (
        "jan@x.nl", "marketing", "email", "withdrawn", "2026-05-01T08:00:00Z",
    )  # fmt: skip
    assert (other["token"], other["purpose"], other["state"], other["stated_at"]) == (
        "v", "star_signs", "unknown", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "stated"),
    [
        ("9999-12-31 00:00:00", None),
        ("1970-01-01 00:00:00", None),
        ("1900-01-01 00:00:00", None),
        ("2026-05-01 00:00:00", "2026-04-30T22:00:00Z"),
    ],
)
def test_midnight_of_a_day_that_stands_for_none_is_none_in_any_zone(written: str, stated: str | None) -> None:
    said = {"Consent ID": "1", "Email Address": "jan@x.nl", "Topic": "Newsletter", "Status": "subscribed"}
    (one,) = rows("mail/consent", {**said, "Timestamp": written})
    assert one["stated_at"] == stated


@pytest.mark.parametrize(
    ("constants", "channel"),
    [({}, None), ({"consent.channel": "E-mail"}, "email"), ({"consent.channel": "carrier pigeon"}, "other")],
)
def test_without_a_channel_it_is_about_every_channel_and_an_unknown_one_is_another(
    constants: dict[str, str], channel: str | None
) -> None:
    contract = replace(CONTRACTS["mail/consent"], constants=constants)
    said = {"Consent ID": "1", "Email Address": "jan@x.nl", "Topic": "Newsletter", "Status": "subscribed"}
    (one,) = rows(contract, {**said, "Timestamp": "2026-05-01 10:00:00"})
    assert one["channel"] == channel


def test_a_tick_has_the_moment_of_its_column_and_none_where_that_stands_for_none() -> None:
    contract = CONTRACTS["crm/contact"]
    tick = replace(contract.statements[0], at="CreatedDate")
    moments = ("2026-05-01T10:00:00", "9999-12-31T00:00:00", "")
    found = rows(
        replace(contract, statements=(tick,)),
        *(
            {"Id": f"0037Q00000Fenna{n}AA", tick.column: "true", "CreatedDate": moment}
            for n, moment in enumerate(moments)
        ),
    )
    assert [row["stated_at"] for row in found] == ["2026-05-01T08:00:00Z", None, None]


def test_opt_outs_of_a_record_are_statements_of_their_own_and_empty_ones_none() -> None:
    found = rows(
        "crm/contact",
        {"Id": "0037Q00000Fenna1AA", "HasOptedOutOfEmail": "true", "DoNotCall": "false"},
        {"Id": "0037Q00000Evert2AA", "HasOptedOutOfEmail": "false"},
    )
    said = {(row["party_id"], row["channel"]): row["state"] for row in found}
    assert said == {
        ("0037Q00000Fenna1AA", "email"): "objected",
        ("0037Q00000Fenna1AA", "phone"): "nothing",
        ("0037Q00000Evert2AA", "email"): "nothing",
    }
    assert len({row["record_id"] for row in found}) == 3


def test_tick_means_what_it_says_though_another_target_reads_its_opposite() -> None:
    found = rows(
        "shop/customer",
        {"Customer ID": "1", "Accepts Email Marketing": "yes"},
        {"Customer ID": "2", "Accepts Email Marketing": "no"},
    )
    assert [(row["party_id"], row["state"]) for row in found] == [("1", "given"), ("2", "nothing")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("states: {maybe: [x]}\nnothing: []\nchannels: {}\npurposes: {}", "there is no maybe"),
        ("states: {given: [x], refused: [X]}\nnothing: []\nchannels: {}\npurposes: {}", "x has two meanings"),
        ("states: {given: [x]}\nnothing: [x]\nchannels: {}\npurposes: {}", "x has two meanings"),
        ("states: [", "cannot be read as YAML"),
        (
            "states: {given: [yes]}\nnothing: []\nchannels: {}\npurposes: {}",
            r"states\.given: .* YAML reads as true; .*quotation marks",
        ),
        (
            "states: {}\nnothing: [~]\nchannels: {}\npurposes: {}",
            r"nothing: .* no word at all; .*quotation marks",
        ),
        ("states: 2026-02-30", "states: Input should be a valid dictionary"),
        ("nothing: [n\udce9n]", "cannot be read as YAML"),
        ("states: {}", "nothing: Field required"),
    ],
)
def test_file_of_words_is_refused_with_its_name_and_what_to_mend(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "consent_words.yaml").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ConsentWordsError, match=problem) as refused:
        ConsentWords.load(tmp_path)
    assert "consent_words.yaml" in str(refused.value)
