"""Tables of postcodes: the Dutch one that is shipped, and a company's own.

Belongs here: reading and checking such tables. Does not belong here: what is told of a customer by them (``location``).

A table is CSV in UTF-8 with a row per postcode, or per beginning of postcodes ("1012" for 1012 AB), and the columns
``postcode, place, municipality, province, latitude, longitude``; ``other_spellings`` of the place with semicolons
between, ``area_code`` and ``use`` (address, po_box or both) may be there too. Whatever but the postcode may be empty.
The shipped table is that of the project 4pp, MIT licence, state of 2019: ``reference/nl_postcode4.LICENSE``.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

_NEEDED = ("postcode", "place", "municipality", "province", "latitude", "longitude")
_BESIDE = ("other_spellings", "area_code", "use")
_Column = pa.Array | pa.ChunkedArray
_USES = ("address", "po_box", "both")
SCHEMA = pa.schema(
    [
        ("country", pa.string()),
        ("code", pa.string()),
        *(
            (name, pa.string())
            for name in ("place", "other_spellings", "municipality", "province", "area_code")
        ),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("use", pa.string()),
    ]
)
"""Tables of postcodes as they are looked up; ``code`` is in capitals without anything between."""


class PostcodeTableError(ValueError):
    """A table of postcodes that cannot be used; the text names the file, the line, and the fix."""


class PostcodeTable(BaseModel):
    """A company's own table: where it lies, and the fingerprint of what is in it.

    It is read and checked when it is named; relative paths start at the folder of the policies.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: Path
    digest: str

    @model_validator(mode="before")
    @classmethod
    def _read(cls, said: Any, info: ValidationInfo) -> Any:
        if not isinstance(said, str | Path):
            return said
        folder = (info.context or {}).get("folder", Path())
        path = Path(folder, said)
        content = _content(path)
        read(path, content, "")
        return {"path": path, "digest": sha256(content).hexdigest()[:16]}


def tables(own: Mapping[str, PostcodeTable]) -> pa.Table:
    """All tables as one of ``SCHEMA``; a company's own Dutch table takes the place of the shipped one."""
    read_ones = [read(table.path, _content(table.path), country) for country, table in sorted(own.items())]
    return pa.concat_tables([*read_ones, *([] if "NL" in own else [shipped()])])


@cache
def shipped() -> pa.Table:
    """The Dutch table."""
    file = files(f"{__package__}.reference") / "nl_postcode4.csv"
    return read(Path("nl_postcode4.csv"), file.read_bytes(), "NL")


def read(path: Path, content: bytes, country: str) -> pa.Table:
    """A table of postcodes, checked.

    Args:
        path: For errors.
        content: Of the file.
        country: ISO 3166-1 alpha-2.

    Raises:
        PostcodeTableError: It is not such a table.
    """
    table = _parsed(path, content)
    missing = [name for name in _NEEDED if name not in table.column_names]
    if missing:
        raise PostcodeTableError(
            f"{path}: lacks the column {', '.join(missing)}; a table of postcodes has {', '.join(_NEEDED)}, and may "
            f"have {', '.join(_BESIDE)}"
        )
    empty = pa.nulls(table.num_rows, pa.string())
    text = {
        name: _stripped(table[name]) if name in table.column_names else empty for name in (*_NEEDED, *_BESIDE)
    }
    code = pc.replace_substring_regex(pc.utf8_upper(text["postcode"]), r"[^\p{L}\p{N}]", "")
    _refuse_lines(
        path, pc.fill_null(pc.equal(code, ""), True), "has no postcode", "Fill it in, or take the line out."
    )
    counts = pc.value_counts(code.combine_chunks() if isinstance(code, pa.ChunkedArray) else code)
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    _refuse_lines(
        path,
        pc.is_in(code, value_set=twice),
        "has a postcode that another line has too",
        "Leave one line per postcode.",
    )
    known = pc.or_(pc.is_null(text["use"]), pc.is_in(text["use"], value_set=pa.array(_USES)))
    _refuse_lines(path, pc.invert(known), "has another use", f"Use {', '.join(_USES)}, or leave it empty.")
    return pa.table(
        {
            "country": pa.repeat(pa.scalar(country, pa.string()), table.num_rows),
            "code": code,
            **{
                name: text[name]
                for name in ("place", "other_spellings", "municipality", "province", "area_code")
            },
            "latitude": _degrees(path, text["latitude"], "latitude", 90),
            "longitude": _degrees(path, text["longitude"], "longitude", 180),
            "use": text["use"],
        },
        schema=SCHEMA,
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PostcodeTableError(
            f"{path}: cannot be read ({error.strerror or type(error).__name__}); name a CSV file of postcodes"
        ) from None


def _parsed(path: Path, content: bytes) -> pa.Table:
    from pyarrow import csv  # noqa: PLC0415 - loads only where a table is read

    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise PostcodeTableError(f"{path}: is not in UTF-8; save it as CSV in UTF-8") from None
    try:
        names = csv.read_csv(pa.BufferReader(content)).column_names
        table = csv.read_csv(
            pa.BufferReader(content),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid:  # its text repeats the line
        raise PostcodeTableError(
            f"{path}: cannot be read as CSV; give every line the columns of the first, with commas between"
        ) from None
    if not table.num_rows:
        raise PostcodeTableError(f"{path}: has no postcodes; add lines below the one with the columns")
    return table.rename_columns([name.strip().lower() for name in table.column_names])


def _stripped(column: _Column) -> _Column:
    text = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def _degrees(path: Path, text: _Column, name: str, most: int) -> _Column:
    number = pc.match_substring_regex(text, r"^-?\d{1,3}(\.\d+)?$")
    fix = f"Write degrees with a point, from -{most} to {most}, or leave it empty."
    _refuse_lines(
        path, pc.fill_null(pc.invert(number), False), f"has a {name} that is no number of degrees", fix
    )
    degrees = pc.cast(text, pa.float64())
    far = pc.fill_null(pc.greater(pc.abs(degrees), most), False)
    _refuse_lines(path, far, f"has a {name} beyond {most} degrees", fix)
    return degrees


def _refuse_lines(path: Path, wrong: _Column, what: str, fix: str) -> None:
    lines = [at + 2 for at, one in enumerate(wrong.to_pylist()) if one] if pc.any(wrong).as_py() else []
    if lines:
        raise PostcodeTableError(
            f"{path}: line {lines[0]} {what}{f', as have {len(lines) - 1} others' if len(lines) > 1 else ''}. {fix}"
        )
