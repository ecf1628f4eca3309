"""YAML that people write: what is read, and what is refused with its place."""

from datetime import date
from pathlib import Path

import pytest

from cdm_pipelines.yaml_files import YamlError, parse_documents, parse_yaml, read_yaml


def test_dates_and_what_is_brought_in_by_reference_are_read() -> None:
    text = "base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\nday: 2026-06-01\nno_day: 2026-02-30\n"
    assert parse_yaml(text) == {
        "base": {"a": 1, "b": 2},
        "own": {"a": 1, "b": 3},
        "day": date(2026, 6, 1),
        "no_day": "2026-02-30",
    }
    assert parse_documents("a: 1\n---\na: 2\n") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("a: 1\nb: {c: 1, c: 2}\n", "c is given twice (line 2)", 2),
        ("a: 1\nb: [\n", "cannot be read as YAML (line 3: did not find expected node content)", 3),
        ("a: !!map x\n", "cannot be read as YAML (line 1: ", 1),
        ("a: !!python/object:os.system x\n", "cannot be read as YAML (line 1: ", 1),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str, told: str, line: int) -> None:
    with pytest.raises(YamlError) as refused:
        parse_yaml(text)
    assert str(refused.value).startswith(told)
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "FileNotFoundError"), (b"a: \xff\n", "UnicodeDecodeError"), (b"\0", "ReaderError")],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "policy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(YamlError, match=told):
        read_yaml(path)
