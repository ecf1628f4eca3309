"""Pages that are read in Dutch are in Dutch."""

import re

import pytest
import yaml

from cdm_pipelines.console.pages.menu import PAGES
from cdm_pipelines.console.pages.words import TEMPLATES, WORDS, dutch, teller
from cdm_pipelines.contracts import Column, LogicalType
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.quality.rules import Rule

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
    said = {
        one or other
        for path in TEMPLATES.glob("*.html")
        if path.stem.partition("-")[0] in OURS
        for one, other in SAID.findall(path.read_text(encoding="utf-8"))
    }
    said |= {words for place, words, _ in PAGES if place.strip("/") in OURS}
    said |= {rule.meaning for rule in Rule}
    assert len(said) > 100
    assert sorted(said - set(dutch())) == []


def test_a_dutch_phrase_names_what_the_english_one_names() -> None:
    named = re.compile(r"\{\w+\}")
    assert [one for one in dutch() if sorted(named.findall(one)) != sorted(named.findall(dutch()[one]))] == []


def test_each_phrase_stands_once() -> None:
    written = [yaml.compose(path.read_text(encoding="utf-8")) for path in WORDS]
    keys = [one.value for file in written if file is not None for one, _ in file.value]
    assert len(keys) > 1000
    assert [one for one in set(keys) if keys.count(one) > 1] == []


@pytest.mark.parametrize(
    ("said", "dutch"),
    [
        (
            "The role service does not see golden.provenance (policies/roles.yaml).",
            "De rol service ziet golden.provenance niet (policies/roles.yaml).",
        ),
        (
            "the latest statement, about an e-mail address that 2 customers have, for every channel; it has ended",
            "de laatste uitspraak, over een e-mailadres dat 2 klanten hebben, voor alle kanalen; zij is afgelopen",
        ),
        (
            (
                "Decision 3 is recorded, but has no effect: decision 3 (same) contradicts decisions 1 and 2 by "
                "crm/contact/A and crm/contact/B; undo one of them."
            ),
            (
                "Beslissing 3 is vastgelegd, maar heeft geen uitwerking: beslissing 3 (dezelfde) spreekt de "
                "beslissingen 1 en 2 tegen over crm/contact/A en crm/contact/B; maak een ervan ongedaan."
            ),
        ),
        ("Send at most 1,000,000 bytes.", "Stuur ten hoogste 1.000.000 bytes."),
        (
            "2026-03-01 is no day in the future: the value would never hold.",
            "01-03-2026 is geen dag in de toekomst: de waarde zou nooit gelden.",
        ),
        (
            "The next run would stop with this, and publish nothing: who knows",
            "The next run would stop with this, and publish nothing: who knows",
        ),
        ("Use one of a, b.", "Gebruik een van a, b."),
        ("Nobody has words for this, for every channel.", "Nobody has words for this, for every channel."),
        ("{braces} of (somebody", "{braces} of (somebody"),
    ],
)
def test_a_message_is_told_whole_or_by_its_parts(said: str, dutch: str) -> None:
    assert teller(Language.DUTCH)(said) == dutch
    assert teller(Language.ENGLISH)(said) == said


def test_what_to_do_about_a_rejected_row_is_told_in_dutch() -> None:
    column = Column("x", LogicalType.STRING, enum=("a",), pattern="a+", min_length=1, max_length=2)
    told = teller(Language.DUTCH)
    assert [rule for rule in Rule if told(rule.fix(column)) == rule.fix(column)] == []
