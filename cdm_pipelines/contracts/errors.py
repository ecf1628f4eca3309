"""What is wrong with a contract, said so that a person can repair it.

Belongs here: the error and its text. Does not belong here: finding the faults (odcs).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: where it stands, what is wrong, and what to do about it."""

    key: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}. {self.fix}"


class ContractError(ValueError):
    """A contract cannot be used; the message names the file and, for each fault, the key and the fix.

    Attributes:
        file: Path of the contract.
        problems: Every fault that was found.
    """

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        super().__init__(file, tuple(problems))
        self.file = file
        self.problems = tuple(problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"{self.file}: {self.problems[0]}"
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        return f"{self.file}: {len(self.problems)} problems{lines}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a person most probably meant, or None."""
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def instead(word: str, known: Iterable[str]) -> str:
    """The sentence that tells what to write instead of an unknown word."""
    names = list(known)
    guess = nearest(word, names)
    if guess:
        return f"Did you mean {guess!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"Use one of: {shown}." if names else "Remove it."
