"""Hashes of blocking keys in the files of a link state: hidden, shown again bit for bit, useless without the key."""

import json
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdm_pipelines.linkage.encode.hashes import hashed
from cdm_pipelines.steps.linking.hidden import ShownColumns, hidden, shown
from cdm_pipelines.store.secret import Secret, SecretError

ONE, OTHER = Secret(b"1" * 32), Secret(b"2" * 32)
NUMBERS = st.integers(0, 2**64 - 1)
BORN = hashed(pa.array([f"19{year:02d}-04-23" for year in range(100)]))


def table_of(keys: list[tuple[int, int]], plan: list[int | None]) -> pa.Table:
    flat = pa.array(np.array(keys, np.uint64).ravel())
    return pa.table(
        {
            "0": pa.FixedSizeListArray.from_arrays(flat, 2),
            "key": pa.array(plan, pa.uint64()),
            "count": pa.array(range(len(plan)), pa.int64()),
        }
    )


@given(st.integers(0, 20).flatmap(lambda n: st.tuples(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=n, max_size=n),
    st.lists(st.none() | NUMBERS, min_size=n, max_size=n),
)))  # fmt: skip
def test_what_is_hidden_is_shown_again_bit_for_bit(
    drawn: tuple[list[tuple[int, int]], list[int | None]],
) -> None:
    table = table_of(*drawn)
    kept, name = hidden(table, ONE)
    assert kept.schema == table.schema
    assert shown(kept, name, ONE).equals(table)
    pieces = pa.concat_tables([kept.slice(0, 3), kept.slice(3)])
    assert shown(pieces, name, ONE).equals(table)
    assert hidden(table, ONE)[0].equals(kept), "the same state makes the same file"
    column = kept["0"].combine_chunks().flatten().to_numpy().reshape(-1, 2)
    lists = ShownColumns([column], name, ONE)
    assert lists[0].tolist() == [list(pair) for pair in drawn[0]]
    assert [one.shape for one in lists[:1]] == [column.shape]


def numbers(table: pa.Table) -> set[int]:
    return {int(n) for n in table["0"].combine_chunks().flatten().to_numpy()} | set(table["key"].to_pylist())


def test_whoever_knows_how_hashes_are_made_finds_none_in_the_file() -> None:
    found = [int(one) for one in BORN]
    table = table_of([(found[0], found[0]), (found[1], 0)], [found[2], found[0]])
    kept, name = hidden(table, ONE)
    assert not numbers(kept) & {*found, 0}
    assert len(numbers(kept)) == 6, "nor which of them are equal"
    assert not numbers(shown(kept, name, OTHER)) & set(found)
    assert not numbers(hidden(table, OTHER)[0]) & numbers(kept)


def test_two_tables_share_no_stream() -> None:
    """The difference of two numbers hidden under one stream would be that of what they hide."""
    first, second = (table_of([(int(BORN[n]), 0)], [0]) for n in (0, 1))
    kept = [hidden(table, ONE)[0]["key"][0].as_py() for table in (first, second)]
    assert kept[0] != kept[1]


def test_a_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    secret = Secret.of(home)
    assert Secret.of(home) == secret != Secret.of(tmp_path)
    [path] = home.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret.key.hex() not in repr(secret)
    assert secret.digest(b"a") == secret.digest(b"a") != secret.digest(b"b")


def test_a_secret_that_was_cut_off_is_told(tmp_path: Path) -> None:
    Secret.of(tmp_path)
    (tmp_path / "secret.key").write_bytes(b"")
    with pytest.raises(SecretError, match="put it back from a backup"):
        Secret.of(tmp_path)


def test_a_digest_is_of_this_deployment_only() -> None:
    text = json.dumps(["+31101234567"]).encode()
    assert ONE.digest(text) != OTHER.digest(text)
    assert len(ONE.digest(text)) == 32
