"""Declarations of canonical entities: what contradicts itself or another is refused with where and how to mend it."""

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdm_pipelines.contracts.canonical import (
    Attribute,
    Entity,
    EntityDeclaration,
    Input,
    KeptAs,
    OfItself,
    OfNobody,
    OfParent,
    OfParty,
    ValueType,
    attributes,
    declaration,
    declarations,
    published_entities,
    targets,
    with_state,
)
from cdm_pipelines.contracts.entity import (
    DeclarationError,
    UnknownEntityNameError,
    declare,
    families,
    withdraw,
)

ARTICLE = Entity("article")


def attribute(name: str = "code", *, key: bool = False, **more: Any) -> Attribute:
    entity, privacy = more.get("entity", ARTICLE), more.get("privacy", "system.operations")
    return Attribute(entity, name, ValueType.TEXT, "Something.", "article", privacy, key=key)


def article(**more: Any) -> EntityDeclaration:
    parts = {
        "entity": ARTICLE,
        "plural": "articles",
        "description": "Articles.",
        "whose": OfNobody(),
        "attributes": (attribute(key=True), attribute("name")),
    }
    return EntityDeclaration(**{**parts, **more})


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = declarations()
    yield
    withdraw(ARTICLE)
    assert declarations() == before


def test_what_is_declared_is_known_until_it_is_withdrawn() -> None:
    made = article()
    assert declare(made) is ARTICLE
    assert list(Entity)[-1] is ARTICLE
    assert declaration("article") is made
    assert [a.name for a in attributes(ARTICLE)] == ["code", "name"]
    assert targets()["article.name"] is made.attributes[1]
    withdraw(ARTICLE)
    assert ARTICLE not in list(Entity)
    assert "article.name" not in targets()
    with pytest.raises(
        UnknownEntityNameError, match=r"no canonical entity article\. There are: party, order, "
    ):
        attributes(ARTICLE)


def test_an_entity_is_one_object_wherever_it_goes() -> None:
    for entity in Entity:
        assert Entity(str(entity)) is entity
        assert pickle.loads(pickle.dumps(entity)) is entity
        assert copy.deepcopy({entity: entity})[entity] is entity
    assert f"{Entity.ORDER_LINE}" == "order_line"


def test_families_are_heads_with_all_that_is_theirs() -> None:
    names = [[str(one.entity) for one in family] for family in families()]
    orders = ["order", "order_line", "payment", "refund"]
    assert names == [["party"], orders, ["consent"], ["invoice"], ["product"]]


def test_what_is_kept_as_a_ledger_has_records_and_no_table_that_follows_from_it() -> None:
    assert Entity.CONSENT in {one.entity for one in with_state()}
    assert Entity.CONSENT not in {one.entity for one in published_entities()}


def test_what_is_kept_as_days_has_no_state_and_no_table() -> None:
    assert Entity.INTERACTION in list(Entity)
    assert Entity.INTERACTION not in {one.entity for one in (*with_state(), *published_entities())}
    assert Entity.INTERACTION not in {one.entity for family in families() for one in family}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"attributes": (attribute("Code", key=True),)}, "'Code' is no name. Use small letters"),
        ({"table": "golden.article"}, "'golden.article' is no name"),
        ({"attributes": (attribute("name"),)}, "has no key. Set key=True"),
        (
            {"attributes": (attribute(key=True), attribute())},
            "attributes: code occurs 2 times. Declare it once",
        ),
        ({"attributes": (attribute("source", key=True),)}, "source is a column of every entity"),
        (
            {"attributes": (attribute(key=True), attribute("name", entity=Entity.ORDER))},
            "name is an attribute of order. Declare it of article",
        ),
        (
            {"attributes": (attribute(key=True, privacy="secret!"),)},
            "privacy category 'secret!'. Use a key of",
        ),
        (
            {"kept": KeptAs.DAYS, "indexed": ("code",)},
            "is kept as days, and has no table. Remove table, indexed and told_as, or keep a state of it",
        ),
        (
            {"kept": KeptAs.DAYS, "attributes": (attribute(key=True), attribute("part", key=True))},
            "is kept as days, but has several keys. Set key=True on one attribute",
        ),
        (
            {"kept": KeptAs.DAYS, "whose": OfParent(Entity.ORDER, by=(("code", "order_id"),))},
            "is kept as days, but belongs to a parent. Name the party",
        ),
        (
            {"whose": OfParent(Entity.INTERACTION, by=(("code", "interaction_id"),))},
            "its parent interaction is kept as days. Name a parent that has a state",
        ),
        ({"indexed": ("colour",)}, "indexed: there is no attribute colour. Choose from code, name"),
        (
            {"inputs": (Input(ARTICLE, "all", "All.", ("x",), "user"),)},
            r"inputs\[all\].yields: there is no attribute x",
        ),
        ({"whose": OfParty(by=())}, "whose.by is empty"),
        ({"whose": OfParty(by=(("buyer", "email"),))}, "whose.by: there is no attribute buyer"),
        ({"told_as": "articles"}, "its rows name no party"),
        (
            {"whose": OfParty(by=(("name", "colour"),))},
            "whose.by: there is no attribute colour. Choose from record_id",
        ),
        (
            {"whose": OfParty(by=(("name", "email"),)), "told_as": "email"},
            "told_as=email is what a change of the",
        ),
        (
            {"whose": OfParty(by=(("name", "email"),)), "told_as": "records"},
            "told_as=records is what a change",
        ),
        ({"whose": OfParent(Entity("shelf"), by=(("code", "code"),))}, "its parent shelf is not declared"),
        ({"whose": OfParent(Entity.ORDER, by=(("code", "code"),))}, "whose.by: there is no attribute code"),
        ({"whose": OfItself()}, "only the party, declared first"),
        ({"table": "customer_order"}, "table customer_order is another entity's"),
    ],
)
def test_what_contradicts_itself_or_another_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=f"^Canonical entity article: .*{message}"):
        declare(article(**wrong))


def test_an_entity_is_declared_once() -> None:
    declare(article())
    with pytest.raises(DeclarationError, match="article: is declared already"):
        declare(article())


def test_the_guide_declares_an_entity() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "how-to" / "add-an-entity.md").read_text(encoding="utf-8")
    code = guide.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/how-to/add-an-entity.md", "exec"), names)
    declared = declaration(names["SERVICE_TICKET"])
    try:
        assert declared.privacy == ("user.behavior", "user.contact.email")
        assert declared.compared == {"ticket_id", "party_id"}
    finally:
        withdraw(declared.entity)
