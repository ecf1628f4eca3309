"""Declarations of places: what they cover, what they must say, and how they are gone through."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.operate.register_document import COLUMNS, render_register, rows
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.register import (
    Anew,
    ByOwner,
    Erased,
    Follows,
    Found,
    Keeps,
    Kept,
    Kind,
    Persons,
    Place,
    Register,
    RegisterError,
    Retention,
    Root,
    Rows,
    Search,
    Stores,
    Whom,
    erase,
    matching,
    search,
)

SOMEBODY = Persons.of([("crm", "contact", "1"), ("crm", "contact", "1"), ("erp", "customer", "2")])


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("raw/crm/contact/{date}.parquet", "raw/crm/contact/2026-06-01.parquet", True),
        ("raw/crm/contact/{date}.parquet", "raw/crm/contact/notes.parquet", False),
        ("raw/crm/contact/{date}.parquet", "raw/crm/contact/old/2026-06-01.parquet", False),
        ("raw/crm/contact/{date}.parquet", "raw/crm/contact/2026-06-01.parquet.bak", False),
        ("crm/contact/{date}*.csv", "crm/contact/2026-06-01-part2.csv", True),
        ("erp/{date:%Y%m%d}.txt", "erp/20260601.txt", True),
        ("link/state/{number}/links.arrow", "link/state/7/links.arrow", True),
        ("link/state/{number}/links.arrow", "link/state/links.arrow", False),
        ("postgres/data/**", "postgres/data/base/1/2619", True),
        ("dagster.{table}", "dagster.event_logs", True),
        ("dagster.{table}", "dagsterxevent_logs", False),
        ("a+b.csv", "aab.csv", False),
    ],
)
def test_a_pattern_covers_no_more_than_it_says(pattern: str, path: str, covered: bool) -> None:
    assert matching(pattern)(path) is covered


def place(name: str = "lake/table", **values: Any) -> Place:
    given: dict[str, Any] = {
        "kind": Kind.LAKE_TABLE,
        "root": Root.LAKE,
        "pattern": f"{name}.parquet",
        "description": "A table.",
        "whom": (Whom.CUSTOMERS,),
        "columns": {"id": "user.unique_id", "size": "system.operations"},
        "key": ("id",),
        "kept": Retention(Keeps.AS_SOURCE),
        "erasure": ByOwner("by hand"),
    }
    return Place(name=name, **(given | values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"key": ("number",)}, "key column number is not among its columns"),
        ({"whom": ()}, "say whose data it is"),
        ({"columns": {"id": "system.operations"}}, "say whose data it is"),
        ({"erasure": Rows(lambda stores, persons: 0)}, "what can be erased can be searched"),
        ({"erasure": Anew("records", lambda stores, persons: 0)}, "what can be erased can be searched"),
    ],
)
def test_a_declaration_that_cannot_be_right_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(RegisterError, match=told):
        place(**values)


def test_a_retention_names_a_setting_that_there_is() -> None:
    assert (
        str(Retention(Keeps.DAYS, "of runs", "run_retention_days")) == "CDM_RUN_RETENTION_DAYS days: of runs"
    )
    with pytest.raises(RegisterError, match="no setting"):
        Retention(Keeps.DAYS, setting="patience")
    with pytest.raises(RegisterError, match="only then"):
        Retention(Keeps.DAYS)
    with pytest.raises(RegisterError, match="only then"):
        Retention(Keeps.FOR_EVER, setting="run_retention_days")


def test_a_name_is_given_once_and_an_unknown_one_is_told() -> None:
    with pytest.raises(RegisterError, match="Two places are called lake/table"):
        Register([place(), place()])
    register = Register([place(), place("lake/other")])
    assert register.named("lake/other").pattern == "lake/other.parquet"
    with pytest.raises(RegisterError, match="`cdm register` shows them"):
        register.named("lake/none")
    assert [one.name for one in register.covering(Root.LAKE, "lake/table.parquet")] == ["lake/table"]
    assert register.covering(Root.HOME, "lake/table.parquet") == []


def test_places_are_searched_and_erased_whatever_they_are(tmp_path: Any) -> None:
    kept = {"lake/a": [{"id": "1"}, {"id": "3"}], "lake/b": [{"id": "2"}]}
    order: list[str] = []

    def held(name: str) -> Place:
        def find(stores: Stores, persons: Persons) -> Iterator[Found]:
            ids = {key[2] for key in persons.keys}
            yield Found(name, [row for row in kept[name] if row["id"] in ids])

        def remove(stores: Stores, persons: Persons) -> int:
            order.append(name)
            (found,) = find(stores, persons)
            kept[name] = [row for row in kept[name] if row not in found.rows]
            return len(found.rows)

        return place(name, search=Search("id", find), erasure=Rows(remove))

    others = [
        place("lake/c", erasure=Follows("the others")),
        place("lake/e", erasure=Kept("of nobody")),
    ]
    places = [held("lake/a"), *others, held("lake/b")]
    stores = Stores(Lake(str(tmp_path)), None)
    assert [(one.name, found.rows) for one, found in search(places, stores, SOMEBODY)] == [
        ("lake/a", [{"id": "1"}]),
        ("lake/b", [{"id": "2"}]),
    ]
    assert erase(places, stores, SOMEBODY) == [
        Erased("lake/a", 1, "rows removed"),
        Erased("lake/c", 0, "with the others"),
        Erased("lake/e", 0, "of nobody"),
        Erased("lake/b", 1, "rows removed"),
    ]
    assert order == ["lake/a", "lake/b"]
    assert kept == {"lake/a": [{"id": "3"}], "lake/b": []}


def test_persons_are_named_as_hub_and_linkage_name_them() -> None:
    assert SOMEBODY.records.num_rows == 2
    assert SOMEBODY.of_source("crm", "contact") == ["1"]
    assert SOMEBODY.linked.to_pylist() == [
        {"source": "crm/contact", "record_id": "1"},
        {"source": "erp/customer", "record_id": "2"},
    ]
    assert Persons.of([]).records.num_rows == 0


def test_categories_are_the_personal_ones_of_all_that_it_holds() -> None:
    one = place(others="user", categories_of_content=("user.name", "system.operations"))
    assert one.categories == ("user", "user.name", "user.unique_id")
    assert replace(one, columns={}, key=(), others=None).categories == ("user.name",)


def test_the_document_is_the_same_for_the_same_places_and_shows_each() -> None:
    register = all_places(load_settings())
    text = render_register(register)
    assert text == render_register(all_places(load_settings()))
    for one in rows(register):
        assert tuple(one) == COLUMNS
        assert f"| `{one['place']}` |" in text
        assert one["kept"]
        assert one["erased"]


def test_what_is_of_persons_can_be_searched_or_says_why_not() -> None:
    for one in all_places(load_settings()):
        if one.categories and one.search is None:
            assert isinstance(one.erasure, ByOwner | Kept | Follows), one.name
