"""What is sealed tells nothing and can be compared; what is opened is what was sealed."""

import datetime as dt
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdm_pipelines.store.cipher import Cipher, CipherError, hidden

DAY = dt.date(2026, 6, 1)
ONE = Cipher().with_new_key(DAY)
TWO = ONE.with_new_key(DAY)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.none() | texts, max_size=8))
def test_what_was_sealed_is_opened_whatever_it_says(values: list[str | None]) -> None:
    column = pa.chunked_array([pa.array(values, pa.string())])
    sealed = ONE.seal(column)
    assert ONE.open(sealed).to_pylist() == values
    assert TWO.open(sealed).to_pylist() == values
    assert TWO.open(TWO.seal_again(sealed)).to_pylist() == values
    assert all(one is None or one.startswith("enc:2:") for one in TWO.seal_again(sealed).to_pylist())


@given(texts, texts)
def test_sealed_texts_are_equal_where_their_values_are(one: str, other: str) -> None:
    sealed = ONE.seal(pa.array([one, other, one])).to_pylist()
    assert sealed[0] == sealed[2]
    assert (sealed[0] == sealed[1]) == (one == other)
    assert Cipher().with_new_key(DAY).seal(pa.array([one])).to_pylist() != [sealed[0]]
    cleaned = "".join(c for c in sealed[0].upper() if c.isalnum())
    assert cleaned == sealed[0].replace(":", "").upper()


@pytest.mark.parametrize(
    "text", ["enc:1:", "enc:1:AAAA", "enc:9:AAAA", "enc:x:AAAA", "enc:1:a b", "enc:", "enc:1:é"]
)
def test_what_only_looks_sealed_is_left_as_it_is(text: str) -> None:
    assert ONE.open(pa.array([text])).to_pylist() == [text]
    assert ONE.open(ONE.seal(pa.array([text]))).to_pylist() == [text]


def test_what_was_altered_is_not_opened() -> None:
    (sealed,) = ONE.seal(pa.array(["NL91ABNA0417164300"])).to_pylist()
    altered = sealed[:-3] + ("A" if sealed[-3] != "A" else "B") + sealed[-2:]
    assert ONE.open(pa.array([altered])).to_pylist() == [altered]


def test_what_is_under_a_former_key_is_known() -> None:
    old, new = ONE.seal(pa.array(["a", None])), TWO.seal(pa.array(["a", "enc:1:AA no"]))
    assert TWO.outdated(old)
    mixed = pa.array(["plain", old[0].as_py()])
    assert TWO.seal_again(mixed).to_pylist() == ["plain", new[0].as_py()]
    assert not TWO.outdated(new)
    assert not ONE.outdated(old)
    assert not TWO.outdated(pa.array([None, "plain"], pa.string()))
    assert hidden(pa.chunked_array([old, new])).to_pylist() == [
        "(encrypted)",
        None,
        "(encrypted)",
        "(encrypted)",
    ]


def test_keys_are_kept_by_their_owner_alone_and_the_first_to_write_them_wins(tmp_path: Path) -> None:
    path, kept = tmp_path / "privacy" / "keys", []
    threads = [
        threading.Thread(target=lambda: kept.append(Cipher().with_new_key(DAY).write_first(path).keys))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == Cipher.of(path).keys for one in kept)
    assert len(kept) == len(threads)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["keys"]
    assert Cipher.of(path).number == 1


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[[1]]", b'[[1, "2026-06-01", "00"]]', b"\xff", b'[["a", "x", "y"]]', b"[1]"]
)
def test_a_file_of_something_else_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    if content == b"{}":
        assert Cipher.of(tmp_path / "keys").number == 0
        return
    with pytest.raises(CipherError, match="put it back from a copy"):
        Cipher.of(tmp_path / "keys")


def test_keys_are_in_no_text_of_theirs() -> None:
    assert ONE.keys[1][1].hex() not in repr(ONE)


def test_keys_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for write in (ONE.write, ONE.write_first):
        with pytest.raises(CipherError, match=r"cannot be written to .*CDM_PROTECTION_KEYS"):
            write(tmp_path / "file" / "keys")
    with pytest.raises(CipherError, match="does not hold the keys"):
        Cipher.of(tmp_path)
