"""Whose data of which kind was in reach of who got hold of a table or a view, on a real hub."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from governed_hub import ACME, ANNA, ELS, PIET, SECRETS, GovernedHub, governed_hub, server
from typer.testing import CliRunner, Result

from cdm_pipelines.cli import app
from cdm_pipelines.privacy.exposure import CLEAR, MASKED, Count, Reach, high_risk, named_in
from cdm_pipelines.steps.rights.exposed_files import Opened
from cdm_pipelines.steps.rights.exposure import Exposure, exposure


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedHub]:
    with server(None) as url, governed_hub(url, tmp_path_factory.mktemp("governed")) as made:
        yield made


def cdm(governed: GovernedHub, *arguments: str) -> Result:
    return CliRunner().invoke(
        app,
        ["privacy", "exposure", *arguments],
        env={**governed.settings.environment(), "TERMINAL_WIDTH": "200"},
    )


def of_table(governed: GovernedHub, *names: str) -> Exposure:
    return exposure(governed.settings, governed.engine, tables=names)


def by_category(found: Exposure) -> dict[tuple[str, str], tuple[int, int]]:
    return {(one.category, one.read): (one.customers, one.records) for one in found.total.counts}


def test_a_table_of_customers_counts_who_has_a_value(governed: GovernedHub) -> None:
    found = of_table(governed, "golden.customer")
    assert found.total.golden_ids == [ANNA, PIET, ELS, ACME]
    counts = by_category(found)
    assert counts["user.contact.email", CLEAR] == (3, 0)
    assert counts["user.financial.bank_account", CLEAR] == (1, 0)
    assert "bank accounts or cards" in high_risk(found.total.counts)


def test_records_of_nobody_are_counted_and_lines_are_their_customers(governed: GovernedHub) -> None:
    orders, lines = of_table(governed, "golden.customer_order"), of_table(governed, "golden.order_line")
    for found in (orders, lines):
        assert len(found.total.golden_ids) == 4
        assert found.total.records == 1
    assert of_table(governed, "golden.product").total.records == 0


def test_a_role_sees_its_own_rows_and_masks(governed: GovernedHub) -> None:
    found = of_table(governed, "for_branch.customer")
    assert found.total.golden_ids == [ANNA, PIET]
    counts = by_category(found)
    assert counts["user.contact.email", MASKED] == (2, 0)
    assert ("user.contact.email", CLEAR) not in counts
    assert counts["user.contact.address.street", CLEAR] == (2, 0)


def test_what_tells_of_nobody_by_name_counts_everybody(governed: GovernedHub) -> None:
    found = of_table(governed, "golden.search_word")
    assert len(found.total.golden_ids) == 4
    assert "everybody counts" in found.parts[0].note


def test_an_id_that_was_merged_counts_as_who_it_is_now(governed: GovernedHub) -> None:
    former = "00000000-0000-5000-8000-0000000000ff"
    with governed.engine.begin() as connection:
        connection.exec_driver_sql(
            f"""INSERT INTO identity.golden_id SELECT '{former}', source, entity, 'R99', 0, 99, 'merged', golden_id
                FROM identity.golden_id WHERE golden_id = '{PIET}';
            INSERT INTO ops.access_log (accessed_at, who, role, purpose, tool, golden_ids, categories, rows) VALUES
                ('2026-03-01', 'somebody', 'service', 'service', 'cdm customer', ARRAY['{former}'::uuid],
                 ARRAY['user.name.last'], 1),
                ('2026-02-01', 'somebody', 'service', 'service', 'cdm customer', ARRAY['{ANNA}'::uuid],
                 ARRAY['user.contact.email'], 1)"""
        )
    told = cdm(governed, "--since", "2026-02-15")
    assert told.exit_code == 0, told.output
    assert "1 golden customers were in reach" in told.output
    assert "user.name.last" in told.output
    assert "user.contact.email" not in told.output
    assert "somebody" not in told.output
    whole = cdm(governed, "--since", "2026-01-15")
    assert "2 golden customers were in reach" in whole.output


def test_a_reading_of_a_whole_table_counts_everybody_and_one_that_found_nobody_nobody(
    governed: GovernedHub,
) -> None:
    with governed.engine.begin() as connection:
        connection.exec_driver_sql(
            """INSERT INTO ops.access_log (accessed_at, who, role, purpose, tool, golden_ids, categories, rows) VALUES
                ('2026-07-02', 'somebody', 'finance', 'billing', 'cdm export', '{}', ARRAY['user.financial'], 4),
                ('2026-07-02', 'somebody', 'service', 'service', 'cdm customer', '{}', ARRAY['user.name'], 0)"""
        )
    told = cdm(governed, "--since", "2026-07-01")
    with governed.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ops.access_log WHERE accessed_at > '2026-07-01'")
    assert "4 golden customers were in reach" in told.output
    assert "read with cdm export as finance for billing" in told.output
    assert "user.financial" in told.output
    assert "user.name" not in told.output


def test_what_a_sink_was_told_counts_up_to_where_it_is(governed: GovernedHub) -> None:
    with governed.engine.begin() as connection:
        connection.exec_driver_sql(
            f"""INSERT INTO ops.publication (publication_id, published_at, changes) OVERRIDING SYSTEM VALUE VALUES
                (1, '2026-03-01', '{{}}'), (2, '2026-05-02', '{{}}');
            INSERT INTO ops.outbox (position, event_id, publication_id, golden_id, type) OVERRIDING SYSTEM VALUE VALUES
                (1, gen_random_uuid(), 1, '{ELS}', 'customer.changed'),
                (2, gen_random_uuid(), 2, '{ANNA}', 'customer.changed'),
                (3, gen_random_uuid(), 2, '{ACME}', 'customer.changed');
            INSERT INTO ops.sink (name, position, updated_at) VALUES
                ('mail', 2, '2026-05-02'), ('idle', 3, '2026-04-01')"""
        )
    told = cdm(governed, "--since", "2026-05-01")
    assert "sent to the sink mail" in told.output
    assert "idle" not in told.output
    assert "1 golden customers were in reach" in told.output


def test_the_command_tells_no_value_and_lists_ids_alone(governed: GovernedHub, tmp_path: Path) -> None:
    to = tmp_path / "told.csv"
    told = cdm(governed, "--table", "golden.customer", "--list", str(to))
    assert told.exit_code == 0, told.output
    assert "72 hours" in told.output.replace("\n", " ")
    assert "High risk: bank accounts" in told.output
    assert not [one for one in (*SECRETS, ANNA) if one in told.output]
    assert to.read_text(encoding="utf-8").split() == ["golden_id", ANNA, PIET, ELS, ACME]
    assert to.stat().st_mode & 0o077 == 0


def test_what_is_not_there_is_told_with_what_is_near(governed: GovernedHub) -> None:
    told = cdm(governed, "--table", "golden.custmer")
    assert told.exit_code == 1
    assert "golden.customer" in told.output
    assert cdm(governed).exit_code == 2
    for moment in ("yesterday", "0001-01-01"):
        assert cdm(governed, "--since", moment).exit_code == 2, moment
    assert cdm(governed, "--file", "lake/raw/crm/nothing.parquet").exit_code == 1


def test_addresses_are_found_however_they_are_written() -> None:
    found = named_in(
        pa.table({"party_email": [" Anna@Example.NL ", None, ""], "party_phone": ["+31 6", "", None]})
    )
    assert found.select(["row", "kind", "value"]).to_pylist() == [
        {"row": 0, "kind": "email", "value": "anna@example.nl"},
        {"row": 0, "kind": "phone", "value": "+31 6"},
    ]


def test_a_column_that_nobody_declared_counts_as_personal_beside_those_that_are() -> None:
    file = Opened("lake/x", {"email": "user.contact.email"}, ("user.contact.email",))
    assert [file.category(one) for one in ("email", "remark", "_row")] == ["user.contact.email", "user", ""]
    assert Opened("lake/counts").category("remark") == ""


def test_keys_are_found_as_linkage_spells_them() -> None:
    pairs = pa.table(
        {"left_source": ["crm/contact"], "left_id": ["A"], "right_source": ["erp/debtor"], "right_id": ["B"]}
    )
    found = {(row["source"], row["entity"], row["value"]) for row in named_in(pairs).to_pylist()}
    assert found == {("crm", "contact", "A"), ("erp", "debtor", "B")}


def test_masked_numbers_are_no_high_risk() -> None:
    reach = Reach(pa.array(["a"]))
    reach.everybody(["user.financial.bank_account"], MASKED)
    assert reach.counts == [Count("user.financial.bank_account", MASKED, 1, 0)]
    assert high_risk(reach.counts) == []
