"""Whatever a page may show of the project's own words has its Dutch: columns, codes, refusals, reasons.

A company's own words (its purposes, descriptions of its contracts, states of its orders) are shown as they are.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

import cdm_pipelines
from cdm_pipelines.components import source_specs
from cdm_pipelines.console import charts
from cdm_pipelines.console.pages.render import code, label, on_day
from cdm_pipelines.console.pages.words import codes, dutch, plain, teller
from cdm_pipelines.contracts.model import PartyKind
from cdm_pipelines.enrichment import basket, churn_features, household, organisation, payment
from cdm_pipelines.enrichment.catalogue import built_in
from cdm_pipelines.enrichment.churn_told import BANDS
from cdm_pipelines.enrichment.declaration import CURRENCY
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.rfm import SEGMENTS
from cdm_pipelines.enrichment.stages import STAGES
from cdm_pipelines.hub import proposals
from cdm_pipelines.hub import search as hub_search
from cdm_pipelines.identity.decisions import Kind
from cdm_pipelines.identity.reasons import UNKNOWN
from cdm_pipelines.identity.reasons import Reason as IdReason
from cdm_pipelines.insight.action_policy import ActionPolicy
from cdm_pipelines.insight.report_words import Language as Figures
from cdm_pipelines.linkage import load_policy
from cdm_pipelines.linkage.cluster.health import HEALTH_SCHEMA, Reason
from cdm_pipelines.privacy.policy import RightsPolicy
from cdm_pipelines.privacy.processing import processing
from cdm_pipelines.privacy.purposes import POLICY, Basis, Purposes
from cdm_pipelines.privacy.retention import CUSTOMER, HOLD, PLACES, WAITS
from cdm_pipelines.privacy.retention_policy import RetentionPolicy
from cdm_pipelines.privacy.words import Language
from cdm_pipelines.quality.thresholds import ACCEPTABLE, PlanThresholds
from cdm_pipelines.settings import Settings, load_settings
from cdm_pipelines.standardise import consent_words, email, interaction_words
from cdm_pipelines.standardise.single import settable
from cdm_pipelines.steps.operate.places import all_places
from cdm_pipelines.steps.operate.processing import told_of
from cdm_pipelines.steps.rights import continuing
from cdm_pipelines.steps.stewardship.doubts import customers_in_doubt
from cdm_pipelines.store.register import Anew, Rows, Whom

POLICIES: Path = Settings.model_fields["policies"].default
TOLD = teller(Language.DUTCH)
WIDE = [one for one in built_in().values() if not one.key]
"""Enrichers of which the customer page has the columns; those with a key of their own are shown as a journey."""


def without(texts: Iterable[str]) -> list[str]:
    """Texts that stay English; a heading of the register is called the same in both languages."""
    return [one for one in texts if TOLD(one) == one != "Contact"]


def columns() -> Iterator[tuple[str, str]]:
    """Every column of the profile, with its meaning."""
    for one in map(profile_table, WIDE):
        named = [(column.name, column.description) for column in one.columns]
        named += [(age.name, age.description) for age in one.ages]
        yield from ((f"{one.name}_{name}", means) for name, means in named)


def test_every_column_of_the_profile_has_a_name_and_a_meaning_in_dutch() -> None:
    known = dict(columns())
    assert len(known) > 150
    assert [name for name in known if name not in dutch()] == []
    assert without(known.values()) == []
    assert [meaning for meaning in known.values() if "Unit: " in TOLD(meaning)] == []
    assert [one.name for one in WIDE if one.name not in dutch()] == []


def test_a_dutch_name_of_a_column_is_of_a_column() -> None:
    """What was renamed leaves no words behind."""
    groups = tuple(f"{one.name}_" for one in WIDE)
    named = {one for one in dutch() if one.startswith(groups) and re.fullmatch("[a-z0-9_]+", one)}
    assert sorted(named - dict(columns()).keys() - {"organisation_name"}) == []


def of_sql(module: ModuleType) -> set[str]:
    """What columns that the SQL of a module makes say."""
    text = inspect.getsource(module)
    return set(re.findall(r"(?:THEN|ELSE|k\.role,) '([a-z -]+)'", text))


def declared() -> Iterator[tuple[str, set[str]]]:
    """Every declared set with the codes that there are."""
    purposes = Purposes.load(POLICIES / POLICY)
    actions = ActionPolicy.load(POLICIES).actions
    consent, touches = set(consent_words.CHANNELS), set(interaction_words.CHANNELS)
    yield "rfm_segment", set(SEGMENTS.values())
    yield "lifecycle_stage", set(STAGES)
    yield "lifecycle_previous_stage", set(STAGES)
    yield "churn_risk", set(BANDS)
    yield "organisation_role", of_sql(organisation)
    yield "payment_credit_class", set(payment.CLASSES)
    yield "basket_next_why", {basket.AGAIN, basket.TOGETHER}
    yield "party_kind", set(PartyKind)
    yield "email_kind", {email.PERSONAL, email.FREE, email.ROLE, email.DISPOSABLE}
    yield "gender", {"female", "male", "other"}
    yield "service_nps_group", {"promoter", "passive", "detractor"}
    yield "channel", consent | touches | {one for key in purposes.by_key for one in purposes[key].channels}
    yield "preference_contact_channel", touches
    yield "touch", {*interaction_words.KINDS, "order", "invoice", "payment", "refund", "stage"}
    yield "kind", set(Kind)
    yield "proposal", {proposals.OPEN, proposals.APPROVED, proposals.REJECTED, proposals.EXPIRED}
    yield "purpose", set(purposes.by_key)
    yield "withheld_purposes", set(purposes.by_key)
    yield "basis", set(Basis)
    yield "whom", set(Whom)
    yield "category", {one for key in purposes.by_key for one in purposes[key].categories}
    yield "recipient", {one for key in purposes.by_key for one in purposes[key].recipients}
    yield "goal", {one.goal for one in actions}
    yield (
        "order_status",
        {"paid", "pending", "refunded", "cancelled", "voided"},
    )  # of the demo, and not counted
    yield "document", {CUSTOMER, HOLD, *PLACES, *RetentionPolicy.load(POLICIES).documents}
    yield "check", {*ACCEPTABLE, *(name for _, name, *_ in source_specs._CHECKS)}  # noqa: SLF001
    yield "check", {f"plan.{one}" for one in PlanThresholds.model_fields}
    yield "status", {"active", "inactive"}
    units = {column.unit for one in WIDE for column in one.outputs if column.unit} - {CURRENCY}
    yield "unit", units | {"the reporting currency"}


@pytest.mark.parametrize(
    ("of", "known"), list(declared()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_every_code_that_a_page_shows_has_its_dutch(of: str, known: set[str]) -> None:
    assert known
    assert sorted(one for one in known if plain(one) not in codes()[of]) == []


CODE = Path(cdm_pipelines.__file__).parent
ERRORS = frozenset(
    {
        *("ConsoleError", "SignInError", "ForbiddenError", "UnknownError", "ClashError", "TooLargeError"),
        *("SlowError", "RefusedError", "TooManyError", "AwayError", "BusyError", "UnexpectedError"),
        *("DecisionError", "ProposalError", "RightsError", "ErasedError", "ObjectionError"),
        *("ValueRefusedError", "SearchError", "QuarantineError", "PlanError", "Told"),
    }
)
"""What pages are refused with, and what they say of something that was done."""
OF_COMMANDS = frozenset({"server.py", "workers.py"})
"""Modules of the console whose refusals are for whoever starts it."""
RAISING = (
    *(path for path in (CODE / "console").glob("*.py") if path.name not in OF_COMMANDS),
    *(CODE / "console" / "pages").glob("*.py"),
    *(CODE / "identity" / "entries.py", CODE / "hub" / "proposals.py", CODE / "standardise" / "single.py"),
    *(
        CODE / "steps" / name
        for name in ("stewardship/decisions.py", "rights/limits.py", "rights/subject.py")
    ),
    *(CODE / "steps" / name for name in ("plan/making.py", "search/find.py", "days/quarantine.py")),
)
"""Where what a page may be refused with is raised."""
ASKED = {"quarantine.py": {"held_row", "accept_row"}}
"""Of modules that commands ask for more: what pages ask."""


def texts(node: ast.expr, named: Mapping[str, list[str]], put: str = "1") -> list[str]:
    """What an expression says, with something for what is put in; more than one where it depends."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            found = [""]
            for part in parts:
                if isinstance(part, ast.FormattedValue):
                    share = part.format_spec is not None and "%" in ast.unparse(part.format_spec)
                    said = texts(part.value, named, put) or ["12.5%" if share else put]
                else:
                    said = texts(part, named, put)
                found = [one + other for one in found for other in said]
            return found
        case ast.BinOp(left=left, right=right):
            return [one + other for one in texts(left, named, put) for other in texts(right, named, put)]
        case ast.IfExp(body=body, orelse=orelse):
            return [*texts(body, named, put), *texts(orelse, named, put)]
        case ast.Name(id=name):
            return named.get(name, [])
    return []


def named_in(tree: ast.Module, put: str = "1") -> dict[str, list[str]]:
    """What names of a module stand for, where that is text."""
    named: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named[node.targets[0].id] = texts(node.value, named, put)
    return named


def said_in(path: Path) -> Iterator[str]:
    """Every text of a module with something put in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = named_in(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield from texts(node, named)


def refusals(path: Path, put: str) -> Iterator[str]:
    """What the errors of a module say, with something for what is put in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = named_in(tree, put)
    asked = ASKED.get(path.name)
    for part in tree.body:
        if asked is not None and getattr(part, "name", "") not in asked:
            continue
        for node in ast.walk(part):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS and node.args:
                yield from texts(node.args[0], named, put)


def test_every_refusal_that_a_page_may_show_has_its_dutch() -> None:
    numbered = [text for path in RAISING for text in refusals(path, "1")]
    worded = [text for path in RAISING for text in refusals(path, "name")]
    assert len(numbered) > 80
    assert any("The provider refused" in text for text in numbered)
    assert [
        one for one, other in zip(numbered, worded, strict=True) if without([one]) and without([other])
    ] == []
    assert [name for name in settable() if name not in dutch()] == []


def labels() -> Iterator[str]:
    """What levels of comparisons are called."""
    for path in (CODE / "linkage" / "compare").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
            if any("labels" in {getattr(one, "id", ""), getattr(one, "attr", "")} for one in targets):
                yield from (
                    one.value
                    for one in ast.walk(node)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )


def test_why_a_customer_was_found_is_told_in_dutch() -> None:
    compared = {
        name for kind in PartyKind for name in load_policy(POLICIES / "linkage" / f"{kind}.yaml").comparisons
    }
    levels = {one for one in labels() if len(one) > 1 and ">" not in one}
    assert "day and month swapped" in levels
    assert without(f"{name} {level}" for name in compared for level in levels) == []
    assert without(levels) == []
    ids = (hub_search.GOLDEN_ID, hub_search.RECORD_ID, hub_search.ORDER)
    by = (hub_search.EMAIL, hub_search.PHONE, hub_search.ADDRESS, hub_search.NAME, hub_search.ALIKE)
    assert without([" and ".join(ids), " and ".join(by)]) == []
    assert (
        TOLD("birth_date equal, surname one letter off")
        == "geboortedatum gelijk, achternaam één letter anders"
    )


def test_what_is_doubted_of_a_customer_is_told_in_dutch() -> None:
    row = {"source": "crm/contact", "record_id": "R1", "records": 3, "against": 1, "bridge": -1.5}
    rows = [{**row, "reason": str(one), "other_source": "erp/customer", "other_id": "K1"} for one in Reason]
    doubts = customers_in_doubt(pa.Table.from_pylist(rows, HEALTH_SCHEMA), pa.array(["a"] * len(rows)))
    (said,) = doubts["finding"].to_pylist()
    told = TOLD(said)
    assert len(said.split("; ")) > 3
    assert [part for part in said.split("; ") if part in told] == []
    assert "zwakke schakel: -1,5 bits" in told


def test_reasons_of_the_profile_are_told_in_dutch() -> None:
    living = of_sql(household) - {"shared "} | {f"shared {one}" for one in ("phone", "e-mail", "account")}
    living |= set(re.findall(r"\['([a-z ]+)'\]", inspect.getsource(household)))
    sets = codes()["household_role"].keys() | codes()["household_composition"].keys()
    assert len(living) > 20
    assert sets <= living
    assert without(living - sets) == []
    common = set(re.findall(r"'((?:same|named|nothing) [A-Za-z -]+)'", inspect.getsource(organisation)))
    assert len(common) > 4
    named = {"same name and address", "same name and phone"}
    assert without(common - {"same name and "} | named) == []
    rules = payment._rules(payment.PaymentParameters())  # noqa: SLF001
    assert without(words for _, _, words in rules) == []
    moved = [words for one in churn_features.FEATURES for words in (one.high, one.low, one.unknown) if words]
    assert without(f"{words} ({effect} the risk)" for words in moved for effect in ("raises", "lowers")) == []
    assert not [one for one in moved if one in TOLD(f"{one} (raises the risk)")]
    assert (
        code("given_name, mobile or phone", "quality_missing", Language.DUTCH)
        == "Voornaam, Mobiel of Telefoon"
    )


def test_what_an_erasure_did_and_what_is_kept_is_told_in_dutch(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, lake_url=str(tmp_path), landing_url=str(tmp_path))
    done = {place.erasure.how for place in all_places(settings) if isinstance(place.erasure, Rows | Anew)}
    assert len(done) > 5
    assert (
        without(done | {continuing.HOW, "kept apart, as the law has it", "kept out of deliveries by"}) == []
    )
    rules = ["purposes.yaml: service, as long as customer, then 730 days", "purposes.yaml: analytics, 1095"]
    rules += ["retention.yaml: documents.invoice, 7 years", "retention.yaml: raw, 1096 days"]
    assert without([*rules, *(f"let go by {one}" for one in rules)]) == []
    assert without([WAITS, *(hold.reason for hold in RightsPolicy.load(POLICIES).holds)]) == []
    facts = (CODE / "steps" / "rights" / "retention_facts.py").read_text(encoding="utf-8")
    facts += (CODE / "hub" / "retention.py").read_text(encoding="utf-8")
    why = re.findall(r"""["'](?=(?:has|is|was|its|comes) [a-z])([a-z {}._]+)["']""", facts)
    assert "was never read" in why
    assert without(one.replace("{request.request_id}", "1") for one in why) == []
    assert (
        TOLD("the customer consents to order_handling") == "de klant geeft toestemming voor orderverwerking"
    )


def test_the_register_of_processing_is_told_in_dutch(tmp_path: Path) -> None:
    record = processing(told_of(load_settings(home=tmp_path)))
    said = {*record.controller, *record.controller.values(), *record.security}
    for one in record.activities:
        said |= {one.description, one.retention}
        for of, named in (
            ("purpose", [one.key]),
            ("basis", [one.basis]),
            ("whom", one.persons),
            ("category", one.categories),
            ("recipient", one.recipients),
        ):
            assert [name for name in named if plain(name) not in codes()[of]] == []
    assert without(said) == []


def test_notes_and_limits_of_a_plan_are_told_in_dutch() -> None:
    source = (CODE / "steps" / "plan" / "telling.py").read_text(encoding="utf-8")
    notes = [
        text
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Yield) and node.value is not None
        for text in texts(node.value, {})
    ]
    assert len(notes) > 5
    assert without(notes) == []
    text = "1,234 of 10,000 customers in service {}: 12.34% (warning above 0.01, error above 0.05)"
    checks = [text.format(words) for words in re.findall(r'": "([a-z ]+)",', source)]
    assert len(checks) == len(PlanThresholds.model_fields)
    assert without(checks) == []
    assert "1.234 van de 10.000 huidige klanten" in TOLD(checks[0])
    assert TOLD(checks[0]).endswith("12,34% (waarschuwing boven 0,01, fout boven 0,05)")
    ways = [". The run would stop there, unless told `--accept merges`", ""]
    ways += [
        ". If it may be so: `cdm run --date DAY --accept merges`, or another limit in policies/checks.yaml"
    ]
    audited = CODE / "steps" / "customers" / "auditing.py"
    judged = {one for one in said_in(audited) if " in service" in one or "largest customer" in one}
    judged = {one for one in judged if not re.search(r"newest day|nothing is|\(1\)", one)}
    assert len(judged) > 5
    assert (
        without(
            one for one in judged if "newest day" not in one and "nothing is" not in one and "(1)" not in one
        )
        == []
    )
    moved = "; ".join(f"{reason}: 3" for reason in (*IdReason, UNKNOWN))
    churn = f"3 of 9 records in service have another golden id: 33.33% ({moved})"
    assert without(f"{one}{way}" for one in (*checks, churn) for way in ways) == []
    assert not [reason for reason in ("new_record", "neighbour") if reason in TOLD(churn)]


def test_a_code_is_shown_in_words_and_what_is_none_as_it_is() -> None:
    assert code("at_risk", "lifecycle_stage", Language.DUTCH) == "dreigt te vertrekken"
    assert code("first_time", "lifecycle_stage", Language.ENGLISH) == "first time"
    assert code("OPEN", "order_status", Language.DUTCH) == "open"
    assert code("open", "touch", Language.DUTCH) == "e-mail geopend"
    assert code("in_onze_wacht", "order_status", Language.DUTCH) == "in onze wacht"
    assert code("anna_de_vries@example.nl", "email", Language.DUTCH) == "anna_de_vries@example.nl"
    assert code("same", "surname", Language.DUTCH) == "same"
    assert code(1234.5, "rfm_net", Language.DUTCH) == "1.234,50"
    assert code(None, "rfm_segment", Language.DUTCH) == code(None, "surname", Language.DUTCH)
    assert label("rfm_average_order", Language.DUTCH, "average_order") == "Gemiddelde order"
    assert label("rfm_average_order", Language.ENGLISH, "average_order") == "Average order"
    assert label("own_score", Language.DUTCH, "score") == "Score"


@pytest.mark.parametrize(
    ("value", "english", "told"), [(0.0125, "1.2%", "1,2%"), (0.5, "50%", "50%"), (0.099, "9.9%", "9,9%")]
)
def test_shares_and_days_are_written_as_dutch_has_them(value: float, english: str, told: str) -> None:
    assert charts.percent(value) == english
    assert charts.percent(value, Figures.DUTCH) == told
    assert on_day("2026-03-01", Language.DUTCH) == "01-03-2026"
    assert charts.count(1234, Figures.DUTCH) == "1,2k"
    assert charts.count(1234) == "1.2k"
