"""The record of processing activities (GDPR article 30, first paragraph), and the map of data that it rests on.

Belongs here: from contracts, policies, places and enrichers to one activity per purpose and one row per canonical
attribute. Does not belong here: what it looks like (``processing_forms``), reading and writing files
(steps.operate.processing).

An attribute is used for the purposes that columns which feed it are given for, and for those of enrichers that read
it, as far as those cover its category. One that no column feeds is worked out of others, and is given for what
attributes of its category of the same entity are.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Attribute, EntityDeclaration, OfItself, declarations
from cdm_pipelines.contracts.dictionary import fed_by
from cdm_pipelines.enrichment.declaration import Enricher
from cdm_pipelines.privacy.checks import attributes_read, is_personal
from cdm_pipelines.privacy.governance import GovernancePolicy
from cdm_pipelines.privacy.policy import Hold
from cdm_pipelines.privacy.purposes import Basis, Purpose, Purposes
from cdm_pipelines.privacy.roles import CLEAR, DeclaredColumn, RolesPolicy
from cdm_pipelines.store.categories import UNCLASSIFIED
from cdm_pipelines.store.register import Kind, Place

SECURITY = (
    "Each role of the database reads views made for it, with columns masked or left out; only the pipeline reads all.",
    "Reading personal data through our own tools leaves a line in a log: who, in which role, for which purpose.",
    "Files that we write are readable by their owner alone; errors, logs and metadata quote no values of persons.",
    "What is published is checked before, and comes in one transaction; decisions and certificates are hash-chained.",
    "Who is erased is erased from every declared place, looked for afterwards, and kept out of later deliveries.",
)
"""What the pipeline itself does to protect data, in general words; a company adds its own in governance.yaml."""
_STANDARD = "standard/"
_WORKED_OUT = ("profile/", "staging/profile")
"""Begins of the names of tables whose columns are what enrichers give, and no attributes."""
NOT_SAID = "not filled in: see controller in governance.yaml"


@dataclass(frozen=True)
class Told:
    """What the record is made from.

    Attributes:
        contracts: Of all sources.
        purposes: Of the company.
        governance: Who is answerable, and who the controller is.
        roles: Who may see what.
        places: All places of the deployment.
        enrichers: Those that are switched on, by name.
        columns: PostgreSQL's type of each column of the hub, by ``schema.table``.
        holds: What the law has kept of persons who are erased.
    """

    contracts: Sequence[SourceContract]
    purposes: Purposes
    governance: GovernancePolicy
    roles: RolesPolicy
    places: Sequence[Place]
    enrichers: Mapping[str, Enricher]
    columns: Mapping[str, Mapping[str, str]]
    holds: Sequence[Hold] = ()


@dataclass(frozen=True)
class Mapped:
    """Which data, why, where, and what is done: one canonical attribute.

    Attributes:
        path: Such as ``party.email``.
        description: What it means.
        category: Privacy category.
        purposes: Keys of those that it is used for.
        sources: ``source/entity`` of those that deliver it.
        places: Names of the places that hold it.
        enrichers: That read it.
        clear: Roles that may see it in clear.
        whom: Whose data it is.
    """

    path: str
    description: str
    category: str
    purposes: tuple[str, ...]
    sources: tuple[str, ...]
    places: tuple[str, ...]
    enrichers: tuple[str, ...]
    clear: tuple[str, ...]
    whom: tuple[str, ...]

    @property
    def personal(self) -> bool:
        """Whether it says something of persons."""
        return is_personal(self.category)


@dataclass(frozen=True)
class Activity:
    """One processing activity: what data are used for one purpose.

    Attributes:
        key: Of the purpose.
        description: In plain words (b).
        basis: On what ground.
        persons: Categories of persons (c).
        categories: Categories of data (c), each with all below it: that it may use, and that its enrichers give.
        attributes: Personal attributes that are used.
        enrichers: What is worked out for it.
        recipients: Who is given data (d).
        transfers: To third countries (e): by recipient, country and safeguard in words.
        retention: Until when (f), in words.
        roles: Roles that act for it.
    """

    key: str
    description: str
    basis: Basis
    persons: tuple[str, ...]
    categories: tuple[str, ...]
    attributes: tuple[str, ...]
    enrichers: tuple[str, ...]
    recipients: tuple[str, ...]
    transfers: Mapping[str, str]
    retention: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Processing:
    """The record, with the map of data.

    Attributes:
        controller: What there is to say of the controller (a), in order: each with its name.
        missing: What of that is not filled in.
        activities: In the order of the purposes.
        attributes: Of all canonical attributes, in their declared order.
        everything: Places that may hold anything: backups, files of the database.
        holds: What the law has kept of who is erased: what, how long, why (f).
        security: Measures (g).
    """

    controller: Mapping[str, str]
    missing: tuple[str, ...]
    activities: Sequence[Activity]
    attributes: Sequence[Mapped]
    everything: tuple[str, ...]
    holds: Sequence[tuple[str, str, str]]
    security: tuple[str, ...] = field(default=SECURITY)


def processing(told: Told) -> Processing:
    """The record of a deployment; the same declarations give the same record."""
    attributes = [row for one in declarations() for row in _mapped(one, told)]
    controller = _controller(told.governance)
    return Processing(
        controller,
        tuple(name for name, said in controller.items() if said == NOT_SAID),
        [_activity(key, one, attributes, told) for key, one in told.purposes.by_key.items()],
        attributes,
        tuple(
            one.name
            for one in told.places
            if UNCLASSIFIED in one.categories_of_content and not _of_source(one, told)
        ),
        [_held(one) for one in told.holds],
        (*SECURITY, *told.governance.security),
    )


def _controller(governance: GovernancePolicy) -> dict[str, str]:
    said = governance.controller
    officer = said.data_protection_officer if said else None
    found = {
        "Controller": said.name if said else NOT_SAID,
        "Contact": said.contact if said else NOT_SAID,
        "Data protection officer": officer.name if officer else NOT_SAID,
        "Contact of the officer": officer.contact if officer else NOT_SAID,
    }
    optional = {
        "Representative": said.representative if said else None,
        "Joint controllers": ", ".join(said.joint_controllers) if said else None,
    }
    return found | {name: value for name, value in optional.items() if value}


def _held(hold: Hold) -> tuple[str, str, str]:
    what = ", ".join((hold.entity, *hold.with_rows))
    return what, f"{hold.years} years after the end of the year of {hold.entity}.{hold.dated}", hold.reason


def _activity(key: str, purpose: Purpose, attributes: Sequence[Mapped], told: Told) -> Activity:
    used = [one for one in attributes if one.personal and key in one.purposes]
    may_use = [one for one in attributes if one.personal and purpose.covers(one.category)]
    working = [name for name in purpose.enrichers if name in told.enrichers]
    given = {output.privacy for name in working for output in told.enrichers[name].outputs}
    transfers = told.governance.transfers
    return Activity(
        key,
        purpose.description,
        purpose.basis,
        _ordered(whom for one in may_use for whom in one.whom),
        (*purpose.categories, *sorted(one for one in given if is_personal(one) and not purpose.covers(one))),
        tuple(one.path for one in used),
        tuple(working),
        purpose.recipients,
        {who: str(transfers[who]) for who in purpose.recipients if who in transfers},
        f"{purpose.retention:,} days" if isinstance(purpose.retention, int) else purpose.retention,
        tuple(name for name, role in told.roles.roles.items() if key in role.purposes),
    )


def _mapped(entity: EntityDeclaration, told: Told) -> Iterator[Mapped]:
    """A row per attribute of an entity."""
    fed = {one.path: _delivered(one, told) for one in entity.attributes}
    reading = {name: attributes_read(one) for name, one in told.enrichers.items()}
    for one in entity.attributes:
        given = fed[one.path][1] or {
            key for near in entity.attributes if near.privacy == one.privacy for key in fed[near.path][1]
        }
        readers = tuple(name for name, read in reading.items() if one.path in read)
        used = given.union(*(told.purposes.of_enricher(name) for name in readers))
        places = [place for place in told.places if _holds(place, one, entity, fed[one.path][0], told)]
        yield Mapped(
            one.path,
            one.description,
            one.privacy,
            tuple(
                key
                for key, purpose in told.purposes.by_key.items()
                if key in used and (purpose.covers(one.privacy) or not is_personal(one.privacy))
            ),
            tuple(fed[one.path][0]),
            tuple(place.name for place in places),
            readers,
            tuple(_clear(one, entity, told)),
            _ordered(str(whom) for place in places for whom in place.whom),
        )


def _delivered(attribute: Attribute, told: Told) -> tuple[dict[str, set[str]], set[str]]:
    """Columns by source entity that feed an attribute, and the purposes that they are given for."""
    columns: dict[str, set[str]] = {}
    given: set[str] = set()
    for contract in sorted(told.contracts, key=lambda one: one.name):
        for column, path in contract.mapped():
            if attribute.path in fed_by(path, contract):
                columns.setdefault(contract.name, set()).add(column.name)
                given |= told.purposes.given_for(column.purposes)
    return columns, given


def _of_source(place: Place, told: Told) -> str:
    """The ``source/entity`` of which a place holds what was delivered; empty of other places."""
    of = place.name.partition("/")[2]
    return of if any(of == one.name for one in told.contracts) else ""


def _holds(
    place: Place,
    attribute: Attribute,
    entity: EntityDeclaration,
    columns: Mapping[str, Collection[str]],
    told: Told,
) -> bool:
    """Whether a place holds values of an attribute: as delivered, in a column of its own, or in a file of its kind."""
    if of := _of_source(place, told):
        return of in columns and (not place.columns or not place.columns.keys().isdisjoint(columns[of]))
    if place.name.startswith(_WORKED_OUT) and place.kind is Kind.HUB_TABLE:
        return False
    if place.columns.get(attribute.name) == attribute.privacy:
        source = place.name.removeprefix(_STANDARD).rpartition("/")[0]
        elsewhere = place.name.startswith(_STANDARD) and columns and source not in columns
        others = _entities_named(place)
        return not elsewhere and (not others or not others.isdisjoint({entity.entity, entity.table_name}))
    return isinstance(entity.whose, OfItself) and attribute.privacy in place.categories_of_content


def _entities_named(place: Place) -> set[str]:
    """The canonical entity, or its table, that the last part of a place's name is; most often none."""
    last = place.name.rpartition("/")[2].removesuffix("_history").removesuffix("_statement")
    return {
        name for one in declarations() for name in (one.entity, one.table_name) if last in {name, f"{name}s"}
    }


def _clear(attribute: Attribute, entity: EntityDeclaration, told: Told) -> Iterator[str]:
    """The roles that read an attribute in clear in some table."""
    tables = [f"golden.{entity.table_name}", f"privacy.{entity.entity}_statement"]
    for name, role in told.roles.roles.items():
        for table in tables:
            of_type = told.columns.get(table, {}).get(attribute.name)
            if of_type is None or not role.sees(table):
                continue
            column = DeclaredColumn(attribute.name, of_type, attribute.privacy)
            if role.reads_column(table, column).how == CLEAR:
                yield name
                break


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sorted(names)))
