"""What it takes to declare an enricher.

Belongs here: the declaration with its columns and rules. Does not belong here: which enrichers there are
(``catalogue``), what they read (``inputs``), or a company's choices (``policy``).

From a declaration follow its asset ``profile/<name>``, its table in schema ``profile``, its columns of the view
``profile.customer``, and its part of the data dictionary.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.drift import Drift
from cdm_pipelines.enrichment.inputs import INPUTS
from cdm_pipelines.enrichment.neighbours import Neighbourhood
from cdm_pipelines.enrichment.work import GOLDEN_ID, Parameters, Work
from cdm_pipelines.figures import Figures

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PRIVACY = re.compile(r"(user|system)(\.[a-z_]+)*")
AS_OF, MODEL = "as_of", "model"
CURRENCY = "currency"
"""The unit of amounts: the reporting currency, whichever that is."""
RESERVED = frozenset({GOLDEN_ID, AS_OF, MODEL})
"""Columns that every enricher's table has: whose the row is, the day it holds for, fingerprint of scale and model."""


class EnricherError(ValueError):
    """A declaration that contradicts itself; the message names it and the fix."""


@dataclass(frozen=True)
class Output:
    """A column that an enricher gives.

    Attributes:
        name: In its table; in ``profile.customer`` it is ``<enricher>_<name>``.
        type: How PostgreSQL types it.
        description: Meaning and formula in a sentence or two, for the dictionary and the comment of the column.
        unit: Such as ``EUR``, ``days``, ``share``; empty for what has none.
        privacy: Fides data category.
        tells_from: A change of a number, or of a date in days, by less than this since it was told last tells nobody;
            with 0 each change does.
        tells: Whether a change is told at all.
        of: Columns of inputs that it follows from, such as ``purchases.net``; without any, it is known to follow from
            whose rows of the inputs are.
    """

    name: str
    type: ValueType
    description: str
    unit: str = ""
    privacy: str = "user.behavior"
    tells_from: float = 0.0
    tells: bool = True
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Age:
    """A column of ``profile.customer`` that time alone changes: days from a stored date until today.

    Attributes:
        name: Of the column, again behind the enricher's name.
        of: The output that it is counted from.
        description: For the dictionary.
    """

    name: str
    of: str
    description: str


@dataclass(frozen=True)
class Enricher:
    """An enricher, all that there is to say of it.

    Attributes:
        name: Of its asset, its table and its key in the policy.
        description: What it gives, in a sentence.
        inputs: Names of what it reads (``inputs.INPUTS``).
        outputs: Its columns.
        purpose: What the columns may be used for, in words of the register of processing.
        stale_when: What makes a row out of date, in words.
        compute: Gives one row per customer of whom there is something to say: ``golden_id`` and the outputs.
        parameters: What may be set of it.
        parameters_of: An enricher before it whose parameters in the policy are this one's too, and with which it is
            switched off; empty for one that has its own.
        fit: Fits its scale or model to everybody; None where it has none. What it gives is kept as JSON.
        explain_fit: Figures and pictures of what was fitted.
        picture: Figures and pictures of a computed table.
        neighbours: How far a change reaches where a row follows from other customers too (who lives together). Without
            it a row follows from its own customer, scale and model, and those that a change touches are worked on.
        ages: Columns of the view that follow from a date and today.
        key: Columns that identify a row beside ``golden_id``; with any, the table is no part of the wide view.
        compared: Figures of two fitted scales or models, former first, for ``cdm profile model --diff``; without it,
            numbers that changed are told.
        drift: How it is seen that customers are no longer like those that its model was fitted to.
        table: Name of its table, where its own is a view's (``groups``).
        version: Changes with what it computes, where its module does not: of a company's own, the text of its SQL.
    """

    name: str
    description: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    purpose: str
    stale_when: str
    compute: Callable[[Work], pa.Table]
    parameters: type[Parameters] = Parameters
    parameters_of: str = ""
    fit: Callable[[Work], Mapping[str, Any]] | None = None
    explain_fit: Callable[[Mapping[str, Any]], Figures] | None = None
    picture: Callable[[pa.Table, Work], Figures] | None = None
    neighbours: Neighbourhood | None = None
    ages: tuple[Age, ...] = ()
    key: tuple[str, ...] = ()
    compared: Callable[[Mapping[str, Any], Mapping[str, Any]], Figures] | None = None
    drift: Drift | None = None
    table: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        """Check what can be checked without the others."""
        names = [output.name for output in self.outputs]
        for name in (self.name, *names, *(age.name for age in self.ages)):
            if not _NAME.fullmatch(name):
                self._refuse(f"{name!r} is no name", "Use small letters, digits and underscores.")
        if unknown := sorted(set(self.inputs) - INPUTS.keys()):
            self._refuse(f"{', '.join(unknown)} is no input", f"There are {', '.join(INPUTS)}.")
        if not names:
            self._refuse("has no outputs", "Declare the columns that it gives.")
        if taken := sorted(RESERVED & set(names)):
            self._refuse(f"{', '.join(taken)} is a column of every enricher", "Give the output another name.")
        every = [*names, *(age.name for age in self.ages)]
        if twice := sorted({name for name in every if every.count(name) > 1}):
            self._refuse(f"{', '.join(twice)} is declared twice", "Declare it once.")
        if besides := sorted(set(self.key) - set(names)):
            self._refuse(f"the key names {', '.join(besides)}", "Name outputs.")
        self._check_columns()

    def _check_columns(self) -> None:
        for output in self.outputs:
            if not _PRIVACY.fullmatch(output.privacy):
                self._refuse(
                    f"{output.name} has the privacy category {output.privacy!r}",
                    "Use a key of the Fides taxonomy, such as user.behavior.purchase_history.",
                )
            self._check_origins(output)
        dates = {one.name for one in self.outputs if one.type in (ValueType.DATE, ValueType.TIMESTAMP)}
        for age in self.ages:
            if age.of not in dates:
                self._refuse(f"{age.name} is the age of {age.of}", "Name an output that is a date.")

    def _check_origins(self, output: Output) -> None:
        for of in output.of:
            relation, _, column = of.partition(".")
            if relation not in self.inputs:
                self._refuse(
                    f"{output.name} follows from {of}, and {relation} is no input of it",
                    f"Name a column of {', '.join(self.inputs)}.",
                )
            if column not in INPUTS[relation].columns:
                self._refuse(
                    f"{output.name} follows from {of}, and {relation} has no such column",
                    f"Name one of {', '.join(INPUTS[relation].columns)}.",
                )

    def read_for(self, output: Output) -> tuple[str, ...]:
        """Columns of inputs that an output follows from; whose their rows are, where it names none."""
        whose = (f"{name}.{GOLDEN_ID}" for name in self.inputs if GOLDEN_ID in INPUTS[name].columns)
        return output.of or tuple(whose)

    def origins(self, output: Output) -> tuple[tuple[str, str], ...]:
        """Assets and their columns that an output follows from, each once."""
        found = []
        for read in self.read_for(output):
            relation, _, name = read.partition(".")
            for of in INPUTS[relation].columns[name].of:
                asset, _, column = of.partition(".")
                found.append((asset, column))
        return tuple(dict.fromkeys(found))

    def output(self, name: str) -> Output:
        """The column of that name."""
        return next(one for one in self.outputs if one.name == name)

    def shaped(self, table: pa.Table) -> pa.Table:
        """A computed table in the declared columns and order.

        Raises:
            EnricherError: It has other columns.
        """
        expected: Sequence[str] = [GOLDEN_ID, *(output.name for output in self.outputs)]
        if set(table.column_names) != set(expected):
            missing = sorted(set(expected) - set(table.column_names))
            besides = sorted(set(table.column_names) - set(expected))
            self._refuse(
                f"gives {', '.join(besides) or 'nothing'} that is not declared, and lacks "
                f"{', '.join(missing) or 'nothing'}",
                "Bring declaration and computation in line.",
            )
        return table.select(expected)

    def _refuse(self, what: str, fix: str) -> None:
        raise EnricherError(f"Enricher {self.name}: {what}. {fix}")
