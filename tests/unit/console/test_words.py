"""Pages that are read in Dutch are in Dutch."""

import re

import yaml

from cdm_pipelines.console.pages.menu import PAGES
from cdm_pipelines.console.pages.words import TEMPLATES, WORDS
from cdm_pipelines.quality import Rule

SAID = re.compile(r"""\bt\(\s*(?:"([^"]+)"|'([^']+)')""")
OURS = (
    "quality",
    "sources",
    "source",
    "lineage",
    "corrections",
    "privacy",
    "plan",
    "assign",
    "work",
    "rejected",
)


def test_every_phrase_of_a_page_has_its_dutch() -> None:
    known = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    said = {
        one or other
        for path in TEMPLATES.glob("*.html")
        if path.stem.partition("-")[0] in OURS
        for one, other in SAID.findall(path.read_text(encoding="utf-8"))
    }
    said |= {words for place, words, _ in PAGES if place.strip("/") in OURS}
    said |= {rule.meaning for rule in Rule}
    assert len(said) > 100
    assert sorted(said - set(known)) == []


def test_a_dutch_phrase_names_what_the_english_one_names() -> None:
    known = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    named = re.compile(r"\{\w+\}")
    assert [one for one in known if sorted(named.findall(one)) != sorted(named.findall(known[one]))] == []


def test_each_phrase_stands_once() -> None:
    written = yaml.compose(WORDS.read_text(encoding="utf-8"))
    assert written is not None
    keys = [one.value for one, _ in written.value]
    assert [one for one in set(keys) if keys.count(one) > 1] == []
