"""A company's own enrichers: a SQL file beside a YAML declaration, without Python.

Belongs here: reading and checking them. Does not belong here: where they are switched on (``policy``).

The SQL is one query over the inputs that the declaration names (``inputs.INPUTS``), run by DuckDB: it gives
``golden_id`` and the declared columns. ``$name`` stands for a parameter, ``$as_of`` for the day that scores hold for.
It can read no file and reach no network.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.enrichment.declaration import Age, Enricher, EnricherError, Output
from cdm_pipelines.enrichment.given import as_declared
from cdm_pipelines.enrichment.inputs import INPUTS
from cdm_pipelines.enrichment.work import GOLDEN_ID, Parameters, Work
from cdm_pipelines.yaml_files import YamlError, read_yaml

_NAMED = re.compile(r"\$(\w+)")
_Type = Literal["text", "date", "timestamp", "decimal", "integer", "boolean"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Column(_Strict):
    name: str
    type: _Type
    description: Annotated[str, Field(min_length=1)]
    unit: str = ""
    privacy: str = "user.behavior"
    tells_from: float = Field(default=0.0, ge=0)
    tells: bool = True
    age: str | None = None
    of: tuple[str, ...] = ()


class _Parameter(_Strict):
    default: bool | int | float | str
    description: str = ""


class _Declared(_Strict):
    description: Annotated[str, Field(min_length=1)]
    purpose: Annotated[str, Field(min_length=1)]
    stale_when: str = "an input of the customer changes"
    inputs: Annotated[tuple[str, ...], Field(min_length=1)]
    columns: Annotated[tuple[_Column, ...], Field(min_length=1)]
    parameters: Mapping[str, _Parameter] = {}


def own_enrichers(folder: Path) -> Mapping[str, Enricher]:
    """The enrichers that a company declared, by name: ``<name>.yaml`` with ``<name>.sql`` beside it.

    Raises:
        EnricherError: One cannot be used; the message names the file, the key and what is wrong with it.
    """
    return {path.stem: _enricher(path) for path in sorted(folder.glob("*.yaml"))}


def _enricher(path: Path) -> Enricher:
    try:
        said = _Declared.model_validate(read_yaml(path))
        sql = path.with_suffix(".sql").read_text(encoding="utf-8").strip().rstrip(";")
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        )
        raise EnricherError(f"{path}: {problems}") from None
    except FileNotFoundError:
        raise EnricherError(f"{path}: {path.stem}.sql is not beside it. Write the query there.") from None
    except YamlError as error:
        raise EnricherError(f"{path}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise EnricherError(f"{path.with_suffix('.sql')}: cannot be read ({type(error).__name__})") from None
    if unknown := sorted(set(said.inputs) - INPUTS.keys()):
        raise EnricherError(f"{path}: inputs: there is no {unknown[0]}; there are {', '.join(INPUTS)}")
    fields: dict[str, Any] = {name: (type(one.default), one.default) for name, one in said.parameters.items()}
    outputs = tuple(
        Output(
            one.name,
            ValueType(one.type),
            one.description,
            one.unit,
            one.privacy,
            one.tells_from,
            one.tells,
            one.of,
        )
        for one in said.columns
    )
    return Enricher(
        name=path.stem,
        description=said.description,
        inputs=said.inputs,
        outputs=outputs,
        ages=tuple(
            Age(one.age, one.name, f"Days since: {one.description}") for one in said.columns if one.age
        ),
        purpose=said.purpose,
        stale_when=said.stale_when,
        compute=_Query(path.with_suffix(".sql").name, sql, said.inputs, outputs),
        parameters=create_model(f"Parameters of {path.stem}", __base__=Parameters, **fields),
        version=sql,
    )


class _Query:
    """A query as an enricher computes it."""

    def __init__(self, name: str, sql: str, inputs: tuple[str, ...], outputs: tuple[Output, ...]) -> None:
        self._name, self._sql, self._inputs, self._outputs = name, sql, inputs, outputs
        self.__module__ = __name__

    def __call__(self, work: Work) -> pa.Table:
        work.use(*self._inputs)
        given = self._given(work)
        if GOLDEN_ID not in given.column_names:
            raise EnricherError(f"{self._name}: there is no column golden_id. Select that of an input.")
        rows, problems = as_declared(work.db, given, self._outputs)
        if problems:
            raise EnricherError(f"{self._name}: {' '.join(problems)}")
        return rows

    def _given(self, work: Work) -> pa.Table:
        import duckdb  # noqa: PLC0415 - loads where something is worked out

        of_the_query = (  # quote no value of a row
            duckdb.ParserException,
            duckdb.BinderException,
            duckdb.CatalogException,
            duckdb.InvalidInputException,
        )
        values = {"as_of": work.as_of, **work.parameters.model_dump()}
        named = set(_NAMED.findall(self._sql))
        used = {name: value for name, value in values.items() if name in named}
        try:
            return work.sql(self._sql, **used)
        except of_the_query as error:
            raise EnricherError(f"{self._name}: {error}") from None
        except duckdb.Error as error:
            raise EnricherError(
                f"{self._name}: {type(error).__name__} over these rows, not quoted here since it may hold a value. "
                "See what the query casts, divides and reads."
            ) from None
