"""What is no token, the policy of interactions, and for which days its rules hold."""

from pathlib import Path

import pytest
from interaction_tables import SHIPPED, database, rules

from cdm_pipelines.enrichment.tokens import (
    LONGEST,
    Era,
    InteractionPolicy,
    InteractionPolicyError,
    canonical_sql,
    eras_as_json,
    eras_from_json,
    eras_now,
    is_none_sql,
)

NO_TOKENS = [
    *("null", "NULL", "Null", '"null"', "'undefined'", "undefined", "anonymous", "ANONYMOUS", "NaN", "nan"),
    *(
        "None",
        "none",
        "(none)",
        "<null>",
        "[object Object]",
        "[Object object]",
        "[OBJECT OBJECT]",
        "-1",
        "-",
        "--",
    ),
    *(
        "0",
        "0000",
        "0-0",
        "0.0",
        "00000000-0000-0000-0000-000000000000",
        '"0"',
        "“null”",
        " null ",
        "\tnull\n",
    ),
    *(
        "{00000000-0000-0000-0000-000000000000}",
        "%5Bobject%20Object%5D",
        "%22null%22",
        '"\\"null\\""',
        "[]",
        "{}",
    ),
    *("null.null", "undefined_undefined", "undefined|null", "(not set)", "unknown", "", " ", '""', "''"),
    *("x" * 257, "x" * 10_000, "null" * 5_000),
]
TOKENS = [
    *(
        "abc",
        "1234567890.0987654321",
        "GA1.2.1234567890.1234567890",
        "10",
        "0a",
        "a0",
        "-10",
        "nullify",
        "nullable",
    ),
    *(
        "anonymous-7f3a",
        "none-such-device",
        "userx",
        "x" * 256,
        '"abc"',
        "b6a1e7e0-0000-0000-0000-000000000000",
    ),
    *("unknown-device-4711", "é", "设备一"),
]


def verdict(token: str) -> bool:
    """Whether a token is none, under the rules of the package."""
    with database() as db:
        query = f"SELECT c IS NULL OR {is_none_sql('c', SHIPPED.rules)} FROM (SELECT {canonical_sql('$token')} AS c)"
        ((found,),) = db.execute(query, {"token": token}).fetchall()
    return bool(found)


@pytest.mark.parametrize("token", NO_TOKENS, ids=lambda one: repr(one[:40]))
def test_what_stands_for_no_token(token: str) -> None:
    assert verdict(token)


@pytest.mark.parametrize("token", TOKENS, ids=lambda one: repr(one[:40]))
def test_what_is_a_token(token: str) -> None:
    assert not verdict(token)


def test_quotes_are_no_part_of_a_token_and_a_long_one_is_kept_short() -> None:
    with database() as db:
        ((quoted, long),) = db.execute(
            f"SELECT {canonical_sql('$one')}, length({canonical_sql('$other')})",
            {"one": "\"'abc'\" ", "other": "x" * 10_000},
        ).fetchall()
    assert (quoted, long) == ("abc", LONGEST + 1)


# The policy


def policy(tmp_path: Path, text: str) -> InteractionPolicy:
    path = tmp_path / "interactions.yaml"
    path.write_text(text, encoding="utf-8")
    return InteractionPolicy.load(path)


def test_a_folder_without_the_file_has_that_of_the_package(tmp_path: Path) -> None:
    assert InteractionPolicy.load(tmp_path / "interactions.yaml") == SHIPPED


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 2", "version"),
        ("version: 1\nlookback: 3", "lookback"),
        ("version: 1\nlook_back_days: -1", "look_back_days"),
        ("version: 1\ncustomers_per_token: 0", "customers_per_token"),
        ("version: 1\ncustomers_per_token: 11", "customers_per_token"),
        ("version: 1\nlongest_token: 100000", "longest_token"),
        ("version: 1\nno_token_patterns: ['(?=a)']", "no regular expression"),
        ("version: 1\nno_token_patterns: ['[']", "no regular expression"),
        ("version: 1\nno_tokens: ['']", "no_tokens.0"),
        ("version: 1\napply_to: some", "apply_to"),
        ("version: [", "cannot be read as YAML"),
        ("- a", "interactions.yaml"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InteractionPolicyError, match=r"interactions\.yaml") as raised:
        policy(tmp_path, text)
    assert told in str(raised.value)


# Eras


def of(apply_to: str, **changed: object) -> InteractionPolicy:
    return InteractionPolicy.model_validate(
        rules(**changed).model_dump() | {"version": 1, "apply_to": apply_to}
    )


def test_rules_that_hold_for_what_is_new_leave_former_days_to_the_former_rules() -> None:
    first = eras_now((), of("new"), "")
    assert first == (Era("", rules()),)
    assert eras_now(first, of("new"), "2026-06-03") == first
    second = eras_now(first, of("new", look_back_days=30), "2026-06-03")
    assert second == (Era("", rules()), Era("2026-06-03", rules(look_back_days=30)))
    assert eras_now(second, of("new", look_back_days=30), "2026-06-09") == second
    again = eras_now(second, of("new", look_back_days=10), "2026-06-03")  # no day came under those of 30
    assert again == (Era("", rules()), Era("2026-06-03", rules(look_back_days=10)))
    assert eras_from_json(eras_as_json(again)) == again


def test_rules_that_hold_for_all_leave_no_former_ones() -> None:
    before = (Era("", rules()), Era("2026-06-03", rules(look_back_days=30)))
    assert eras_now(before, of("all", look_back_days=30), "2026-06-09") == (
        Era("", rules(look_back_days=30)),
    )
