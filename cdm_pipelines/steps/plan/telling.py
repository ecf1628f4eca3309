"""From what was compared to a plan: counts by attribute and purpose, limits, and what else is to be known.

Belongs here: that. Does not belong here: comparing (hub.foreseen), the customers that are shown (``examples``).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cdm_pipelines.hub.foreseen import Foreseen, Row
from cdm_pipelines.quality.thresholds import ACCEPTED, PlanThresholds, judge
from cdm_pipelines.steps.customers.publication import StagedCustomers
from cdm_pipelines.steps.plan.inputs import Inputs
from cdm_pipelines.steps.plan.outcome import (
    AttributeChange,
    Check,
    ConsentChange,
    Customers,
    Effect,
    Example,
    Ids,
    Model,
    Plan,
    Records,
    SourceChange,
)

_WORDS = {
    "merged": "become one with another",
    "split": "become several",
    "changed": "get another golden value",
    "consent_lost": "allow less",
    "consent_gained": "allow more",
}


def told(
    given: Inputs,
    models: Sequence[Model],
    staged: StagedCustomers,
    found: Foreseen,
    *,
    waiting: int,
    decided: bool,
    unapplied: Sequence[str],
    silent: Sequence[str],
    limits: PlanThresholds,
    examples: Sequence[Example],
    values: bool,
) -> Plan:
    """What is known of a version that was staged beside the published one, as a plan."""
    counts = found.counts()
    names = ("before", "after", "merged", "merged_into", "split", "split_into", "changed")
    return Plan(
        taken=given.taken,
        models=tuple(models),
        waiting=waiting,
        customers=Customers(**{name: counts[name] for name in names}),
        records=Records(counts["records"], counts["moved"], counts["come"], counts["gone"]),
        ids=Ids(**found.ids()),
        attributes=tuple(attribute_changes(found.values())),
        consent=tuple(ConsentChange(**row) for row in found.consents()),
        consent_lost=counts["consent_lost"],
        consent_gained=counts["consent_gained"],
        examples=tuple(examples),
        checks=(*_limits(counts, limits), *_of_the_run(staged)),
        notes=(*_waiting(waiting, unapplied, decided=decided), *_notes(given, silent)),
        values=values,
    )


def attribute_changes(rows: Iterable[Row]) -> Iterator[AttributeChange]:
    """Counted by attribute, of rows by attribute, change and sources; most customers first."""
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    sources: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in rows:
        name, customers = str(row["attribute"]), int(row["customers"])
        kinds[name][str(row["change"])] += customers
        sources[name][str(row["before"]), str(row["after"])] += customers
    for name in sorted(kinds, key=lambda one: (-kinds[one].total(), one)):
        counted = sorted(sources[name].items(), key=lambda one: (-one[1], one[0]))
        yield AttributeChange(
            name,
            kinds[name]["filled"],
            kinds[name]["emptied"],
            kinds[name]["other"],
            tuple(SourceChange(*pair, customers) for pair, customers in counted),
        )


def _limits(counts: Mapping[str, int], limits: PlanThresholds) -> Iterator[Check]:
    for name, words in _WORDS.items():
        number, before = counts[name], counts["before"]
        share = number / before if before else 0.0
        text = f"{number:,} of {before:,} customers in service {words}: {share:.2%}"
        yield Check.of(f"plan.{name}", judge(share, getattr(limits, name), text))


def _of_the_run(staged: StagedCustomers) -> Iterator[Check]:
    """What the run itself would be held to; what a person has to say yes to is refused here."""
    for name, verdict in staged.verdicts.items():
        text = verdict.text.removesuffix(ACCEPTED)
        if verdict.accepted:
            text += f". The run would stop there, unless told `--accept {name}`"
        yield Check.of(name, verdict, text)


def _waiting(waiting: int, unapplied: Sequence[str], *, decided: bool) -> Iterator[str]:
    """What the next run would do in any case."""
    if waiting:
        yield (
            f"{waiting:,} records have changed since the published version. The next run publishes what follows from "
            "them in any case, and it is counted here: run first and plan then to see the change of policy alone."
        )
    if decided:
        yield "Stewards have decided since the published version, and what follows from that is counted here too."
    if unapplied:
        yield (
            f"{', '.join(unapplied)} in force: changed since the published version, and what that does is counted here "
            "too. Run first and plan then to see this change alone."
        )


def _notes(given: Inputs, silent: Sequence[str]) -> Iterator[str]:
    """What is to be known of the files that were given."""
    if not any(one.changed for one in given.taken):
        yield "Every file says what the one in force says."
    later = [one.file for one in given.taken if one.changed and one.effect is Effect.NEXT_DAYS]
    if later:
        yield (
            f"{', '.join(later)}: what is read otherwise shows on days that arrive from now on, or are run again; days "
            "that are there stay as they were read."
        )
    elsewhere = [one.file for one in given.taken if one.changed and one.effect is Effect.ELSEWHERE]
    if elsewhere:
        yield f"{', '.join(elsewhere)}: changes nothing of who the customers are, so a plan does not show it."
    if silent:
        yield f"{', '.join(silent)}: no day of it has arrived, so that nothing can be foreseen of it."
