"""Why an extract is refused as a whole, said so that a person can repair it.

Belongs here: the error and its kinds. Does not belong here: faults of single rows; those come through, marked
in ``_defect``, and quality puts them in quarantine.
"""

from enum import StrEnum
from functools import partial
from typing import NoReturn


class Refusal(StrEnum):
    """Kinds of refusal."""

    ABSENT = "absent"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    ENCODING = "encoding"
    DELIMITER = "delimiter"
    HEADER = "header"
    MISSING_COLUMN = "missing column"
    CONNECTION = "connection"
    TOO_LARGE = "too large"
    CHANGED = "changed"
    PLACE = "place"


class Defect(StrEnum):
    """What is wrong with a row that could not be read as it should; the value of ``_defect``."""

    RAGGED = "ragged"
    NUL_BYTE = "nul_byte"
    UNDECODABLE = "undecodable"
    CELL_TOO_LONG = "cell_too_long"
    UNPARSABLE = "unparsable"
    STRAY_QUOTE = "stray_quote"
    LINE_ENDS = "unexpected_line_ends"
    TOTALS = "totals_line"
    HEADER_AGAIN = "header_again"
    UNJOINED = "unjoined"


class ExtractError(Exception):
    """An extract is refused as a whole; nothing of it is used.

    The text holds names of sources, files and columns, and no values of records.

    Attributes:
        source: Name of the source.
        entity: Name of the entity.
        file: Path below the landing root.
        problem: What is wrong.
        fix: What to do about it.
        kind: Kind of refusal.
    """

    def __init__(
        self,
        source: str,
        entity: str,
        file: str,
        problem: str,
        fix: str,
        *,
        kind: Refusal = Refusal.UNREADABLE,
    ) -> None:
        super().__init__(source, entity, file, problem, fix)
        self.source = source
        self.entity = entity
        self.file = file
        self.problem = problem
        self.fix = fix
        self.kind = kind

    def __reduce__(self) -> tuple[partial["ExtractError"], tuple[object, ...]]:
        return partial(ExtractError, kind=self.kind), self.args

    def __str__(self) -> str:
        return f"{self.source}/{self.entity}: {self.file} {self.problem}. {self.fix}"


class Refuser:
    """Raises `ExtractError` for one file of one source entity."""

    def __init__(self, source: str, entity: str, file: str) -> None:
        self.source = source
        self.entity = entity
        self.file = file

    def refuse(self, kind: Refusal, problem: str, fix: str) -> NoReturn:
        """Refuse the file.

        Raises:
            ExtractError: Always.
        """
        raise ExtractError(self.source, self.entity, self.file, problem, fix, kind=kind)
