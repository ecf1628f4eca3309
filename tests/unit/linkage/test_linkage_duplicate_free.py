"""Sources that hold nobody twice, as a policy names them: one without records yet, one that is none."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from linkage_examples import people, policy

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.linkage import link
from cdm_pipelines.linkage.encode.records import linked_columns
from cdm_pipelines.linkage.incremental.record_changes import RecordChanges
from cdm_pipelines.linkage.incremental.relink import relink
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.operate.checkup import configuration_problems


@pytest.mark.parametrize(
    ("named", "told"), [("crm/contact", []), ("crm/contract", ["did you mean 'crm/contact'?"])]
)
def test_a_check_knows_the_sources_of_parties(tmp_path: Path, named: str, told: list[str]) -> None:
    policies = tmp_path / "policies"
    shutil.copytree(load_settings().policies, policies)
    path = policies / "linkage" / "person.yaml"
    path.write_text(f"{path.read_text(encoding='utf-8')}\nduplicate_free: [{named}]\n", encoding="utf-8")
    found = configuration_problems(load_settings(policies=policies), all_contracts())
    assert [one for one in found if "duplicate_free" in one] == [
        f"{path}: duplicate_free: {named} is no source of parties; {hint}." for hint in told
    ]


def test_a_source_comes_and_goes_without_stopping_the_nightly_run() -> None:
    rules = policy(source="source", duplicate_free=["crm", "shop"])
    everybody = people(60, seed=2)
    everybody["source"] = np.where(np.arange(len(everybody)) % 2, "crm", "shop")
    crm = everybody[everybody["source"] == "crm"]
    alone = link(crm, rules, remember=True)
    assert alone.state is not None
    before, held = alone.state, {len(crm)}
    for table in (everybody, crm):
        changes = RecordChanges.between(before.rows, linked_columns(table, rules), rules)
        before = relink(changes, rules, alone.model, before).state
        held.add(len(before.rows))
    assert held == {len(crm), len(everybody)}
    assert np.array_equal(before.member, alone.state.member)
