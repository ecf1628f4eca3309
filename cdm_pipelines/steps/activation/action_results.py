"""What came of next best actions: who responded, what each action brought, whether a changed rule would do better.

Belongs here: reading the log and the responses, and asking ``insight``. Does not belong here: choosing (``actions``).

A choice is looked at when its time to respond is over: counted from the day after the choice, for as many days as the
outcome says. All choices are, also those that were withdrawn later: what chance has put into two groups stays in them.

Customers who became one have one choice of a period, that of the id that stands for them, so that what they do counts
once. Where one of them was approached and another left alone, they are neither, and are left out.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds
from sqlalchemy import Connection

from cdm_pipelines.hub import actions as hub
from cdm_pipelines.hub.next_version import NextVersion
from cdm_pipelines.insight.action_choice import CONTROLLED, assess
from cdm_pipelines.insight.action_judgement import Judgement, Labels, judge
from cdm_pipelines.insight.action_policy import GOLDEN_ID, NONE, ActionPolicy
from cdm_pipelines.insight.action_rules import numbers
from cdm_pipelines.insight.action_terms import Outcome, is_number
from cdm_pipelines.insight.action_uplift import Uplift, uplifts
from cdm_pipelines.privacy.policy_files import PrivacyPolicyError
from cdm_pipelines.steps.profile.reading import Company, newest_day, working

RESPONSES = pa.schema(
    [
        (GOLDEN_ID, pa.string()),
        ("day", pa.date32()),
        ("kind", pa.string()),
        ("campaign", pa.string()),
        ("amount", pa.float64()),
    ]
)
"""What customers did, by day: orders with their amount, and interactions."""


@dataclass(frozen=True)
class Past:
    """Choices whose time to respond is over, with what came of them.

    Attributes:
        choices: ``hub.actions.CHOICE`` with ``control``, ``first``, ``responded`` and ``amount``.
        waiting: Choices whose time is not over yet.
        mixed: Customers and periods that are left out: those who became one were approached and left alone.
    """

    choices: pa.Table
    waiting: int
    mixed: int = 0


@dataclass(frozen=True)
class Brought:
    """What each action of a policy brought.

    Attributes:
        actions: By action.
        waiting, mixed: As ``Past`` has them.
    """

    actions: Sequence[Uplift] = ()
    waiting: int = 0
    mixed: int = 0


def responses(connection: Connection, company: Company, as_of: dt.date, since: dt.date) -> pa.Table:
    """What customers did from a day on, as ``RESPONSES``."""
    company.counted()
    with working(company, NextVersion.of(connection), as_of) as work:
        work.use("purchases", "touches")
        return work.sql(
            """SELECT golden_id, ordered_on AS day, 'order' AS kind, NULL::VARCHAR AS campaign,
                      sum(net)::DOUBLE AS amount
               FROM purchases WHERE ordered_on >= $since GROUP BY ALL
               UNION ALL
               SELECT golden_id, day, kind, campaign, NULL FROM touches WHERE day >= $since AND kind IS NOT NULL
               GROUP BY ALL ORDER BY ALL""",
            since=since,
        ).cast(RESPONSES)


def with_responses(
    choices: pa.Table, said: pa.Table, outcomes: Mapping[str, Outcome], as_of: dt.date
) -> Past:
    """Choices with who responded.

    Args:
        choices: Of the log.
        said: ``RESPONSES``.
        outcomes: By action, what counts as a response.
        as_of: The newest day of the data.
    """
    wanted = pa.table(
        {
            "action": pa.array(list(outcomes), pa.string()),
            "outcome": pa.array([one.kind for one in outcomes.values()], pa.string()),
            "days": pa.array([one.within_days for one in outcomes.values()], pa.int64()),
            "named": pa.array([one.campaign for one in outcomes.values()], pa.string()),
        }
    )
    with duckdb.connect(config={"threads": 1, "python_enable_replacements": False}) as db:
        placed = choices.append_column("place", pa.array(np.arange(choices.num_rows)))
        for name, table in (("choice", placed), ("response", said), ("wanted", wanted)):
            db.register(name, table)
        db.sql(
            f"""CREATE TEMP TABLE log AS SELECT * EXCLUDE (place),
                       period = min(period) OVER (PARTITION BY golden_id) AS first,
                       count(DISTINCT variant = '{CONTROLLED}') OVER same > 1 AS mixed,
                       row_number() OVER (PARTITION BY period, golden_id ORDER BY place) AS which
                FROM choice WINDOW same AS (PARTITION BY period, golden_id)"""  # noqa: S608 - our own words
        )
        [(mixed,)] = db.sql("SELECT count(*) FROM log WHERE mixed AND which = 1").fetchall()
        found: pa.Table = db.sql(
            f"""WITH own AS (SELECT * EXCLUDE (mixed, which) FROM log WHERE NOT mixed AND which = 1)
                SELECT c.*, c.variant = '{CONTROLLED}' AS control, coalesce(r.responded, false) AS responded,
                       CASE WHEN w.outcome = 'order' THEN coalesce(r.amount, 0) END AS amount,
                       c.chosen_on + w.days::INTEGER <= $as_of AS over
                FROM own AS c JOIN wanted AS w USING (action) LEFT JOIN (
                    SELECT c.period, c.golden_id, c.action, true AS responded, sum(r.amount) AS amount
                    FROM own AS c JOIN wanted AS w USING (action) JOIN response AS r
                      ON r.golden_id = c.golden_id AND r.kind = w.outcome AND r.day > c.chosen_on
                     AND r.day <= c.chosen_on + w.days::INTEGER
                     AND (w.named IS NULL OR w.named = r.campaign)
                    GROUP BY ALL) AS r USING (period, golden_id, action)
                ORDER BY c.period, c.golden_id, c.action, c.variant""",  # noqa: S608 - our own words
            params={"as_of": as_of},
        ).to_arrow_table()
    over = found.filter(found["over"])
    return Past(over.drop_columns(["over"]), found.num_rows - over.num_rows, int(mixed))


def past(
    connection: Connection, company: Company, outcomes: Mapping[str, Outcome], as_of: dt.date | None = None
) -> Past:
    """All choices whose time to respond is over, of the actions that are named."""
    as_of = as_of or newest_day(company.lake, company.contracts)
    choices = hub.choices(connection)
    if as_of is None or not choices.num_rows:
        return with_responses(choices, RESPONSES.empty_table(), outcomes, as_of or dt.date.min)
    since = pc.min(choices["chosen_on"]).as_py()
    return with_responses(choices, responses(connection, company, as_of, since), outcomes, as_of)


def measured(connection: Connection, company: Company, policy: ActionPolicy) -> Brought:
    """What each action of the policy brought, by first choices."""
    outcomes = {one.key: policy.outcome_of(one) for one in policy.actions}
    if not hub.has_choices(connection):
        return Brought()
    found = past(connection, company, outcomes)
    return Brought(tuple(uplifts(found.choices, list(outcomes))), found.waiting, found.mixed)


def former_keys(connection: Connection) -> list[str]:
    """Keys of all actions that were ever chosen, in the order of the policies that named them."""
    keys = [one["key"] for each in hub.policies(connection).values() for one in each["actions"]]
    return list(dict.fromkeys(keys))


def judged(
    connection: Connection, company: Company, now: ActionPolicy, then: ActionPolicy
) -> tuple[Judgement, str]:
    """Hold a changed policy against the one of now, by choices that were made.

    Returns:
        The judgement, and what a response counts for in it, in words.

    Raises:
        PrivacyPolicyError: The changed policy reads what was not written down with choices.
    """
    outcomes = dict.fromkeys(former_keys(connection), now.outcome)
    found = past(connection, company, outcomes).choices
    if not found.num_rows:
        return judge_rules(found, now, then), reward_in_words(now, then)
    logged = set(json.loads(found["context"][found.num_rows - 1].as_py()))
    missing = sorted(set(then.context) - logged)
    if missing:
        raise PrivacyPolicyError(
            f"{ActionPolicy.FILE}: {', '.join(missing)} was not written down when choices were made, so that a rule "
            "that reads it cannot be judged. Name it under log in next_best_action.yaml, and judge after a period"
        )
    return judge_rules(found, now, then), reward_in_words(now, then)


def reward_in_words(now: ActionPolicy, then: ActionPolicy) -> str:
    """What a response counts for."""
    if now.by_value and then.by_value:
        return "value of a response, less the cost of the action, in the reporting currency per customer and period"
    return "share of customers who respond (no value and cost are stated of every action)"


def judge_rules(found: pa.Table, now: ActionPolicy, then: ActionPolicy) -> Judgement:
    """The same of choices with their responses.

    Every rule is judged by what it chooses, without control group, draws and limits of stock. Whom the house barred
    stays barred.
    """
    labels = [_wanted(one, found) for one in (now, then)]
    done = happened(found)
    reward = found["responded"].to_numpy(zero_copy_only=False).astype(np.float64)
    if now.by_value and then.by_value:
        cost = np.where(done == NONE, 0.0, np.nan_to_num(numbers(found["cost"])))
        reward = reward * np.nan_to_num(numbers(found["value"])) - cost
    return judge(
        labels[0],
        labels[1],
        done,
        propensity=numbers(found["propensity"]),
        propensities=found["propensities"].to_pylist(),
        reward=reward,
        customer=found[GOLDEN_ID].to_numpy(zero_copy_only=False).astype(np.str_),
    )


def _wanted(policy: ActionPolicy, found: pa.Table) -> Labels:
    """What a rule does with each customer of the log, by what was written down of them."""
    wanted = np.full(found.num_rows, NONE, dtype=f"<U{max(len(one.key) for one in policy.actions) + 4}")
    days = found["chosen_on"].to_numpy(zero_copy_only=False)
    for day in np.unique(days):
        at = np.flatnonzero(days == day)
        rows = found.take(pa.array(at))
        table = context_of(rows["context"], policy)
        assessed = assess(policy, table, day.astype("datetime64[D]").item())
        possible = assessed.possible & ~_barred(rows["barred"].to_pylist(), policy)
        score = (
            assessed.expected if policy.by_value else np.tile(-np.arange(len(policy.actions)), (len(at), 1))
        )
        best = np.where(possible, score, -np.inf).argmax(1)
        keys = np.array([one.key for one in policy.actions])
        wanted[at] = np.where(possible.any(1), keys[best], NONE)
    return wanted


def _barred(
    said: Sequence[str | None], policy: ActionPolicy
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    spelled, codes = np.unique(np.array([one or "" for one in said]), return_inverse=True)
    rows = [[action.key in one.split(",") for action in policy.actions] for one in spelled.tolist()]
    return np.array(rows, np.bool_)[codes]


def context_of(said: pa.ChunkedArray, policy: ActionPolicy) -> pa.Table:
    """What was written down with choices, as columns of the types that the policy's tests ask for."""
    rows = [json.loads(one) for one in said.to_pylist()]
    columns = {}
    for name in policy.context:
        values = [row.get(name) for row in rows]
        columns[name] = _typed(values, name, policy)
    return pa.table(columns or {NONE: pa.nulls(len(rows))})


def happened(found: pa.Table) -> Labels:
    """What was done with each choice: its action, or ``none`` for those who were left alone."""
    control, action = (found[name].to_numpy(zero_copy_only=False) for name in ("control", "action"))
    return np.where(control.astype(np.bool_), NONE, action).astype(np.str_)


def typed(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Values of JSON as a column of a type."""
    if kinds.is_date(kind):
        return pa.array([None if one is None else dt.date.fromisoformat(str(one)) for one in values], kind)
    if is_number(kind):
        return pa.array([None if one is None else float(str(one)) for one in values], pa.float64())
    if kinds.is_boolean(kind):
        return pa.array([None if one is None else bool(one) for one in values], kind)
    return pa.array([None if one is None else str(one) for one in values], pa.string())


def _typed(values: Sequence[object], name: str, policy: ActionPolicy) -> pa.Array:
    if name in policy.dates:
        return typed(values, pa.date32())
    present = next((one for one in values if one is not None), None)
    if isinstance(present, bool):
        return typed(values, pa.bool_())
    if isinstance(present, int | float):
        return typed(values, pa.float64())
    return typed(values, policy.empty_type(name))
