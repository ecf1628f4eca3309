"""Days added to the state one by one, in any order, give the state of all days at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records_examples import Row, standard

from cdm_pipelines.contracts import Column, Delivery, Format, LogicalType, PartyKind, SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.contracts.model import KindRule
from cdm_pipelines.records import Partition, current_state, records_schema, versions
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.days.records import Built, build_records
from cdm_pipelines.steps.days.source_day import process_day
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.arrow import digest
from cdm_pipelines.store.lake import Lake

DATES = ("2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04")


def contract(name: str, delivery: str, feeds: str = "party.city") -> SourceContract:
    source, entity = name.split("/")
    return SourceContract(
        source=source,
        entity=entity,
        version="1.0.0",
        owner="sales",
        description="",
        location=f"{name}/{{date}}*.csv",
        format=Format.CSV,
        delivery=Delivery(delivery),
        party_kind=KindRule(PartyKind.PERSON) if feeds.startswith("party") else None,
        columns=(Column("id", required=True, key_position=1), Column("city", maps_to=(feeds,))),
    )


CRM, ERP, SHOP = "crm/contact", "erp/customer", "shop/account"
SNAPSHOT, DELTA = contract(CRM, "snapshot"), contract(ERP, "delta")


@dataclass(frozen=True)
class Day:
    """What a day delivered, and the ids of what was quarantined."""

    rows: Sequence[Row] = ()
    held_back: Sequence[str] = ()


Days = Mapping[tuple[str, str], Day]


def lay(
    lake: Lake, name: str, date: str, day: Day, *, fingerprint: str = "", entity: Entity = Entity.PARTY
) -> None:
    """Put a day into the lake as a run leaves it there."""
    made = contract(name, "snapshot")
    source, own = name.split("/")
    rows = standard([{"source": source, "entity": own, **row} for row in day.rows], date, entity)
    with lake.writer(layout.standard_path(made, date, entity), rows.schema) as writer:
        writer.write_table(rows)
        made_from = fingerprint or sha256(repr(day).encode()).hexdigest()
        writer.add_key_value_metadata({layout.FINGERPRINT: made_from, layout.CONTENT: digest("", rows)})
    lake.write(layout.quarantine_path(made, date), pa.table({"id": pa.array(day.held_back, pa.string())}))


def take_away(lake: Lake, name: str, date: str, entity: Entity = Entity.PARTY) -> None:
    made = contract(name, "snapshot")
    lake.delete(layout.standard_path(made, date, entity))
    lake.delete(layout.quarantine_path(made, date))


def state(lake: Lake, entity: Entity = Entity.PARTY) -> list[Row]:
    rows: list[Row] = tables.records(lake, entity).read().to_pylist()
    return sorted(rows, key=lambda row: (row["source"], row["entity"], row["record_id"]))


def active(lake: Lake) -> dict[str, bool]:
    return {row["record_id"]: row["active"] for row in state(lake)}


def at_once(contracts: Sequence[SourceContract], entity: Entity, days: Days) -> list[Row]:
    """The state of all days, by the rules alone."""
    delivery = {contract.name: contract.delivery for contract in contracts}
    partitions, standards = [], {}
    for (name, date), day in days.items():
        source, own = name.split("/")
        held_back = pa.array(day.held_back, pa.string())
        partitions.append(Partition(source, own, date, f"{name}/{date}", delivery[name].value, held_back))
        rows = [{"source": source, "entity": own, **row} for row in day.rows]
        standards[f"{name}/{date}"] = standard(rows, date, entity)
    found = current_state(entity, partitions, lambda path, columns: standards[path].select(columns))
    made: list[Row] = pa.concat_tables([records_schema(entity).empty_table(), *found]).to_pylist()
    return sorted(made, key=lambda row: (row["source"], row["entity"], row["record_id"]))


def build(
    lake: Lake, *contracts: SourceContract, entity: Entity = Entity.PARTY, rebuild: bool = False
) -> Built:
    return build_records(lake, contracts or (SNAPSHOT, DELTA), (entity,), rebuild=rebuild)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def files(lake: Lake) -> dict[str, tuple[str, int]]:
    """Every file with its content and when it was written."""
    return {
        str(path): (sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in Path(lake.url).rglob("*")
        if path.is_file()
    }


rows = st.fixed_dictionaries(
    {"record_id": st.sampled_from("abcdef"), "amount": st.sampled_from(["1.00", "2.00", None])},
    optional={
        "modified_at": st.sampled_from(["2026-06-01T01:00:00Z", "2026-06-01T02:00:00Z"]),
        "is_deleted": st.booleans(),
        "merged_into": st.sampled_from(["a", None]),
    },
)
a_day = st.builds(
    Day,
    rows=st.lists(rows, max_size=5),
    held_back=st.lists(st.sampled_from("abcdefg"), max_size=3, unique=True),
)
slots = st.tuples(st.sampled_from([CRM, ERP, SHOP]), st.sampled_from(DATES))
deliveries = st.tuples(st.just("snapshot"), st.just("delta"), st.sampled_from(["snapshot", "delta"]))
a_date = st.fixed_dictionaries({name: st.one_of(a_day, a_day, st.none()) for name in (CRM, ERP, SHOP)})
one_by_one = st.tuples(*[st.tuples(a_date, st.booleans()) for _ in DATES])
in_any_order = st.dictionaries(slots, a_day, min_size=3, max_size=6)
afterwards = st.dictionaries(slots, st.one_of(a_day, st.none()), max_size=2)


class History:
    """A lake to which days of payments come, with a build now and then that is killed before its last word.

    Payments, because they have few columns; the rules are those of all entities.
    """

    def __init__(self, folder: str, delivery: Sequence[str]) -> None:
        self.lake = Lake(folder)
        names = zip((CRM, ERP, SHOP), delivery, strict=True)
        self.contracts = [contract(name, how, "payment.amount") for name, how in names]
        self.days: dict[tuple[str, str], Day] = {}

    def change(self, days: Mapping[tuple[str, str], Day | None]) -> None:
        for (name, date), day in days.items():
            self.days.pop((name, date), None)
            if day is None:
                take_away(self.lake, name, date, Entity.PAYMENT)
            else:
                lay(self.lake, name, date, day, entity=Entity.PAYMENT)
                self.days[name, date] = day

    def build(self, *, killed: bool = False) -> None:
        made = Path(self.lake.url, layout.made_path(Entity.PAYMENT))
        before = made.read_bytes() if made.exists() else None
        build(self.lake, *self.contracts, entity=Entity.PAYMENT)
        assert self.state() == at_once(self.contracts, Entity.PAYMENT, self.days)
        if killed and before is not None:
            made.write_bytes(before)
        elif killed:
            made.unlink()

    def state(self) -> list[Row]:
        return state(self.lake, Entity.PAYMENT)

    def end(self) -> None:
        self.build()
        former = self.state()
        assert build(self.lake, *self.contracts, entity=Entity.PAYMENT).changed == 0
        assert build(self.lake, *self.contracts, entity=Entity.PAYMENT, rebuild=True).changed == 0
        assert self.state() == former


@settings(max_examples=15, deadline=None)
@given(
    delivery=deliveries,
    coming=one_by_one,
    killed=st.sets(st.integers(0, 9), max_size=2),
    batch=st.integers(1, 9),
)
def test_days_in_order_give_the_state_of_all_days(
    delivery: tuple[str, ...],
    coming: Sequence[tuple[Mapping[str, Day | None], bool]],
    killed: set[int],
    batch: int,
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "_BATCH_ROWS", batch)
        history = History(folder, delivery)
        for number, (date, (days, is_built)) in enumerate(zip(DATES, coming, strict=True)):
            history.change({(name, date): day for name, day in days.items() if day is not None})
            if is_built:
                history.build(killed=number in killed)
        history.end()


@settings(max_examples=15, deadline=None)
@given(
    delivery=deliveries,
    coming=in_any_order,
    at_a_time=st.integers(1, 2),
    later=afterwards,
    killed=st.sets(st.integers(0, 9), max_size=2),
)
def test_days_that_come_late_change_or_go_give_the_state_of_all_days(
    delivery: tuple[str, ...],
    coming: Mapping[tuple[str, str], Day],
    at_a_time: int,
    later: Mapping[tuple[str, str], Day | None],
    killed: set[int],
) -> None:
    with TemporaryDirectory() as folder:
        history = History(folder, delivery)
        found = list(coming.items())
        steps = [dict(found[at : at + at_a_time]) for at in range(0, len(found), at_a_time)]
        for number, step in enumerate([*steps, later]):
            history.change(step)
            history.build(killed=number in killed)
        history.end()


def many(number: int = 100, **values: str) -> list[Row]:
    return [{"record_id": str(1000 + at), "city": "Delft", **values} for at in range(number)]


def test_a_new_day_is_added_and_told_to_readers(lake: Lake) -> None:
    lay(lake, ERP, DATES[0], Day(many()))
    assert build(lake).changed == 100
    table = tables.records(lake, Entity.PARTY)
    mark, base = table.mark, Path(lake.url, layout.records_path(Entity.PARTY)).read_bytes()
    lay(lake, ERP, DATES[1], Day([{"record_id": "1003", "city": "Gouda"}, {"record_id": "2000"}]))
    built = build(lake)
    assert (built.changed, built.rows, built.active, built.partitions) == (2, 101, 101, 2)
    assert Path(lake.url, layout.records_path(Entity.PARTY)).read_bytes() == base
    changes = table.since(mark)
    assert changes is not None
    told = {row["record_id"]: (row["city"], row["first_seen"]) for row in changes.rows.to_pylist()}
    assert told == {"1003": ("Gouda", DATES[0]), "2000": (None, DATES[1])}
    assert changes.gone.num_rows == 0


def test_a_source_that_goes_takes_its_records_along(lake: Lake) -> None:
    lay(lake, CRM, DATES[0], Day(many(20)))
    lay(lake, ERP, DATES[0], Day(many(2)))
    build(lake)
    take_away(lake, ERP, DATES[0])
    built = build(lake)
    assert (built.changed, built.by_source) == (2, {CRM: 20})


def test_without_days_there_is_an_empty_state(lake: Lake) -> None:
    assert build(lake).rows == 0
    assert state(lake) == []


def test_days_that_come_together_are_all_added(lake: Lake) -> None:
    lay(lake, CRM, DATES[0], Day([{"record_id": "a"}, {"record_id": "b"}, {"record_id": "c"}]))
    build(lake)
    lay(lake, CRM, DATES[1], Day([{"record_id": "a"}, {"record_id": "d"}]))
    lay(lake, CRM, DATES[2], Day([{"record_id": "a"}], ["b"]))
    build(lake)
    assert active(lake) == {"a": True, "b": True, "c": False, "d": False}


def test_a_late_day_that_comes_with_a_new_one_takes_nothing_back(lake: Lake) -> None:
    lay(lake, ERP, DATES[1], Day([{"record_id": "a", "city": "Gouda"}]))
    build(lake)
    lay(lake, ERP, DATES[0], Day([{"record_id": "a", "city": "Delft"}]))
    lay(lake, ERP, DATES[2], Day([{"record_id": "b"}]))
    build(lake)
    assert [(row["record_id"], row["city"], row["first_seen"]) for row in state(lake)] == [
        ("a", "Gouda", DATES[0]),
        ("b", None, DATES[2]),
    ]


def test_an_absent_record_that_is_held_back_lives_again(lake: Lake) -> None:
    days = {
        (CRM, DATES[0]): Day([{"record_id": "a"}, {"record_id": "b"}]),
        (CRM, DATES[1]): Day([{"record_id": "a"}]),
        (CRM, DATES[2]): Day([{"record_id": "a"}], ["b\u00a0"]),
    }
    found = []
    for (name, date), day in days.items():
        lay(lake, name, date, day)
        build(lake)
        found.append(active(lake)["b"])
    assert found == [True, False, True]


@pytest.mark.parametrize("day", [Day([{"record_id": "c"}]), None])
def test_a_day_that_a_killed_build_added_can_still_change_or_go(lake: Lake, day: Day | None) -> None:
    made = Path(lake.url, layout.made_path(Entity.PARTY))
    lay(lake, ERP, DATES[0], Day([{"record_id": "a"}]))
    build(lake)
    before = made.read_bytes()
    lay(lake, ERP, DATES[1], Day([{"record_id": "b"}]))
    build(lake)
    made.write_bytes(before)
    take_away(lake, ERP, DATES[1])
    if day is not None:
        lay(lake, ERP, DATES[1], day)
    build(lake)
    assert active(lake) == ({"a": True} if day is None else {"a": True, "c": True})


@pytest.mark.parametrize("killed", [False, True])
def test_nothing_is_written_when_nothing_has_come(lake: Lake, killed: bool) -> None:
    everything = (Entity.PARTY, Entity.ORDER)
    contracts = (SNAPSHOT, DELTA, contract("shop/order", "delta", "order.party_id"))
    lay(lake, CRM, DATES[0], Day(many(30)))
    lay(lake, "shop/order", DATES[0], Day([{"record_id": "1", "party_id": "1"}]), entity=Entity.ORDER)
    build_records(lake, contracts, everything)
    lay(lake, CRM, DATES[1], Day(many(29), ["1029"]))
    build_records(lake, contracts, everything)
    before = files(lake)
    assert build_records(lake, contracts, everything).changed == 0
    assert files(lake) == before
    if killed:
        Path(lake.url, layout.made_path(Entity.PARTY)).unlink()
    build_records(lake, contracts, everything, rebuild=True)
    assert {path: content for path, (content, _) in files(lake).items()} == {
        path: content for path, (content, _) in before.items()
    }


def test_whose_order_it_is_follows_the_parties(lake: Lake) -> None:
    everything = (Entity.PARTY, Entity.ORDER)
    contracts = (contract(SHOP, "delta"), contract("shop/order", "delta", "order.party_id"))
    lay(lake, SHOP, DATES[0], Day(many(20)))
    lay(lake, "shop/order", DATES[0], Day([{"record_id": "1", "party_id": "x"}]), entity=Entity.ORDER)
    build_records(lake, contracts, everything)
    assert [row["party_record_id"] for row in state(lake, Entity.ORDER)] == [None]
    lay(lake, SHOP, DATES[1], Day([{"record_id": "x"}]))
    mark = tables.records(lake, Entity.ORDER).mark
    assert build_records(lake, contracts, everything).changed == 2
    assert [row["party_record_id"] for row in state(lake, Entity.ORDER)] == ["x"]
    assert tables.records(lake, Entity.ORDER).mark != mark


def test_orders_of_other_parties_are_not_taken_for_the_same(tmp_path: Path) -> None:
    """The same days of orders, and tables made anew: a reader of the former ones has to read everything."""
    everything = (Entity.PARTY, Entity.ORDER)
    contracts = (contract(SHOP, "delta"), contract("shop/order", "delta", "order.party_id"))
    marks = []
    for party in ("x", "y"):
        lake = Lake(str(tmp_path / party))
        lay(lake, SHOP, DATES[0], Day([{"record_id": party}]))
        lay(lake, "shop/order", DATES[0], Day([{"record_id": "1", "party_id": "x"}]), entity=Entity.ORDER)
        build_records(lake, contracts, everything)
        marks.append(tables.records(lake, Entity.ORDER).mark)
    assert marks[0] != marks[1]


def test_a_day_that_was_refused_again_still_tells_what_it_held_back(lake: Lake) -> None:
    """Such a day leaves another quarantine beside the standard rows of before."""
    lay(lake, CRM, DATES[0], Day([{"record_id": "a"}, {"record_id": "b"}]), fingerprint="1")
    lay(lake, CRM, DATES[1], Day([{"record_id": "a"}]), fingerprint="2")
    build(lake)
    assert active(lake) == {"a": True, "b": False}
    lay(lake, CRM, DATES[1], Day([{"record_id": "a"}], ["b"]), fingerprint="2")
    build(lake)
    assert active(lake) == {"a": True, "b": True}


def test_a_source_that_delivers_changes_from_now_on_has_no_absent_records(lake: Lake) -> None:
    lay(lake, CRM, DATES[0], Day([{"record_id": "a"}, {"record_id": "b"}]))
    lay(lake, CRM, DATES[1], Day([{"record_id": "a"}]))
    build(lake, SNAPSHOT)
    assert active(lake) == {"a": True, "b": False}
    build(lake, replace(SNAPSHOT, delivery=Delivery.DELTA))
    assert active(lake) == {"a": True, "b": True}


def test_a_state_with_other_columns_is_made_anew(lake: Lake) -> None:
    lay(lake, ERP, DATES[0], Day(many(20)))
    build(lake)
    table, made = tables.records(lake, Entity.PARTY), Path(lake.url, layout.made_path(Entity.PARTY))
    former = table.read().append_column("fax", pa.nulls(20, pa.string()))
    table.write(former, former.schema, "of a former release")
    made.write_text(json.dumps({**json.loads(made.read_text()), "mark": str(table.mark)}))
    lay(lake, ERP, DATES[1], Day(many(1)))
    build(lake)
    assert table.schema == records_schema(Entity.PARTY)
    assert len(state(lake)) == 20


def test_a_day_that_reads_otherwise_changes_the_state(tmp_path: Path) -> None:
    """The same file under the same contract, in another time zone: the rows are others, and the state follows."""
    crm = replace(
        SNAPSHOT,
        modified_at="changed",
        columns=(*SNAPSHOT.columns, Column("changed", logical_type=LogicalType.TIMESTAMP)),
    )
    landing = tmp_path / "landing" / CRM / f"{DATES[0]}.csv"
    landing.parent.mkdir(parents=True)
    landing.write_text("id,city,changed\n1,Delft,2026-05-01 12:00:00\n")
    found = []
    for timezone in ("UTC", "America/New_York", "America/New_York"):
        own = load_settings(
            home=tmp_path,
            landing_url=str(tmp_path / "landing"),
            lake_url=str(tmp_path / "lake"),
            timezone=timezone,
            threads=1,
        )
        lake = Lake(own.lake_url)
        process_day(own, lake, crm, DATES[0])
        build(lake, crm)
        found.append((state(lake)[0]["modified_at"], str(tables.records(lake, Entity.PARTY).mark)))
    assert [modified[:13] for modified, _ in found] == ["2026-05-01T12", "2026-05-01T16", "2026-05-01T16"]
    assert found[1] == found[2]


def test_an_attribute_that_a_former_release_did_not_know_of_is_empty_in_its_days(lake: Lake) -> None:
    lay(lake, CRM, DATES[0], Day([{"record_id": "1", "surname": "Jansen"}]))
    path = layout.standard_path(contract(CRM, "snapshot"), DATES[0], Entity.PARTY)
    former = lake.read(path).drop_columns(["deceased"])
    with lake.writer(path, former.schema) as writer:
        writer.write_table(former)
    build(lake)
    lay(lake, CRM, DATES[1], Day([{"record_id": "1"}, {"record_id": "2", "deceased": "true"}]))
    build(lake)
    assert [row["deceased"] for row in state(lake)] == [None, "true"]
