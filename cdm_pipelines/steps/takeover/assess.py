"""The step that looks at another company's extracts before anything of them is taken in.

Belongs here: the steps of a run beside, with the other company as one more source, and gathering the report from what
they made. Does not belong here: running the steps (steps.plan.making), the folder (``folder``), the estimate and the
form of the report (insight).

Nothing is predicted but how many are ours: the rest is what those steps made, so that it is what the next run would
make of the same files. The lake and the hub are only read; what is written lies in a folder beside, which goes when
this ends, however it ends (store.beside).
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.golden import load_policy as load_survivorship
from cdm_pipelines.hub import source_days
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.migrate import newest, version
from cdm_pipelines.hub.publish import published_from
from cdm_pipelines.insight.business_case_policy import BusinessCasePolicy
from cdm_pipelines.insight.report_words import Told
from cdm_pipelines.insight.takeover_report import (
    Assessment,
    AttributeFigures,
    Cleaning,
    FileFigures,
    Ids,
    ValueFigures,
    with_costs,
)
from cdm_pipelines.quality.thresholds import ACCEPTABLE
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.days.source_day import DayRefusedError, process_day
from cdm_pipelines.steps.days.tally import DayResult
from cdm_pipelines.steps.plan.inputs import Inputs
from cdm_pipelines.steps.plan.making import Run, steps_beside
from cdm_pipelines.steps.takeover.consents import consent_figures
from cdm_pipelines.steps.takeover.folder import (
    Extract,
    Folder,
    TakeoverError,
    check_name,
    place_extracts,
    read_folder,
)
from cdm_pipelines.steps.takeover.shared import Shared, segments, shared_customers
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.layered import Mark

_KEYS = "privacy"
"""Folder of the lake that says under which key values are encrypted: theirs are compared as ours are."""
NAME = "other_company"
"""Of the source where no name is given."""
_LEAST_IDS, _MOST_OF = 10, 0.5
"""A column refers to a source of ours where so many of its values, and this share of them, are ids of it."""


@dataclass
class _Day:
    """What became of the other company's files beside."""

    date: str
    folder: Folder | None = None
    results: dict[str, DayResult] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def assess(
    settings: Settings, folder: Path, name: str = NAME, *, progress: Callable[[str], None] = lambda _: None
) -> Assessment:
    """Say what taking a company in would bring; nothing is taken in, and nothing is left behind.

    Args:
        settings: Of the deployment.
        folder: With the other company's extracts, and contracts for some of them.
        name: Of the source that it would be.
        progress: Told in a few words what is being done.

    Raises:
        TakeoverError: The folder or the name cannot be used.
        PrivacyPolicyError: The business case, which has unit costs, cannot be used.
        PlanError: Nothing is published yet, the next run would fail, or a run wrote meanwhile.
    """
    check_name(name, sorted({one.source for one in all_contracts()}))
    work = with_costs(_work(Counter()), settings.policies)  # what is wrong with them is told before the work
    del work
    day = _Day(newest_day(settings))

    def gather(beside: Path) -> Inputs:
        progress("reading the other company's files")
        day.folder = read_folder(folder, name, beside / "contracts" / name)
        place_extracts(day.folder, str(beside / "landing"), day.date)
        own = settings.model_copy(update={"landing_url": str(beside / "landing")})
        return Inputs(own, (*all_contracts(), *day.folder.contracts), ())

    def arrive(lake: Lake, given: Inputs) -> None:
        assert day.folder is not None  # noqa: S101 - it was gathered
        for contract in day.folder.contracts:
            try:
                day.results[contract.entity] = process_day(
                    given.settings, lake, contract, day.date, accept=ACCEPTABLE
                )
            except DayRefusedError as error:
                day.refused[contract.entity] = _without_paths(str(error))
        if not any(result.accepted for result in day.results.values()):
            raise TakeoverError(
                f"{folder}: no row of it can be used. {' '.join(day.refused.values())} Correct the files, or write "
                "contracts beside them."
            )

    with steps_beside(settings, gather, arrive=arrive, also=(_KEYS,), progress=progress) as run:
        progress("writing the report")
        assert day.folder is not None  # noqa: S101 - it was gathered
        return _gathered(settings, run, day, day.folder)


def newest_day(settings: Settings) -> str:
    """The newest day that customers were made from: as of it the other company is looked at."""
    with open_hub(settings) as engine, engine.connect() as connection:
        there = version(connection) == newest()  # steps_beside says what to do where it is not
        days = source_days.known_days(connection) if there else set()
    return max((one.date for one in days), default="2000-01-01")


def _gathered(settings: Settings, run: Run, day: _Day, folder: Folder) -> Assessment:
    parties = tables.records(run.lake, Entity.PARTY).read()
    theirs_at = pc.equal(parties["source"], folder.name)
    theirs, ours = parties.filter(theirs_at), parties.filter(pc.invert(theirs_at))
    shared = shared_customers(settings, run.lake, folder.name, run.inputs.contracts)
    counts = run.foreseen.counts()
    quarantined = sum(one.quarantined for one in day.results.values())
    repaired = sum(one.repaired for one in day.results.values())
    as_of = dt.date.fromisoformat(day.date)
    consent = replace(
        consent_figures(settings, run.lake, folder.name, shared.of_customer, as_of),
        lost=counts["consent_lost"],
        gained=counts["consent_gained"],
    )
    silent = max((one.nothing for one in consent.purposes), default=0)
    volumes = Counter(
        cost_of_a_row_put_aside=quarantined,
        cost_of_a_repaired_row=repaired,
        cost_of_merging_a_record=theirs.num_rows - shared.customers,
        cost_of_a_doubtful_match=shared.doubtful,
        cost_of_asking_for_consent=silent,
    )
    return Assessment(
        name=folder.name,
        date=day.date,
        files=tuple(_files(folder, day)),
        unreadable=folder.problems,
        records=theirs.num_rows,
        customers=shared.customers,
        attributes=tuple(_described(theirs, ours)),
        overlap=shared.overlap,
        segments=segments(run.connection, shared),
        golden_before=counts["before"],
        golden_after=counts["after"],
        merged=counts["merged"],
        values=tuple(_values(run, folder.name)),
        trusted=_trusted(settings, folder),
        consent=consent,
        doubtful=shared.doubtful,
        ids=_ids(run.lake, folder, day, ours, shared),
        cleaning=with_costs(_work(volumes), settings.policies),
        notes=tuple(_notes(settings, run, folder)),
        currency=BusinessCasePolicy.load(settings.policies).currency,
    )


def _work(volumes: Counter[str]) -> tuple[Cleaning, ...]:
    words = {
        "cost_of_a_row_put_aside": Told(
            en="rows put aside, to correct or to drop",
            nl="rijen die apart zijn gezet, te verbeteren of te laten vallen",
        ),
        "cost_of_a_repaired_row": Told(
            en="rows of which a cell was changed or blanked, to look at",
            nl="rijen waarvan een cel is gewijzigd of leeggemaakt, te bekijken",
        ),
        "cost_of_merging_a_record": Told(
            en="records that repeat a customer of theirs, to merge",
            nl="records die een klant van hen herhalen, samen te voegen",
        ),
        "cost_of_a_doubtful_match": Told(
            en="pairs of theirs and ours for a steward to decide",
            nl="paren van hen en ons waarover een steward beslist",
        ),
        "cost_of_asking_for_consent": Told(
            en="customers of theirs to ask for consent", nl="klanten van hen om toestemming te vragen"
        ),
    }
    return tuple(Cleaning(key, what, volumes[key]) for key, what in words.items())


def _files(folder: Folder, day: _Day) -> Iterator[FileFigures]:
    by_file = {one.contract.entity: one for one in folder.extracts}
    for contract in folder.contracts:
        result = day.results.get(contract.entity)
        extract = by_file.get(contract.entity) or _holding(contract, folder.extracts)
        unmapped = tuple(
            column.name
            for column in contract.columns
            if not column.maps_to and column.name not in contract.key
        )
        counted = (result.read, result.accepted, result.quarantined, result.repaired) if result else (0,) * 4
        yield FileFigures(
            extract.file.name if extract else contract.entity,
            contract.entity,
            extract.suggested if extract else False,
            extract.doubts if extract else 0,
            unmapped,
            *counted,
            dict(result.reasons) if result else {},
            dict(result.repairs) if result else {},
            day.refused.get(contract.entity, _stopped(result)),
        )


def _holding(contract: SourceContract, extracts: Iterable[Extract]) -> Extract | None:
    """The file of another entity in which one is delivered."""
    return next((one for one in extracts if one.contract.location == contract.location), None)


def _stopped(result: DayResult | None) -> str:
    """Why the day would be refused without somebody's saying yes; empty where it would not."""
    if result is None:
        return ""
    found = [
        verdict.text.partition(". ")[0]
        for verdict in result.verdicts.values()
        if verdict.stops or verdict.accepted
    ]
    return "; ".join(found)


def _described(theirs: pa.Table, ours: pa.Table) -> Iterator[AttributeFigures]:
    """How well the attributes that they deliver, or most of ours have, are filled."""
    faults = pc.fill_null(theirs["invalid_attributes"], "").to_pylist()
    invalid = Counter(name for text in faults for name in text.split(",") if name)
    for one in attributes(Entity.PARTY, golden_only=True):
        there, own = _filled(theirs, one.name), _filled(ours, one.name)
        if there or own > 0.5:
            number = there * theirs.num_rows
            wrong = min(invalid[one.name], number)
            yield AttributeFigures(one.name, there, own, 1 - wrong / number if number else 1.0)


def _filled(table: pa.Table, name: str) -> float:
    return 1 - table[name].null_count / table.num_rows if table.num_rows else 0.0


def _values(run: Run, name: str) -> Iterator[ValueFigures]:
    """Golden values of customers in service, by whether the new one comes from the other company."""
    found: dict[str, Counter[str]] = {}
    for row in run.foreseen.values():
        from_them = str(row["after"]).partition("/")[0] == name
        change = (
            {"filled": "filled", "other": "replaced"}.get(str(row["change"]), "other")
            if from_them
            else "other"
        )
        found.setdefault(str(row["attribute"]), Counter())[change] += int(row["customers"])
    for attribute in sorted(found, key=lambda one: (-found[one].total(), one)):
        one = found[attribute]
        yield ValueFigures(attribute, one["filled"], one["replaced"], one["other"])


def _trusted(settings: Settings, folder: Folder) -> Told:
    policy = load_survivorship(settings.policies / "survivorship.yaml")
    names = {name for group in policy.groups for name, _ in group.trust}
    if {folder.name, *(f"{folder.name}/{one.entity}" for one in folder.contracts)} & names:
        return Told(en="as policies/survivorship.yaml says", nl="zoals policies/survivorship.yaml zegt")
    return Told(
        en="last: policies/survivorship.yaml does not name it, so that our values go first where trust decides",
        nl="als laatste: policies/survivorship.yaml noemt hen niet, zodat de onze voorgaan waar vertrouwen beslist",
    )


def _ids(lake: Lake, folder: Folder, day: _Day, ours: pa.Table, shared: Shared) -> Ids:
    """Ids that both have: of records, and in other columns of their files."""
    known: dict[str, set[str]] = {}
    for source, record_id in zip(ours["source"].to_pylist(), ours["record_id"].to_pylist(), strict=True):
        known.setdefault(source, set()).add(record_id)
    every = set().union(*known.values()) if known else set()
    same = [one for one in shared.record_ids if one in every]
    references = []
    for contract in folder.contracts:
        path = layout.valid_path(contract, day.date)
        if contract.entity not in day.results or not lake.exists(path):
            continue
        for column in contract.columns:
            if column.name in contract.key or column.name not in lake.schema(path).names:
                continue
            values = set(lake.read(path, [column.name])[column.name].unique().to_pylist()) - {None, ""}
            for source, ids in known.items():
                number = len(values & ids)
                if number >= _LEAST_IDS and number > _MOST_OF * len(values):
                    references.append((contract.entity, column.name, source, number / len(values)))
    return Ids(len(same), sum(shared.linked_with_same_id(one) for one in same), tuple(references))


def _notes(settings: Settings, run: Run, folder: Folder) -> Iterator[Told]:
    parties, mark = tables.records(Lake(settings.lake_url), Entity.PARTY), published_from(run.connection)
    changes = parties.since(Mark.parse(mark[str(Entity.PARTY)])) if str(Entity.PARTY) in mark else None
    waiting = parties.read([]).num_rows if changes is None else changes.rows.num_rows + changes.gone.num_rows
    if waiting:
        yield Told(
            en="{number} records of ours have changed since the published version, and what follows from them is "
            "counted here too: run first and assess then to see the takeover alone.",
            nl="{number} records van ons zijn gewijzigd sinds de gepubliceerde versie, en wat daaruit volgt is hier "
            "meegeteld: draai eerst een run en beoordeel dan, om alleen de overname te zien.",
        ).filled(number=waiting)
    if run.decided:
        yield Told(
            en="Stewards have decided since the published version, and what follows from that is counted here too.",
            nl="Stewards hebben sinds de gepubliceerde versie beslist, en wat daaruit volgt is hier meegeteld.",
        )
    guessed = sum(one.suggested for one in folder.extracts)
    if guessed:
        yield Told(
            en="{guessed} of {all} files were read by a contract that was guessed from the file. Write contracts "
            "beside them (`cdm suggest FILE --out`) and assess again, before you rest on the figures.",
            nl="{guessed} van {all} bestanden zijn gelezen met een contract dat uit het bestand is geraden. Schrijf er "
            "contracten bij (`cdm suggest FILE --out`) en beoordeel opnieuw, voordat u op de cijfers bouwt.",
        ).filled(guessed=guessed, all=len(folder.extracts))


def _without_paths(text: str) -> str:
    """A message of a day beside, without the folder that is gone by the time it is read."""
    return " ".join(word for word in text.split() if "/plan/" not in word)
