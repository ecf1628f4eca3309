"""The policy of the profile: which enrichers are on, what is set of each, and in which currency amounts are.

Belongs here: reading and checking ``policies/enrichment.yaml``. Does not belong here: the enrichers (``catalogue``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.contracts.profile import MEASURED
from cdm_pipelines.enrichment.declaration import Enricher
from cdm_pipelines.enrichment.work import Parameters
from cdm_pipelines.yaml_files import YamlError, read_yaml

POLICY = "enrichment.yaml"
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
_CLOCKS_APART_DAYS = 2
_TELLS_FROM = TypeAdapter(dict[str, Annotated[float, Field(ge=0)]])


class EnrichmentPolicyError(ValueError):
    """A policy that cannot be used; the text names the file, the key and what is wrong with it."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rate(_Strict):
    """What one of a currency is in the reporting currency, from a day on until its next rate.

    Attributes:
        currency: Of three letters.
        valid_from: Day from which the rate holds.
        rate: So many of the reporting currency.
    """

    currency: Currency
    valid_from: date = Field(alias="from")
    rate: float = Field(gt=0)


class _File(_Strict):
    """What the file says.

    Attributes:
        rates: What other currencies are worth, from a day on.
        enrichers: By name: ``enabled: false``, ``tells_from`` with a number by column, or parameters of the enricher.
    """

    version: Literal[1]
    currency: Currency
    rates: tuple[Rate, ...] = ()
    statuses_not_counted: tuple[str, ...] = ()
    refit_days: int = Field(default=7, ge=1)
    enrichers: Mapping[str, Mapping[str, Any] | None] = {}


@dataclass(frozen=True)
class Chosen:
    """An enricher that is switched on, with what is set of it."""

    enricher: Enricher
    parameters: Parameters

    @property
    def fingerprint(self) -> str:
        """Changes when anything does that is set of it."""
        return sha256(self.parameters.model_dump_json().encode()).hexdigest()[:16]


@dataclass(frozen=True)
class EnrichmentPolicy:
    """What a company chose.

    Attributes:
        currency: The reporting currency.
        worth: What currencies are worth, that of the reporting currency itself first: ``currency, valid_from, rate``.
        not_counted: States of orders that count for nothing, in small letters.
        refit_days: After how many days scales and models are fitted anew.
        chosen: The enrichers that are on, by name, in the order of the profile.
    """

    currency: str
    worth: Sequence[Mapping[str, Any]]
    not_counted: tuple[str, ...]
    refit_days: int
    chosen: Mapping[str, Chosen]

    def horizon(self, as_of: date) -> date:
        """The last day that is not in the future: until the next fit data come every day, and clocks are apart."""
        return as_of + timedelta(self.refit_days + _CLOCKS_APART_DAYS)

    @property
    def fingerprint(self) -> str:
        """Changes when the meaning of an amount does, or which dates count."""
        said = (self.currency, list(self.worth), self.not_counted, self.refit_days)
        return sha256(repr(said).encode()).hexdigest()[:16]

    @property
    def rates(self) -> pa.Table:
        """The same as a table; whoever only asks what is chosen need not load what makes one."""
        schema = pa.schema([("currency", pa.string()), ("valid_from", pa.date32()), ("rate", pa.float64())])
        return pa.Table.from_pylist(list(self.worth), schema=schema)


def load_policy(path: Path, known: Mapping[str, Enricher]) -> EnrichmentPolicy:
    """Read and check the policy.

    Args:
        path: Of ``enrichment.yaml``.
        known: All enrichers that there are, by name.

    Raises:
        EnrichmentPolicyError: It cannot be read, or says something that cannot be done.
    """
    try:
        said = _File.model_validate(read_yaml(path))
    except ValidationError as error:
        raise EnrichmentPolicyError(f"{path}: {_problems(error)}") from None
    except YamlError as error:
        raise EnrichmentPolicyError(f"{path}: {error}") from None
    if unknown := sorted(said.enrichers.keys() - known.keys()):
        raise EnrichmentPolicyError(
            f"{path}: enrichers.{unknown[0]}: there is no such enricher; there are {', '.join(known) or 'none'}"
        )
    days = Counter(f"{one.currency} from {one.valid_from}" for one in said.rates)
    if twice := [day for day, times in days.items() if times > 1]:
        raise EnrichmentPolicyError(f"{path}: rates: there are two of {twice[0]}. Keep one of them.")
    chosen = {}
    for name, enricher in known.items():
        values = dict(said.enrichers.get(name) or {})
        enabled = values.pop("enabled", True)
        enricher = _telling(path, enricher, values.pop("tells_from", None))  # noqa: PLW2901 - as the policy has it
        if enricher.parameters_of:
            if values:
                raise EnrichmentPolicyError(
                    f"{path}: enrichers.{name}: its parameters are those of {enricher.parameters_of}; set them there"
                )
            values = dict(said.enrichers.get(enricher.parameters_of) or {})
            enabled = values.pop("enabled", True) and enabled
            values.pop("tells_from", None)
        if enabled:
            chosen[name] = Chosen(enricher, _parameters(path, enricher, values))
    worth: list[dict[str, Any]] = [{"currency": said.currency, "valid_from": date(1, 1, 1), "rate": 1.0}]
    worth += [one.model_dump() for one in said.rates if one.currency != said.currency]
    return EnrichmentPolicy(
        said.currency,
        worth,
        tuple(sorted({status.lower() for status in said.statuses_not_counted})),
        said.refit_days,
        chosen,
    )


def _telling(path: Path, enricher: Enricher, said: Any) -> Enricher:
    """The enricher, with the policy's word on from which change on a column is told."""
    if said is None:
        return enricher
    where = f"{path}: enrichers.{enricher.name}.tells_from"
    try:
        given = _TELLS_FROM.validate_python(said)
    except ValidationError as error:
        raise EnrichmentPolicyError(f"{where}: {_problems(error)}") from None
    may = [one.name for one in enricher.outputs if one.tells and one.type in MEASURED]
    for name in given:
        if name not in may:
            raise EnrichmentPolicyError(
                f"{where}.{name}: {enricher.name} has no number or date of that name whose change is told. "
                f"{instead(name, may)}"
            )
    outputs = tuple(replace(one, tells_from=given.get(one.name, one.tells_from)) for one in enricher.outputs)
    return replace(enricher, outputs=outputs)


def _parameters(path: Path, enricher: Enricher, values: Mapping[str, Any]) -> Parameters:
    try:
        return enricher.parameters.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        raise EnrichmentPolicyError(f"{path}: enrichers.{enricher.name}: {_problems(error)}") from None


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors(include_input=False, include_url=False)
    )
