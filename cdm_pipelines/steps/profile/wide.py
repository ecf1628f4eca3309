"""The columns of ``profile.customer``: how they are read, and their privacy categories.

Belongs here: both, from what is declared, so that a policy that names columns is checked without a database. Does not
belong here: the view (hub.profile_views), rules over its columns (insight).
"""

from collections.abc import Mapping

import pyarrow as pa

from cdm_pipelines.contracts.entity import ValueType
from cdm_pipelines.hub.schema import customer
from cdm_pipelines.privacy.catalogue import declared
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.enrich import policy_of, tables_of

_PROFILE: Mapping[ValueType, pa.DataType] = {
    ValueType.TEXT: pa.string(),
    ValueType.REFERENCE: pa.string(),
    ValueType.DATE: pa.date32(),
    ValueType.DECIMAL: pa.float64(),
    ValueType.INTEGER: pa.int64(),
    ValueType.BOOLEAN: pa.bool_(),
}
"""How values of the profile are read; moments are not."""
_GOLDEN: Mapping[str, pa.DataType] = {
    "str": pa.string(),
    "date": pa.date32(),
    "Decimal": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
}
"""The same of golden values, by the type that SQLAlchemy gives them in Python."""


def columns_of(
    settings: Settings,
) -> tuple[Mapping[str, pa.DataType], Mapping[str, str], Mapping[str, str]]:
    """Columns of ``profile.customer`` with their types, their privacy categories, and the enrichers of theirs."""
    tables = tables_of(policy_of(settings))
    said = declared(tables, ())["profile.customer"].columns
    kinds: dict[str, pa.DataType] = {}
    made_by: dict[str, str] = {}
    for one in customer.columns:
        if (kind := one.type.python_type.__name__) in _GOLDEN:
            kinds[one.name] = _GOLDEN[kind]
    for table in (one for one in tables if one.wide):
        own = [one for one in table.columns if one.type in _PROFILE]
        theirs = {f"{table.name}_{one.name}": _PROFILE[one.type] for one in own}
        theirs |= {f"{table.name}_{age.name}": pa.int64() for age in table.ages}
        kinds |= theirs
        made_by |= dict.fromkeys(theirs, table.name)
    return kinds, {name: said[name].category for name in kinds if name in said}, made_by
