"""All places that hold data, gathered from the rooms into one register (R9).

Belongs here: gathering, and the places of what stands on top of the rooms: Dagster's files and tables, exports,
policies. Does not belong here: the places of a room (``places`` in it).
"""

from collections.abc import Iterable, Iterator, Sequence

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.contracts.profile import ProfileTable
from cdm_pipelines.enrichment import places as enrichment
from cdm_pipelines.enrichment.naming import InteractionRows
from cdm_pipelines.hub import actions_places as hub_actions
from cdm_pipelines.hub import console_places as hub_console
from cdm_pipelines.hub import delivery_places as hub_deliveries
from cdm_pipelines.hub import insight_places as hub_insight
from cdm_pipelines.hub import places as hub
from cdm_pipelines.hub import rights_places as hub_rights
from cdm_pipelines.hub.connection import DAGSTER_SCHEMA
from cdm_pipelines.hub.profile_places import profile_places
from cdm_pipelines.hub.unfinished import UNFINISHED_RESTORE
from cdm_pipelines.ingest import places as ingest
from cdm_pipelines.insight import places as insight
from cdm_pipelines.linkage import load_policy as load_linkage_policy
from cdm_pipelines.linkage import places as linkage
from cdm_pipelines.privacy import places as privacy
from cdm_pipelines.publish import audience_places as audiences
from cdm_pipelines.publish import places as publish
from cdm_pipelines.publish.audience_keys import Keys
from cdm_pipelines.publish.audience_policy import AudiencePolicy
from cdm_pipelines.publish.policy import FeedPolicy
from cdm_pipelines.quality import places as quality
from cdm_pipelines.records import places as records
from cdm_pipelines.settings import Settings
from cdm_pipelines.standardise import places as standardise
from cdm_pipelines.steps.linking.forgetting import forgetting
from cdm_pipelines.steps.profile.enrich import policy_of, tables_of
from cdm_pipelines.steps.stewardship import places as stewardship
from cdm_pipelines.store.categories import OPERATIONS, UNCLASSIFIED
from cdm_pipelines.store.places import BESIDE, PACKED, UNFINISHED
from cdm_pipelines.store.register import ByOwner, Keeps, Kept, Kind, Place, Register, Retention, Root, Whom

_RUNS = Retention(Keeps.DAYS, "of runs that have ended", setting="run_retention_days")


def all_places(settings: Settings, contracts: Sequence[SourceContract] | None = None) -> Register:
    """Every place of a deployment, in the order in which data walks through them, which is that of erasing.

    Raises:
        FeedPolicyError, LinkageError, EnrichmentPolicyError, EnricherError, PrivacyPolicyError: A policy or
            declaration from which places follow cannot be used.
    """
    contracts = all_contracts() if contracts is None else contracts
    policies = {
        str(kind): load_linkage_policy(settings.policies / "linkage" / f"{kind}.yaml") for kind in PartyKind
    }
    feed = FeedPolicy.load(settings.policies / "change_feed.yaml")
    interactions = InteractionRows(contracts, settings.default_country)
    linked = linkage.places(policies, forgetting(settings, policies))
    keys = Keys(settings.home)
    sent = [
        *publish.places(contracts, feed),
        *audiences.places(AudiencePolicy.load(settings.policies), keys),
        *hub_deliveries.places(keys.known_as),  # by whose rows those of the files are found
    ]
    return Register(_gathered(contracts, linked, sent, tables_of(policy_of(settings)), interactions))


def _gathered(
    contracts: Sequence[SourceContract],
    linked: Iterable[Place],
    sent: Iterable[Place],
    profile: Sequence[ProfileTable],
    interactions: InteractionRows,
) -> Iterator[Place]:
    yield from ingest.places(contracts, interactions.delivered)
    yield from quality.places(contracts, interactions.delivered)
    yield from standardise.places(contracts, interactions.standard)
    yield from enrichment.places(interactions)  # whose rows are found by the records
    yield from records.places()
    yield from linked
    yield from sent
    yield PACKED
    yield UNFINISHED
    yield BESIDE
    yield from stewardship.places()
    yield from privacy.places()
    yield from insight.places()
    yield from profile_places(profile)
    yield from hub_rights.places()
    yield from hub_actions.places()
    yield from hub_console.places()
    yield from hub_insight.places()
    yield from hub.places()
    yield from _ON_TOP


_ON_TOP = (
    Place(
        name="outside/export",
        kind=Kind.DOCUMENT,
        root=Root.OUTSIDE,
        pattern="cdm export golden/{file}",
        description="Golden customers, for whoever asked for them.",
        whom=(Whom.CUSTOMERS, Whom.CONTACTS),
        categories_of_content=tuple(
            sorted({attribute.privacy for attribute in attributes(Entity.PARTY, golden_only=True)})
        ),
        kept=Retention(Keeps.BY_OWNER, "whoever ran the command"),
        erasure=ByOwner(
            "an erasure removes it where it lies as it was written; once it was moved or changed, its owner does"
        ),
    ),
    Place(
        name="outside/takeover",
        kind=Kind.DOCUMENT,
        root=Root.OUTSIDE,
        pattern="cdm takeover assess --out {file}",
        description="What taking another company in would bring, in counts.",
        kept=Retention(Keeps.BY_OWNER, "whoever ran the command"),
        erasure=ByOwner("names no record and holds no value"),
    ),
    Place(
        name="outside/divested",
        kind=Kind.FOLDER,
        root=Root.OUTSIDE,
        pattern="cdm takeover divest --export {folder}",
        description="Records, extracts and contracts of a source that was taken out, for whoever gets them.",
        whom=(Whom.CUSTOMERS, Whom.CONTACTS),
        categories_of_content=(UNCLASSIFIED,),
        kept=Retention(Keeps.BY_OWNER, "whoever ran the command hands it over and deletes it"),
        erasure=ByOwner("whoever exported the folder deletes it"),
    ),
    Place(
        name="outside/backup",
        kind=Kind.FOLDER,
        root=Root.OUTSIDE,
        pattern="cdm backup {folder}",
        description="Copies of lake, hub and secret as they were at one moment.",
        whom=(Whom.CUSTOMERS, Whom.CONTACTS, Whom.STAFF),
        categories_of_content=(UNCLASSIFIED,),
        kept=Retention(Keeps.BY_OWNER, "whoever makes backups; `cdm backup --keep N` removes older ones"),
        erasure=ByOwner(
            "a person who was erased leaves them as they are replaced; erase again after restoring one"
        ),
    ),
    Place(
        name="home/restore",
        kind=Kind.FOLDER,
        root=Root.HOME,
        pattern="restore-{name}/**",
        description="The hub's dump while a backup is restored.",
        whom=(Whom.CUSTOMERS, Whom.CONTACTS, Whom.STAFF),
        categories_of_content=(UNCLASSIFIED,),
        kept=Retention(
            Keeps.WHILE_RUNNING, "removed when it ends, and by the next restore where it was killed"
        ),
        erasure=Kept("goes when the restore has ended"),
    ),
    Place(
        name="home/restoring",
        kind=Kind.DOCUMENT,
        root=Root.HOME,
        pattern=UNFINISHED_RESTORE,
        description="That a restore is under way, and from which backup.",
        kept=Retention(Keeps.WHILE_RUNNING),
        erasure=Kept("names no record and holds no value"),
    ),
    Place(
        name="policies",
        kind=Kind.DOCUMENT,
        root=Root.POLICIES,
        pattern="**.yaml",
        description="What a company decides about its data; given names and their short forms, of nobody.",
        kept=Retention(Keeps.BY_OWNER, "the company"),
        erasure=Kept("names no record and holds no value of anybody"),
    ),
    Place(
        name="policies/enrichers",
        kind=Kind.DOCUMENT,
        root=Root.POLICIES,
        pattern="enrichers/{name}.sql",
        description="What a company works out of its customers by queries of its own.",
        kept=Retention(Keeps.BY_OWNER, "the company"),
        erasure=Kept("names no record and holds no value of anybody"),
    ),
    Place(
        name="dagster/tables",
        kind=Kind.HUB_TABLE,
        root=Root.HUB,
        pattern=f"{DAGSTER_SCHEMA}.{{table}}",
        description="Dagster's own tables: runs, events, schedules, ticks. Counts, keys of partitions and "
        "fingerprints, no values of persons.",
        others=OPERATIONS,
        kept=_RUNS,
        erasure=Kept("holds counts, keys of partitions and fingerprints, no values and no keys of records"),
    ),
    Place(
        name="dagster/logs",
        kind=Kind.FOLDER,
        root=Root.HOME,
        pattern="dagster/storage/{run}/compute_logs/{file}",
        description="What runs printed: counts and names of assets, no values of persons.",
        kept=_RUNS,
        erasure=Kept("holds no values and no keys of records"),
    ),
    Place(
        name="home/secret",
        kind=Kind.DOCUMENT,
        root=Root.HOME,
        pattern="secret.key",
        description="The secret of the deployment, under which digests of values are made.",
        kept=Retention(Keeps.FOR_EVER, "without it digests that are kept cannot be compared"),
        erasure=Kept("a random number"),
    ),
    Place(
        name="dagster/up",
        kind=Kind.DOCUMENT,
        root=Root.HOME,
        pattern="dagster/up.lock",
        description="Numbers of the processes of `cdm up`.",
        kept=Retention(Keeps.REPLACED, "by each start"),
        erasure=Kept("names no record and holds no value"),
    ),
    Place(
        name="dagster/home",
        kind=Kind.DOCUMENT,
        root=Root.HOME,
        pattern="dagster/dagster.yaml",
        description="Dagster's configuration.",
        kept=Retention(Keeps.REPLACED, "by each start"),
        erasure=Kept("names no record and holds no value"),
    ),
)
