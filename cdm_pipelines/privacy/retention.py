"""What expires when: a pure function of the policies, the facts and the day.

Belongs here: the plan, and what of it goes. Does not belong here: the facts (steps.rights.retention_facts), letting
anything go (steps.rights.expiring, steps.rights.erasure).

A dry run shows the plan, and applying carries out its rows: there is no second rule that could decide otherwise. A row
names a customer by golden id, a document by its key, a file by its path, and holds no value of a person.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.privacy.retention_policy import FILE, Kept, RetentionPolicy

_TEXT = pa.string()
CUSTOMER, HOLD = "customer", "legal_hold"
PLACES = (
    "interactions",
    "landing",
    "raw",
    "valid",
    "quarantine",
    "outbox",
    "feed_files",
    "history",
    "access_log",
)
"""What is kept for a number of days."""
CUSTOMERS_SCHEMA = pa.schema(
    [
        ("golden_id", _TEXT),
        ("origin", _TEXT),
        ("records", pa.int64()),
        ("touched", pa.date32()),
        ("consented", _TEXT),
        ("kept", _TEXT),
    ]
)
"""A row per customer and source entity that knows them: how many records, the last touch of the customer, purposes that
the customer consents to today with commas between, and why the customer has to stay, empty where nothing says so."""
DATED_SCHEMA = pa.schema(
    [
        ("what", _TEXT),
        ("place", _TEXT),
        ("subject", _TEXT),
        ("number", pa.int64()),
        ("since", pa.date32()),
        ("kept", _TEXT),
    ]
)
"""All else: what it is, in which place, which one, how many rows, since when, and why it has to stay."""
PLAN_SCHEMA = pa.schema(
    [
        ("what", _TEXT),
        ("place", _TEXT),
        ("subject", _TEXT),
        ("number", pa.int64()),
        ("since", pa.date32()),
        ("due", pa.date32()),
        ("rule", _TEXT),
        ("kept", _TEXT),
    ]
)
"""What expires: as ``DATED_SCHEMA``, with the first day on which it may go and the rule that says so."""
_ORDER = ["due", "what", "place", "subject"]
WAITS = "waits for its turn: customers.at_once"


@dataclass(frozen=True)
class Facts:
    """What there is: rows of ``CUSTOMERS_SCHEMA`` and of ``DATED_SCHEMA``."""

    customers: pa.Table
    dated: pa.Table


@dataclass(frozen=True)
class Terms:
    """The policies that say how long what is kept.

    Attributes:
        policy: Of retention.
        kept_by: How long purposes keep the customers of a source entity.
        pruned: Days by place, where the policy of pruning names it too.
    """

    policy: RetentionPolicy
    kept_by: Mapping[str, Kept]
    pruned: Mapping[str, int | None]

    def days(self, what: str) -> int | None:
        """Days of a place; None for ever."""
        return self.policy.place_days(what, self.pruned.get(what))


def plan(terms: Terms, facts: Facts, today: dt.date) -> pa.Table:
    """What expires when, by rows of ``PLAN_SCHEMA`` in order of the day, what is kept for ever left out.

    Args:
        terms: How long what is kept.
        facts: What there is.
        today: Of which customers and documents that are due no more than ``at_once`` go.
    """
    found = pd.concat([_customers(terms, facts.customers), _dated(terms, facts.dated)], ignore_index=True)
    found = found.sort_values(_ORDER, kind="stable", ignore_index=True)
    due = (found["due"] <= np.datetime64(today)) & (found["kept"] == "")
    for whats in ([CUSTOMER], list(terms.policy.documents)):
        own = due & found["what"].isin(whats)
        late = own & (own.astype("int64").cumsum() > terms.policy.customers.at_once)
        found.loc[late, "kept"] = WAITS
    columns = [
        pa.array(found[field.name].to_numpy("datetime64[D]"), field.type)
        if field.type == pa.date32()
        else pa.array(found[field.name], field.type)
        for field in PLAN_SCHEMA
    ]
    return pa.table(columns, schema=PLAN_SCHEMA)


def expired(planned: pa.Table, today: dt.date) -> pa.Table:
    """The rows of a plan that go on a day."""
    return planned.filter(
        pc.and_(pc.less_equal(planned["due"], pa.scalar(today)), pc.equal(planned["kept"], ""))
    )


def staying(planned: pa.Table, today: dt.date) -> pa.Table:
    """The rows of a plan that are due on a day and stay for a reason."""
    return planned.filter(
        pc.and_(pc.less_equal(planned["due"], pa.scalar(today)), pc.not_equal(planned["kept"], ""))
    )


def _customers(terms: Terms, table: pa.Table) -> pd.DataFrame:
    """A row per customer: the purpose counts that keeps the customer longest, of all that any of the records has."""
    rows = table.to_pandas()
    rows["touched"] = pd.to_datetime(rows["touched"])
    none = Kept(terms.policy.customers.customer_for, "", f"{FILE}: customers.customer_for")
    each = {origin: terms.kept_by.get(origin, none) for origin in rows["origin"].unique()}
    rows["days"] = rows["origin"].map({origin: one.days for origin, one in each.items()}).astype("int64")
    rows["rule"] = rows["origin"].map({origin: _rule(one) for origin, one in each.items()})
    said = rows[["origin", "consented"]].drop_duplicates()
    said["stands"] = [
        next((one for one in each[origin].while_consented if one in purposes.split(",")), "")
        for origin, purposes in said.itertuples(index=False)
    ]
    rows = rows.merge(said, on=["origin", "consented"], how="left")
    longest = rows.sort_values(
        ["golden_id", "days", "rule"], ascending=[True, False, True], kind="stable"
    ).drop_duplicates("golden_id")
    by_customer = rows.groupby("golden_id")
    longest = longest.set_index("golden_id")
    longest["number"] = by_customer["records"].sum()
    standing = rows[rows["stands"] != ""].sort_values(["golden_id", "stands"]).drop_duplicates("golden_id")
    stands_of = standing.set_index("golden_id")["stands"].reindex(longest.index, fill_value="")
    consents = "the customer consents to " + stands_of.astype(str)
    longest["kept"] = longest["kept"].mask((longest["kept"] == "") & (stands_of != ""), consents)
    longest = longest.reset_index()
    due = longest["touched"] + pd.to_timedelta(longest["days"], unit="D")
    return longest.assign(
        what=CUSTOMER,
        place="golden/customer",
        subject=longest["golden_id"],
        since=longest["touched"],
        due=due,
    )[PLAN_SCHEMA.names]


def _rule(one: Kept) -> str:
    return f"purposes.yaml: {one.purpose}, {one.said}" if one.purpose else one.said


def _dated(terms: Terms, table: pa.Table) -> pd.DataFrame:
    rows = table.to_pandas()
    rows["since"] = pd.to_datetime(rows["since"])
    found = [rows.iloc[:0].assign(due=rows["since"].iloc[:0], rule="")]
    for what in sorted(rows["what"].unique()):
        own = rows[rows["what"] == what]
        if what == HOLD:
            found.append(own.assign(due=own["since"], rule="legal_holds.yaml: holds"))
        elif what in terms.policy.documents:
            years = terms.policy.documents[what].years
            due = pd.to_datetime({"year": own["since"].dt.year + years + 1, "month": 1, "day": 1})
            found.append(own.assign(due=due, rule=f"{FILE}: documents.{what}, {years} years"))
        elif what in PLACES and (days := terms.days(what)) is not None:
            due = own["since"] + pd.Timedelta(days=days)
            found.append(own.assign(due=due, rule=f"{FILE}: {what}, {days} days"))
    return pd.concat(found, ignore_index=True)[PLAN_SCHEMA.names]
