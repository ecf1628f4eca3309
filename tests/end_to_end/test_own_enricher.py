"""A company's own enricher: a query beside a declaration, no Python; in Dagster, in the hub, in the wide view."""

import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from cdm_pipelines.settings import load_settings

from .conftest import DAYS, Deployment

DESCRIPTION = "How much a customer ordered in the last years, and whether that makes a big one."
DECLARED = f"""
description: {DESCRIPTION}
purpose: Customer service decides by it who is called back first.
inputs: [purchases]
parameters:
  big: {{default: 500.0, description: From how much on.}}
columns:
  - {{name: last_on, type: date, description: Day of the last order., age: days_since}}
  - name: total
    type: decimal
    unit: EUR
    description: Sum of all orders.
    tells_from: 10
    of: [purchases.net]
    privacy: user.behavior.purchase_history
  - {{name: is_big, type: boolean, description: Whether the sum is at least the parameter `big`.}}
"""
QUERY = """
SELECT golden_id, max(ordered_on) AS last_on, sum(net) AS total, sum(net) >= $big AS is_big
FROM purchases GROUP BY golden_id;
"""
ASSETS = """
from cdm_pipelines.components.location import load_definitions
specs = {spec.key.to_user_string(): spec for spec in load_definitions().resolve_all_asset_specs()}
one = specs["profile/big_customers"]
print(sorted(dep.asset_key.to_user_string() for dep in one.deps))
print([column.name for column in one.metadata["dagster/column_schema"].columns])
lineage = one.metadata["dagster/column_lineage"].deps_by_column
for name in ("total", "is_big"):
    print(sorted(f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in lineage[name]))
"""


@pytest.fixture(scope="module")
def company(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The company after its first day, with an enricher of its own from the start."""
    deployment = deploy()
    policies = tmp_path_factory.mktemp("own") / "policies"
    shutil.copytree(load_settings().policies, policies)
    (policies / "enrichers").mkdir(exist_ok=True)
    (policies / "enrichers" / "big_customers.yaml").write_text(DECLARED)
    (policies / "enrichers" / "big_customers.sql").write_text(QUERY)
    purposes = policies / "purposes.yaml"
    purposes.write_text(
        purposes.read_text().replace("[service, organisation]", "[service, organisation, big_customers]")
    )
    company = Deployment(deployment.settings.model_copy(update={"policies": policies}))
    company.cdm("run", "--date", DAYS[0])
    return company


def by_hand(company: Deployment) -> list[tuple[object, ...]]:
    return company.query(
        """SELECT golden_id, max((ordered_at AT TIME ZONE 'Europe/Amsterdam')::date),
                  sum(total_amount - coalesce(returned, 0)), sum(total_amount - coalesce(returned, 0)) >= 500
           FROM golden.customer_order LEFT JOIN (
               SELECT source, order_id, sum(amount) AS returned FROM golden.refund WHERE active GROUP BY 1, 2) AS r
               USING (source, order_id)
           WHERE active AND golden_id IS NOT NULL AND total_amount >= 0
             AND lower(coalesce(status, '')) NOT IN ('cancelled', 'canceled', 'geannuleerd', 'voided', 'refunded')
           GROUP BY golden_id ORDER BY golden_id"""
    )


NET = ("currency", "refund.amount", "refund.currency", "total_amount")
VIEW = """SELECT golden_id, big_customers_last_on, big_customers_total, big_customers_is_big
          FROM profile.customer WHERE big_customers_last_on IS NOT NULL ORDER BY golden_id"""


def test_in_dagster_in_the_hub_and_in_the_wide_view(company: Deployment) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", ASSETS], env=company.environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert shown == [
        "['golden/staged', 'privacy/consent', 'records/order']",
        "['golden_id', 'last_on', 'total', 'is_big', 'as_of', 'model']",
        f"[{', '.join(repr(f'records/order.{name}') for name in NET)}]",
        "['golden/staged.golden_id', 'records/order.party_email', 'records/order.party_id']",
    ]
    first = company.query(VIEW)
    assert first == by_hand(company)
    assert len(first) > 20
    assert {row[0] for row in company.query("SELECT as_of FROM profile.big_customers")} != {None}
    ((age,),) = company.query(
        """SELECT count(*) FROM profile.customer
           WHERE big_customers_days_since = CURRENT_DATE - big_customers_last_on"""
    )
    assert age == len(first)
    comments = company.query(
        """SELECT col_description('profile.big_customers'::regclass, 3),
                  obj_description('profile.big_customers'::regclass)"""
    )
    assert comments == [
        (
            "Sum of all orders. Unit: EUR. Privacy category: user.behavior.purchase_history.",
            f"{DESCRIPTION} Purpose: Customer service decides by it who is called back first.",
        )
    ]

    company.cdm("run", "--date", DAYS[1])
    assert company.query(VIEW) == by_hand(company)
    ((told,),) = company.query(
        "SELECT count(*) FROM ops.outbox WHERE type = 'customer.profile_changed' "
        "AND jsonb_exists(changes::jsonb, 'big_customers_total')"
    )
    assert told > 0


def test_a_changed_query_and_one_that_cannot_be_used(company: Deployment) -> None:
    before = company.query(VIEW)
    assert before
    sql = company.settings.policies / "enrichers" / "big_customers.sql"

    sql.write_text(QUERY.replace("max(ordered_on)", "max(orderd_on)"))
    said = company.cdm("run", "--date", DAYS[2])
    assert "big_customers.sql: Binder Error" in said.replace("\n", " ")
    assert {row[0] for row in before} - {row[0] for row in company.query(VIEW)} <= set()

    sql.write_text("SELECT golden_id, ordered_on AS last_on, net AS total, true AS is_big FROM purchases")
    said = company.cdm("run", "--customers").replace("\n", " ")
    assert "big_customers.sql: " in said
    assert "Give one row per customer, such as by GROUP BY golden_id." in said
    assert {row[0] for row in before} - {row[0] for row in company.query(VIEW)} <= set()

    sql.write_text("SELECT golden_id, '/etc/passwd' AS a FROM read_text('/etc/passwd'), purchases")
    said = company.cdm("run", "--customers")
    assert "root:" not in said

    sql.write_text(QUERY.replace(">= $big", "< $big"))
    company.cdm("run", "--customers")
    assert [(a, b, c, not d) for a, b, c, d in company.query(VIEW)] == by_hand(company)

    sql.unlink()
    said = company.cdm("run", "--date", DAYS[2], code=1)
    assert "big_customers.sqlisnotbesideit" in "".join(said.split()), "a long path is wrapped anywhere"
