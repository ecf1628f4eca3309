"""The step that chooses the next best action of every customer, and keeps the choice.

Belongs here: reading policy, profile, consent and contacts, asking ``insight``, writing. Does not belong here: how it
is chosen (insight.action_choice), what came of it (``action_results``), audiences.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from sqlalchemy import Connection, Engine

from cdm_pipelines.hub import actions as hub
from cdm_pipelines.hub import rights
from cdm_pipelines.insight.action_choice import CONTACTS, House, assess, draw, told
from cdm_pipelines.insight.action_draws import drawn
from cdm_pipelines.insight.action_policy import GOLDEN_ID, ActionPolicy
from cdm_pipelines.insight.action_rows import Days, Held, Made, by_action
from cdm_pipelines.insight.action_rules import Numbers
from cdm_pipelines.insight.action_uplift import Uplift
from cdm_pipelines.privacy.off import EVERY_CHANNEL
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.privacy.purposes import POLICY as PURPOSES
from cdm_pipelines.privacy.purposes import Purposes
from cdm_pipelines.publish.audience_policy import AudiencePolicy
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.activation.action_model import fitted_uplift
from cdm_pipelines.steps.activation.action_results import measured
from cdm_pipelines.steps.activation.contacts import contacts, messages
from cdm_pipelines.steps.consent.off import off_in_use
from cdm_pipelines.steps.profile.reading import Company, newest_day
from cdm_pipelines.steps.profile.wide import columns_of
from cdm_pipelines.store.secret import Secret


@dataclass(frozen=True)
class Chosen:
    """What came of choosing.

    Attributes:
        as_of: The day of the choice; None before there is any data.
        customers: How many there are.
        policy: By which it was chosen.
        by_action: Figures of each action.
        counts: By action and reason, for how many customers it speaks against it.
        new: Choices that were made now.
        withdrawn: Choices that are no longer allowed.
        breaches: Customers with an action that they do not allow.
        model: Whether a model of responses was used, and why.
        brought: What actions brought in periods before, told when a new one begins.
    """

    as_of: dt.date | None
    customers: int
    policy: ActionPolicy
    by_action: Sequence[Mapping[str, object]] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    new: int = 0
    withdrawn: int = 0
    breaches: int = 0
    model: str = ""
    brought: Sequence[Uplift] = ()


def action_policy(settings: Settings, folder: Path | None = None) -> ActionPolicy:
    """The policy of next best actions, held against columns and purposes.

    Args:
        settings: Where policies are.
        folder: Of another ``next_best_action.yaml``, which is held against the same columns and purposes.

    Raises:
        PrivacyPolicyError: It cannot be used; all that is wrong is named.
    """
    at = folder or settings.policies
    if folder is not None and not (folder / ActionPolicy.FILE).is_file():
        raise PrivacyPolicyError(
            f"{folder} has no {ActionPolicy.FILE}. Copy the one of now there, and change it"
        )
    policy = ActionPolicy.load(at)
    problems = list(policy.problems(*columns_of(settings), Purposes.load(settings.policies / PURPOSES)))
    if problems:
        raise PrivacyPolicyError("; ".join(f"{at / one}" for one in problems))
    return policy


def choose_actions(connection: Connection, company: Company) -> Chosen:
    """Choose for every published customer, as of the newest day of the data.

    Args:
        connection: Of a migrated hub, in a transaction.
        company: Lake, settings and policies.

    Raises:
        PrivacyPolicyError: The policy cannot be used.
        ValueError: A column that is to hold probabilities holds something else.
    """
    settings = company.settings
    policy = action_policy(settings)
    as_of = newest_day(company.lake, company.contracts)
    if as_of is None:
        return Chosen(None, 0, policy)
    hub.alone(connection)
    purposes = Purposes.load(settings.policies / PURPOSES)
    kinds, _, made_by = columns_of(settings)
    chosen_by = policy.of_others(made_by, purposes)
    asked: set[tuple[str, str]] = {(one.purpose, one.channel) for one in policy.actions}
    asked |= {(key, EVERY_CHANNEL) for of_action in chosen_by.values() for keys in of_action for key in keys}
    with ThreadPoolExecutor(1) as beside:  # interactions are counted while the database tells of customers
        counting = beside.submit(_contacted, connection.engine, company, policy, as_of)
        customers = hub.customers(connection, {name: kinds[name] for name in policy.columns})
        off = off_in_use(connection, purposes, asked, customers[GOLDEN_ID])
        addressed = counting.result()
    house = House(hub.restricted(connection), rights.deceased(connection), off, addressed, chosen_by)
    model = fitted_uplift(connection, company, policy, customers, as_of)
    found = assess(policy, customers, as_of, house, model.uplift)
    days = Days.of(as_of, policy)
    log = hub.held(connection, days.first)
    held = Held.of(log, policy, customers)
    brought = () if log.num_rows else measured(connection, company, policy).actions
    control, period = draws(settings, customers, days)
    drawn_now = draw(policy, found, control, period, used=held.used(policy, as_of), among=~held.there)
    alone = held.alone(found.possible)
    words = told(policy, found, drawn_now, holding=held.there, alone=alone)
    made = Made(policy, days, customers, found, drawn_now, words, held, addressed)
    new, gone, rows = made.log(), made.withdrawn, made.next()
    hub.keep(
        connection, (policy.fingerprint, policy.content), new, gone, rows, period=days.first, as_of=as_of
    )
    refusable = [key for key, one in purposes.by_key.items() if one.can_be_refused]
    consented = [key for key in refusable if purposes[key].needs_consent]
    return Chosen(
        as_of,
        customers.num_rows,
        policy,
        by_action(policy, rows, hub.held(connection, days.first)),
        words.counts,
        new.num_rows,
        len(gone),
        hub.breaches(connection, refusable, consented),
        model.words,
        brought,
    )


def draws(settings: Settings, customers: pa.Table, days: Days) -> tuple[Numbers, Numbers]:
    """A draw of each customer that is always the same, and one that is the same within a period."""
    secret, ids = Secret.of(settings.home), customers[GOLDEN_ID]
    keys = (
        secret.digest(f"next best action, {one}".encode()) for one in ("control", f"period of {days.first}")
    )
    control, period = (drawn(ids, key, threads=settings.threads) for key in keys)
    return control, period


def _contacted(engine: Engine, company: Company, policy: ActionPolicy, as_of: dt.date) -> pa.Table:
    """The same as ``contacted``, over a connection of its own."""
    with engine.connect() as connection:
        return contacted(connection, company, policy, as_of)


def contacted(connection: Connection, company: Company, policy: ActionPolicy, as_of: dt.date) -> pa.Table:
    """Contacts by us in the window of the policy, which ends with the day of the data, and since: ``CONTACTS``.

    Raises:
        PrivacyPolicyError: The policy of audiences, which says what their campaigns are called, cannot be used.
    """
    if policy.contact_pressure is None:
        return CONTACTS.empty_table()
    settings = company.settings
    first = as_of - dt.timedelta(days=policy.contact_pressure.days - 1)
    company.counted()
    sent = messages(connection, settings, first, as_of)
    return contacts(connection, settings, sent, first, AudiencePolicy.load(settings.policies).audiences)
