"""Is everything in order: contracts, policies, dictionary (``cdm check``) and the platform (``cdm doctor``).

Belongs here: trying things and saying what to do. Does not belong here: the rules themselves.
"""

import datetime as dt
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import fsspec
from sqlalchemy import Connection, text

from cdm_pipelines.contracts import ContractError, SourceContract, load_contracts
from cdm_pipelines.contracts.catalogue import DEFS
from cdm_pipelines.contracts.dictionary import render_dictionary
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.contracts.source_declaration import declaration_problems
from cdm_pipelines.enrichment import tokens
from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.enrichment.declaration import EnricherError
from cdm_pipelines.enrichment.policy import EnrichmentPolicyError
from cdm_pipelines.enrichment.policy import load_policy as load_enrichment_policy
from cdm_pipelines.golden import PolicyError, load_policy
from cdm_pipelines.hub.errors import HubError
from cdm_pipelines.hub.migrate import version
from cdm_pipelines.insight import business_case_policy, kpi_policy, maturity, touch_points
from cdm_pipelines.insight.action_policy import ActionPolicy
from cdm_pipelines.insight.business_case_policy import BusinessCasePolicy
from cdm_pipelines.insight.kpi_policy import KpiPolicy
from cdm_pipelines.insight.maturity import MaturityPolicy
from cdm_pipelines.insight.touch_points import TouchPointPolicy
from cdm_pipelines.linkage import LinkageError
from cdm_pipelines.linkage import load_policy as load_linkage_policy
from cdm_pipelines.linkage.errors import nearest
from cdm_pipelines.privacy import retention_policy
from cdm_pipelines.privacy.checks import of_contracts, of_enrichers
from cdm_pipelines.privacy.given import Given
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.protection import Protection
from cdm_pipelines.privacy.purposes import POLICY as PURPOSES
from cdm_pipelines.privacy.purposes import Purposes, PurposesError
from cdm_pipelines.privacy.retention_policy import RetentionPolicy, kept_by_purpose
from cdm_pipelines.publish import audience_policy
from cdm_pipelines.publish.audience_columns import declared_columns
from cdm_pipelines.publish.audience_policy import AudiencePolicy
from cdm_pipelines.publish.policy import FeedPolicy, FeedPolicyError
from cdm_pipelines.quality.thresholds import Thresholds, ThresholdsError
from cdm_pipelines.settings import Settings, root
from cdm_pipelines.standardise import placeholders
from cdm_pipelines.standardise.consent_words import FILE as CONSENT_WORDS
from cdm_pipelines.standardise.consent_words import ConsentWords, ConsentWordsError
from cdm_pipelines.standardise.interaction_words import FILE as INTERACTION_WORDS
from cdm_pipelines.standardise.interaction_words import InteractionWords, InteractionWordsError
from cdm_pipelines.standardise.placeholders import PlaceholdersError
from cdm_pipelines.steps.operate.finding import Finding
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.operate.pruning_policy import PruningPolicy, PruningPolicyError
from cdm_pipelines.steps.operate.register_document import render_register
from cdm_pipelines.steps.operate.verify import verify
from cdm_pipelines.steps.privacy.checks import governance_problems, reviews_due
from cdm_pipelines.steps.profile.enrich import policy_of, tables_of
from cdm_pipelines.steps.profile.wide import columns_of
from cdm_pipelines.store.lake import Lake

DICTIONARY = Path("docs") / "reference" / "data-dictionary.md"
REGISTER = Path("docs") / "reference" / "register.md"
UI_PORT = 3000


def check_configuration(settings: Settings, *, write: bool = False) -> list[str]:
    """Problems of contracts, policies and derived documents, in words; writes those documents anew when told to."""
    try:
        contracts = load_contracts(DEFS)
    except ContractError as error:
        return [str(error)]
    problems = [*map(str, declaration_problems(DEFS)), *configuration_problems(settings, contracts)]
    of_package = settings.model_copy(update={"policies": Settings.model_fields["policies"].default})
    documents = {DICTIONARY: (render_dictionary(contracts), "the contracts say")}
    if not _policy_problems(of_package):  # which the register is made from
        documents[REGISTER] = render_register(all_places(of_package, contracts)), "the declared places say"
    for document, (rendered, origin) in documents.items():
        target = root() / document
        if write:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(rendered, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != rendered:
            problems.append(f"{document} is not what {origin}. Run `cdm check --write` and commit it.")
    return problems


def configuration_problems(settings: Settings, contracts: Sequence[SourceContract]) -> list[str]:
    """Problems of policies, and of contracts held against them, in words."""
    problems = [
        *_policy_problems(settings),
        *_linkage_problems(settings, contracts),
        *_purpose_problems(settings, contracts),
        *_protection_problems(settings, contracts),
    ]
    if not problems:  # what roles see, and audiences are chosen by, follows from the other policies
        problems += governance_problems(settings, contracts)
        problems += _audience_problems(settings, contracts)
        problems += _action_problems(settings)
    return problems


def _linkage_problems(settings: Settings, contracts: Sequence[SourceContract]) -> list[str]:
    """Sources that a linkage policy names and no contract has."""
    names = [contract.name for contract in contracts if contract.party_kind]
    problems = []
    for kind in PartyKind:
        path = settings.policies / "linkage" / f"{kind}.yaml"
        try:
            policy = load_linkage_policy(path)
        except LinkageError:
            continue  # told with the policies
        problems += [
            f"{path}: duplicate_free: {source} is no source of parties{nearest(source, names)}."
            for source in policy.duplicate_free
            if source not in names
        ]
    return problems


def _action_problems(settings: Settings) -> list[str]:
    try:
        policy = ActionPolicy.load(settings.policies)
    except PrivacyPolicyError as error:
        return [str(error)]
    found = policy.problems(*columns_of(settings), Purposes.load(settings.policies / PURPOSES))
    return [f"{settings.policies / one}" for one in found]


def _purpose_problems(settings: Settings, contracts: Sequence[SourceContract]) -> list[str]:
    try:
        purposes = Purposes.load(settings.policies / PURPOSES)
    except PurposesError as error:
        return list(error.problems)
    problems = list(of_contracts(purposes, contracts))
    with suppress(EnricherError):  # which is told of already
        problems += of_enrichers(purposes, enrichers(settings.policies))
    with suppress(PrivacyPolicyError):  # so is this
        retention = RetentionPolicy.load(settings.policies)
        try:
            kept_by_purpose(retention, purposes, contracts)
        except PrivacyPolicyError as error:
            problems.append(str(error))
    feed = settings.policies / "change_feed.yaml"
    with suppress(FeedPolicyError):  # so is this
        problems += FeedPolicy.load(feed).against(feed, purposes)
    return problems


def _audience_problems(settings: Settings, contracts: Sequence[SourceContract]) -> list[str]:
    columns = declared_columns(tables_of(policy_of(settings)))
    given = Given.of(contracts, Purposes.load(settings.policies / PURPOSES))
    policy = AudiencePolicy.load(settings.policies)
    return list(policy.against(settings.policies / audience_policy.FILE, columns, given))


def _protection_problems(settings: Settings, contracts: Sequence[SourceContract]) -> list[str]:
    try:
        protection = Protection.load(settings.policies)
        for contract in contracts:
            protection.delivered(contract)
    except PrivacyPolicyError as error:
        return [str(error)]
    return protection.problems(contracts)


def _policy_problems(settings: Settings) -> list[str]:
    problems = []
    policies: list[tuple[Callable[[Path], object], str]] = [
        *((load_linkage_policy, f"linkage/{kind}.yaml") for kind in PartyKind),
        (load_policy, "survivorship.yaml"),
        (Thresholds.load, "checks.yaml"),
        (FeedPolicy.load, "change_feed.yaml"),
        (lambda path: placeholders.Placeholders.load(path.parent), placeholders.FILE),
        (lambda path: InteractionWords.load(path.parent), INTERACTION_WORDS),
        (lambda path: ConsentWords.load(path.parent), CONSENT_WORDS),
        (PruningPolicy.load, "pruning.yaml"),
        (lambda path: RetentionPolicy.load(path.parent), retention_policy.FILE),
        (lambda path: AudiencePolicy.load(path.parent), audience_policy.FILE),
        (lambda path: KpiPolicy.load(path.parent), kpi_policy.FILE),
        (lambda path: MaturityPolicy.load(path.parent), maturity.FILE),
        (lambda path: TouchPointPolicy.load(path.parent), touch_points.FILE),
        (lambda path: BusinessCasePolicy.load(path.parent), business_case_policy.FILE),
        (lambda path: load_enrichment_policy(path, enrichers(path.parent)), "enrichment.yaml"),
        (tokens.InteractionPolicy.load, tokens.POLICY),
    ]
    for load, name in policies:
        try:
            load(settings.policies / name)
        except (
            ConsentWordsError,
            EnricherError,
            EnrichmentPolicyError,
            FeedPolicyError,
            tokens.InteractionPolicyError,
            InteractionWordsError,
            LinkageError,
            PlaceholdersError,
            PolicyError,
            PrivacyPolicyError,
            PruningPolicyError,
            ThresholdsError,
        ) as error:
            problems.append(str(error))
    return problems


def overdue(settings: Settings, today: dt.date) -> list[str]:
    """What is no problem yet and should be looked at, in words: reviews that are past."""
    try:
        return reviews_due(settings, today)
    except PrivacyPolicyError:
        return []  # told as a problem


def remarks(settings: Settings, today: dt.date) -> list[str]:
    """All that is no problem and should be looked at, in words: reviews that are past, touch points without a source.

    A source that was taken out of the project leaves its touch point, which then delivers nothing.
    """
    found = overdue(settings, today)
    with suppress(PrivacyPolicyError):  # told as a problem
        found += touch_points.unknown_sources(TouchPointPolicy.load(settings.policies))
    return found


Hub = Callable[[], AbstractContextManager[Connection]]
"""Opens the hub, migrated, or says in words why it cannot."""


def examine(settings: Settings, hub: Hub) -> list[Finding]:
    """Try everything the pipeline needs.

    Args:
        settings: Where everything is.
        hub: Is tried too, and so is for the caller to open.
    """
    return list(_findings(settings, hub))


def _findings(settings: Settings, hub: Hub) -> Iterator[Finding]:
    running = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", (3, 11) <= sys.version_info[:2] < (3, 14), running, "Python 3.11, 3.12 or 3.13")
    yield _landing(settings)
    yield _lake(settings)
    yield from _hub(settings, hub)
    problems = check_configuration(settings)
    yield Finding(
        "contracts and policies", not problems, problems[0] if problems else "in order", "`cdm check`"
    )
    late = overdue(settings, dt.datetime.now(dt.UTC).date())
    yield Finding("reviews", not late, late[0] if late else "none is overdue", "policies/governance.yaml")
    with socket.socket() as probe:
        free = probe.connect_ex(("127.0.0.1", UI_PORT)) != 0
    finding = "free" if free else "in use: perhaps the UI is running"
    yield Finding(f"port {UI_PORT}", True, finding, "" if free else "`cdm up --port 3010`")


def _landing(settings: Settings) -> Finding:
    try:
        filesystem, path = fsspec.core.url_to_fs(settings.landing_url)
        there = bool(filesystem.exists(path))
    except Exception as error:
        return Finding("landing", False, type(error).__name__, "Check CDM_LANDING_URL and its access rights.")
    fix = "" if there else "Create it, or set CDM_LANDING_URL."
    return Finding("landing", there, settings.landing_url if there else "does not exist", fix)


def _lake(settings: Settings) -> Finding:
    try:
        lake = Lake(settings.lake_url)
        lake.write_text("doctor.txt", "well")
        lake.delete("doctor.txt")
    except Exception as error:
        return Finding("lake", False, type(error).__name__, "Check CDM_LAKE_URL and its access rights.")
    return Finding("lake", True, settings.lake_url)


def _hub(settings: Settings, hub: Hub) -> Iterator[Finding]:
    try:
        with hub() as connection:
            server = connection.execute(text("SHOW server_version")).scalar_one()
            schema = version(connection)
            compared = verify(connection, settings, thorough=False)
            connection.rollback()
    except HubError as error:
        yield Finding("PostgreSQL", False, str(error).partition("\n")[0], "See the message.")
        return
    kind = "own server" if settings.database_url else "embedded"
    yield Finding("PostgreSQL", True, f"{server}, {kind}, hub version {schema}")
    yield from (one for one in compared if not one.well)
    wrong = sum(not one.well for one in compared)
    finding = (
        f"{wrong:,} of {len(compared):,} comparisons fail, above"
        if wrong
        else "files and tables are what was written"
    )
    yield Finding("lake and hub", not wrong, finding, "`cdm verify` looks closer." if wrong else "")
