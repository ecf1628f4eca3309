"""Counted days of interactions: whatever came in whatever order and how often, what is counted is the same."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Attribute, Entity, EntityDeclaration, OfNobody, ValueType
from cdm_pipelines.contracts.entity import declare, withdraw
from cdm_pipelines.contracts.model import Column, Delivery, Format
from cdm_pipelines.enrichment.attachment import Attached
from cdm_pipelines.enrichment.interactions import DAY_SCHEMA, READ, Tally
from cdm_pipelines.enrichment.places import places
from cdm_pipelines.enrichment.tokens import Era, InteractionPolicy
from cdm_pipelines.records import records_schema
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.interactions import Updated, update_interactions
from cdm_pipelines.steps.profile.touches import (
    CROSSWALK,
    ORDERS,
    PARTIES,
    Known,
    keep_rules,
    opened_touches,
    rules_now,
)
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.damage import DamagedError
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import Persons, Stores, erase, search

SHIPPED = InteractionPolicy.load(Settings.model_fields["policies"].default / "interactions.yaml")
ANN, BEN = "00000000-0000-8000-8000-00000000000a", "00000000-0000-8000-8000-00000000000b"
Rows = Sequence[Mapping[str, Any]]


@pytest.fixture(autouse=True, scope="module")
def _declared() -> Iterator[None]:
    """The canonical entity, where no module of the package declares it."""
    if Entity.INTERACTION in set(Entity):
        yield
        return
    key = Attribute(
        Entity.INTERACTION, "interaction_id", ValueType.TEXT, "Its number.", "x", "user.behavior", key=True
    )
    declare(EntityDeclaration(Entity.INTERACTION, "interactions", "Of a test.", OfNobody(), (key,)))
    yield
    withdraw(Entity.INTERACTION)


def contract(source: str = "web") -> SourceContract:
    column = Column("id", key_position=1, maps_to=("interaction.interaction_id",))
    return SourceContract(source, "event", "1", "t", "", "", Format.CSV, Delivery.DELTA, (column,))


@dataclass(frozen=True)
class Web:
    """A lake with standardised days of interactions."""

    lake: Lake
    contracts: tuple[SourceContract, ...] = ()

    def day(self, date: str, rows: Rows, version: int = 0) -> None:
        """Standardise a day, or do it again."""
        schema = pa.schema([(name, pa.bool_() if name == "is_deleted" else pa.string()) for name in READ])
        full = [{"channel": "web", "kind": "visit", "direction": "in", **row} for row in rows]
        table = pa.Table.from_pylist([{name: row.get(name) for name in READ} for row in full], schema=schema)
        said = json.dumps([version, full], sort_keys=True).encode()
        with self.lake.writer(layout.standard_path(contract(), date, Entity.INTERACTION), schema) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({layout.FINGERPRINT: hashlib.sha256(said).hexdigest()})

    def update(self, **more: Any) -> Updated:
        given = {"threads": 1, "rows": 7} | more
        return update_interactions(self.lake, self.contracts or (contract(),), "Europe/Amsterdam", **given)

    def counted(self) -> pa.Table:
        found = [self.lake.read(path) for path in self.lake.paths(layout.INTERACTIONS)]
        return pa.concat_tables([DAY_SCHEMA.empty_table(), *found])

    def files(self) -> dict[str, str]:
        """What is kept, by path, as a digest."""
        root = Path(self.lake.url)
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((root / "profile").rglob("*"))
            if path.is_file()
        }

    def attached(self, policy: InteractionPolicy = SHIPPED) -> tuple[pa.Table, Attached | None]:
        with opened_touches(self.lake, [contract()], KNOWN, threads=1) as touches:
            return touches.attached(rules_now(self.lake, policy))


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(Lake(str(tmp_path / "lake")))


def party(record: str, **more: Any) -> dict[str, Any]:
    row = {
        "source": "web",
        "entity": "customer",
        "record_id": record,
        "active": True,
        "first_seen": "2026-01-01",
    }
    return {name: (row | more).get(name) for name in PARTIES.names}


KNOWN = Known(
    pa.Table.from_pylist(
        [
            {"golden_id": ANN, "source": "web", "entity": "customer", "record_id": "a"},
            {"golden_id": BEN, "source": "web", "entity": "customer", "record_id": "b"},
        ],
        schema=CROSSWALK,
    ),
    pa.Table.from_pylist([party("a", email="ann@x.nl"), party("b", email="ben@x.nl")], schema=PARTIES),
    ORDERS.empty_table(),
)


def event(number: int, day: int, token: str | None = None, **more: Any) -> dict[str, Any]:
    return {"record_id": str(number), "occurred_at": f"2026-06-{day:02}T10:00:00Z", "token": token, **more}


def test_days_are_counted_once_and_again_only_when_they_change(web: Web) -> None:
    web.day("2026-06-01", [event(1, 1, "t"), event(2, 1, "t")])
    web.day("2026-06-02", [event(3, 2, "t", party_id="a")])
    first = web.update()
    files = web.files()
    again = web.update()
    assert (first.days, first.counted, first.tally.counted) == (2, 2, 3)
    assert (again.counted, again.tally, again.before, again.mark) == (0, first.tally, first.mark, first.mark)
    assert first.subjects is None
    assert again.subjects is not None
    assert again.subjects.num_rows == 0
    assert web.files() == files
    web.day("2026-06-02", [event(3, 2, "t", party_id="b")], version=1)
    third = web.update()
    assert (third.counted, third.before) == (1, first.mark)
    assert third.subjects is not None
    assert {row["party_id"] for row in third.subjects.to_pylist()} == {"a", "b"}


def test_what_a_later_day_delivers_again_counts_there(web: Web) -> None:
    web.day("2026-06-02", [event(1, 1, score="9"), event(2, 2)])
    assert web.update().tally == Tally(delivered=2, counted=2)
    web.day("2026-06-01", [event(1, 1, score="1"), event(4, 1)])  # late, and an earlier version of one
    late = web.update()
    assert late.tally == Tally(delivered=4, counted=3, repeated=1)
    assert late.counted == 1
    web.day("2026-06-03", [event(2, 2), event(4, 1), {**event(1, 1), "is_deleted": True}])
    assert web.update().tally == Tally(delivered=7, counted=2, repeated=4, withdrawn=1)
    web.lake.delete(layout.standard_path(contract(), "2026-06-03", Entity.INTERACTION))  # taken away again
    back = web.update()
    assert (back.tally, back.mark) == (late.tally, late.mark)
    assert sum(web.counted()["touches"].to_pylist()) == 3


def test_a_day_that_was_lost_is_told_and_not_forgotten(web: Web) -> None:
    web.day("2026-06-01", [event(1, 1)])
    web.update()
    web.lake.write(layout.valid_path(contract(), "2026-06-01"), pa.table({"id": ["1"]}))
    web.lake.delete(layout.standard_path(contract(), "2026-06-01", Entity.INTERACTION))
    with pytest.raises(DamagedError, match="cdm run --date 2026-06-01 --source web"):
        web.update()


def test_damaged_counts_are_made_anew(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    web.day("2026-06-01", [event(1, 1), event(2, 1)])
    web.day("2026-06-02", [event(2, 1)])
    first = web.update()
    files = web.files()
    for path in (
        layout.interactions_path(contract(), "2026-06-01"),
        layout.interaction_ids_path(contract(), "2026-06-02"),
        layout.interactions_made_path(contract()),
    ):
        with open(f"{web.lake.url}/{path}", "r+b") as file:  # noqa: PTH123
            file.seek(30)
            file.write(b"XXXX")
    lake = Lake(web.lake.url)
    after = Web(lake).update()
    assert (after.tally, after.mark, after.subjects) == (first.tally, first.mark, None)
    assert web.files() == files
    assert "made anew" in caplog.text


def test_whom_a_run_that_was_killed_concerned_is_everybody(web: Web) -> None:
    web.day("2026-06-01", [event(1, 1, party_id="a")])
    first = web.update()
    made = layout.interactions_made_path(contract())
    known = web.lake.read_json(made)
    web.day("2026-06-01", [event(1, 1, party_id="b")], version=1)
    web.update()
    web.lake.write_json(made, known)  # as if it was killed before it wrote that down
    again = web.update()
    assert (again.before, again.subjects) == (first.mark, None)
    for path in (
        layout.standard_path(contract(), "2026-06-01", Entity.INTERACTION),
        layout.interactions_path(contract(), "2026-06-01"),
    ):
        web.lake.delete(path)  # taken away, and killed again
    assert web.update().subjects is None


def test_a_source_that_delivers_no_interactions_any_more_has_none(web: Web) -> None:
    web.day("2026-06-01", [event(1, 1)])
    web.update()
    gone = Web(web.lake, (contract("other"),)).update()
    assert (gone.days, gone.subjects) == (0, None)
    assert [path for path in web.files() if "/web/" in path] == []


def test_an_empty_source(web: Web) -> None:
    assert web.update().tally == Tally()
    web.day("2026-06-01", [])
    assert (web.update().days, web.counted().num_rows) == (1, 0)
    rows, figures = web.attached()
    assert rows.num_rows == 0
    assert figures is not None
    assert figures.accepted == 0


def test_what_is_attached_and_what_is_anonymous_is_all_that_was_accepted(web: Web) -> None:
    web.day("2026-06-01", [event(n, 1, f"t{n % 4}", party_id="a" if n % 8 == 1 else None) for n in range(40)])
    web.day("2026-06-02", [event(n, 2, "null") for n in range(30, 60)])
    tally = web.update().tally
    rows, figures = web.attached()
    assert figures is not None
    assert figures.attached + sum(figures.anonymous.values()) == figures.accepted == tally.counted == 60
    assert sum(rows["touches"].to_pylist()) == figures.attached == 5 + 3  # of 30 to 39 the later day's count


def test_rules_for_what_is_new_leave_days_before_alone(web: Web) -> None:
    web.day("2026-06-01", [event(1, 1, "t", party_id="a"), event(2, 1, "t")])
    web.update()
    keep_rules(web.lake, rules_now(web.lake, SHIPPED))
    web.day("2026-06-02", [event(3, 2, "t")])
    web.update()
    strict = SHIPPED.model_copy(update={"apply_to": "new", "channels_left_out": ("web",)})
    rows, _ = web.attached(strict)
    assert sum(rows["touches"].to_pylist()) == 2
    keep_rules(web.lake, rules_now(web.lake, strict))
    assert rules_now(web.lake, strict) == (Era("", SHIPPED.rules), Era("2026-06-01", strict.rules))
    everything = strict.model_copy(update={"apply_to": "all"})
    with opened_touches(web.lake, [contract()], KNOWN, threads=1) as touches:
        found = touches.preview(rules_now(web.lake, strict), rules_now(web.lake, everything))
    assert (found.moved, found.customers, found.after.attached) == (1, 1, 1)


# Any history


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, Rows], list[tuple[str, bool]]]:
    """Days that share interactions, and the order in which they come, some several times or first in another form."""
    dates = [f"2026-06-{day:02}" for day in range(1, draw(st.integers(2, 4)) + 1)]
    token, customer = st.sampled_from([None, "t", "u", "null"]), st.sampled_from([None, None, "a", "b"])
    row = st.builds(
        lambda number, day, device, who: event(number, day, device, party_id=who),
        st.integers(0, 8),
        st.integers(1, 4),
        token,
        customer,
    )
    rows = st.lists(row, max_size=5, unique_by=lambda one: one["record_id"])
    days: dict[str, Rows] = {date: draw(rows) for date in dates}
    order = draw(st.lists(st.tuples(st.sampled_from(dates), st.booleans()), max_size=4))
    return days, [*order, *((date, False) for date in draw(st.permutations(dates)))]


@given(history=histories())
@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_of_days_ends_with_the_same_files(
    history: tuple[dict[str, Rows], list[tuple[str, bool]]],
) -> None:
    days, order = history
    with tempfile.TemporaryDirectory() as folder:
        once, often = Web(Lake(f"{folder}/once")), Web(Lake(f"{folder}/often"))
        for date, rows in days.items():
            once.day(date, rows)
        whole = once.update()
        for date, other in order:
            often.day(date, days[date][1:] if other else days[date], version=int(other))
            step = often.update()
        assert (step.tally, step.mark) == (whole.tally, whole.mark)
        assert often.files() == once.files()


# Persons


def stored(web: Web) -> Stores:
    """The lake with the records of two customers."""
    schema = records_schema(Entity.PARTY)
    rows = KNOWN.parties.to_pylist()
    table = pa.Table.from_pylist(
        [{name: row.get(name) for name in schema.names} for row in rows], schema=schema
    )
    tables.records(web.lake, Entity.PARTY).put([table], schema, "x")
    return Stores(web.lake, None)


def test_rows_of_a_person_are_found_and_leave_for_good(web: Web) -> None:
    web.day(
        "2026-06-01",
        [
            event(1, 1, "hers", party_id="a"),
            event(2, 1, "shared", party_id="a"),
            event(3, 1, "shared", party_id="b"),
            event(4, 1, party_email="ann@x.nl", subject="Ann's mail"),
            event(5, 1, "his", party_email="ben@x.nl"),
        ],
    )
    web.day(
        "2026-06-02", [event(6, 2, "hers", subject="Ann's visit"), event(7, 2, "shared"), event(8, 2, "his")]
    )
    web.update()
    stores, ann = stored(web), Persons.of([("web", "customer", "a")])
    found = [row for _, one in search(places(), stores, ann) for row in one.rows]
    assert sum(row["touches"] for row in found) == 4
    erased = {one.place: one.rows for one in erase(places(), stores, ann)}
    assert erased["profile/interactions"] == 4
    left = [(row["token"], row["party_id"], row["party_email"]) for row in web.counted().to_pylist()]
    assert sorted(left, key=str) == [
        ("his", None, "ben@x.nl"),
        ("his", None, None),
        ("shared", "b", None),
        ("shared", None, None),
    ]
    assert list(search(places(), stores, ann)) == []


@pytest.mark.parametrize("url", ["{0}/lake", "memory://touches/lake"])
def test_a_lake_here_or_elsewhere(tmp_path: Path, url: str) -> None:
    web = Web(Lake(url.format(tmp_path)))
    web.day("2026-06-01", [event(1, 1, "t", party_id="a"), event(2, 1, "t")])
    web.update()
    rows, _ = Web(Lake(web.lake.url)).attached()
    assert sum(rows["touches"].to_pylist()) == 2
    web.lake.delete_folder("")
