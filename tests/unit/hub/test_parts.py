"""What is asked of the published version for a part of the customers."""

import pyarrow as pa
import pytest
from hub_examples import promote
from sqlalchemy import Engine

from cdm_pipelines.hub.parts import Asked
from cdm_pipelines.hub.staging import stage
from cdm_pipelines.identity import REGISTRY_SCHEMA, golden_id
from cdm_pipelines.store.keys import RECORD_KEY

IDS = {name: golden_id("crm", "contact", name) for name in "abcd"}


@pytest.mark.parametrize(
    ("ids", "founders", "found"),
    [
        pytest.param("b", "", "ab", id="an id and those that stand for it"),
        pytest.param("", "a", "ab", id="a founded id and what it stands for"),
        pytest.param("", "b", "b", id="a founded id"),
        pytest.param("", "c", "c", id="a retired id"),
        pytest.param("d", "c", "cd", id="both"),
        pytest.param("", "x", "", id="none"),
    ],
)
def test_ids_come_with_those_that_they_depend_on(
    hub_engine: Engine, ids: str, founders: str, found: str
) -> None:
    status = {"a": "alias", "c": "retired"}
    rows = [
        {
            "golden_id": IDS[name],
            **dict(zip(RECORD_KEY, ("crm", "contact", name), strict=True)),
            "generation": 0,
            "sequence": sequence,
            "status": status.get(name, "current"),
            "alias_of": IDS["b"] if name == "a" else None,
        }
        for sequence, name in enumerate("abcd", start=1)
    ]
    stage(hub_engine, {"golden_id": pa.Table.from_pylist(rows, REGISTRY_SCHEMA)})
    promote(hub_engine)
    keys = pa.table(
        {name: [key] * len(founders) for name, key in zip(RECORD_KEY[:2], ("crm", "contact"), strict=True)}
        | {"record_id": list(founders)},
        schema=REGISTRY_SCHEMA.empty_table().select(RECORD_KEY).schema,
    )
    with hub_engine.connect() as connection:
        asked = Asked(connection)
        registry = asked.registry(pa.array([IDS[name] for name in ids], pa.string()), keys, REGISTRY_SCHEMA)
    assert registry["record_id"].to_pylist() == list(found)
