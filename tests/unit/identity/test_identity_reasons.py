"""Why golden ids changed: the reason told of events and of records with another id."""

import numpy as np
import pyarrow as pa
import pytest

from cdm_pipelines.identity import CROSSWALK_SCHEMA
from cdm_pipelines.identity.reasons import EventReasons, Movement


def crosswalk(members: str) -> pa.Table:
    """From ``A:1,2 B:3``."""
    rows = [
        {"source": "crm", "entity": "contact", "record_id": record, "golden_id": golden}
        for golden, _, records in (part.partition(":") for part in members.split())
        for record in records.split(",")
    ]
    return pa.Table.from_pylist(rows, CROSSWALK_SCHEMA)


def keys(records: str) -> pa.Array:
    return pa.array([f"crm\x1fcontact\x1f{record}" for record in records], pa.string())


def event_reasons(changed: str = "", decided: str = "", *, new_model: bool = False) -> EventReasons:
    return EventReasons(keys(changed), keys(decided), np.arange(1, len(decided) + 1), new_model)


def events(*pairs: tuple[str, str | None]) -> pa.Table:
    columns = {name: [pair[at] for pair in pairs] for at, name in enumerate(("golden_id", "related_id"))}
    return pa.table(columns, schema=pa.schema([(name, pa.string()) for name in columns]))


MERGED, SPLIT = ("A:1 B:2 Z:9", "B:1,2 Z:9", ("A", "B")), ("B:1,2 Z:9", "A:1 B:2 Z:9", ("A", "B"))
RESTORED = ("B:1,2 Z:9", "A:1 B:2 Z:9", ("A", None))


@pytest.mark.parametrize(
    ("story", "happened", "reason"),
    [
        (MERGED, event_reasons(), "neighbour"),
        (MERGED, event_reasons("9", "9"), "neighbour"),
        (MERGED, event_reasons(new_model=True), "new_model"),
        (MERGED, event_reasons("2", new_model=True), "changed_value"),
        (MERGED, event_reasons("2", "1", new_model=True), "decision"),
        (("A:1 B:2", "B:1,2,3", ("A", "B")), event_reasons("2", new_model=True), "new_record"),
        (("A:1 B:2,3", "B:1,2", ("A", "B")), event_reasons(), "record_gone"),
        (SPLIT, event_reasons("2"), "changed_value"),
        (RESTORED, event_reasons("2"), "changed_value"),
        (RESTORED, event_reasons("", "2"), "decision"),
        (("Z:9", "A:1 Z:9", ("A", None)), event_reasons("9"), "new_record"),
        (("A:1 Z:9", "Z:9", ("A", None)), event_reasons("9"), "record_gone"),
        (MERGED, EventReasons(None, keys(""), np.zeros(0, np.int64), False), None),
        (MERGED, EventReasons(keys(""), keys(""), np.zeros(0, np.int64), None), None),
        (MERGED, EventReasons(keys(""), None, np.zeros(0, np.int64), False), None),
        (MERGED, EventReasons(None, None, np.zeros(0, np.int64), True), "new_model"),
        (("", "A:1", ("A", None)), EventReasons(), "new_record"),
    ],
)
def test_the_most_particular_reason_is_told(
    story: tuple[str, str, tuple[str, str | None]], happened: EventReasons, reason: str | None
) -> None:
    former, latter, event = story
    found = Movement(crosswalk(former), crosswalk(latter), happened).explain(events(event))
    assert found.reason.to_pylist() == [reason]
    assert (found.decision[0] > 0) == (reason == "decision")


def test_of_several_decisions_the_latest_is_named() -> None:
    former, latter, event = MERGED
    found = Movement(crosswalk(former), crosswalk(latter), event_reasons("", "129")).explain(events(event))
    assert found.decision.tolist() == [2]


def test_churn_counts_published_records_that_have_another_id_by_reason() -> None:
    former, latter = crosswalk("A:1,2 B:3 C:4,5 D:6 E:7"), crosswalk("B:1,2,3 C:4 F:5,8 E:7")
    churn = Movement(former, latter, event_reasons("3")).churn()
    assert churn.moved == {"changed_value": 2, "new_record": 1}
    assert (churn.records, churn.share) == (7, 3 / 7)
    assert Movement(former, former, event_reasons("1234567", "1", new_model=True)).churn().moved == {}
    assert Movement(former, latter, event_reasons("3")).churn(100).share == 0.03


def test_what_is_not_known_is_counted_as_unknown() -> None:
    former, latter, _ = MERGED
    assert Movement(crosswalk(former), crosswalk(latter), EventReasons()).churn().moved == {"unknown": 1}
