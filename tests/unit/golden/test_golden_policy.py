"""What a survivorship policy may say, and what it is told when it says something else."""

from pathlib import Path

import pytest

from cdm_pipelines.golden import PolicyError, load_policy
from cdm_pipelines.golden.policy import golden_groups

SHIPPED = Path(__file__).parents[3] / "cdm_pipelines" / "policies" / "survivorship.yaml"
START = "version: 1\nrules: [valid]\n"


def written(folder: Path, content: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_the_shipped_policy_covers_every_group_of_the_canonical_model() -> None:
    policy = load_policy(SHIPPED)
    assert {group.name: group.attributes for group in policy.groups} == golden_groups()
    assert all(group.rules[:2] == ("valid", "active") for group in policy.groups)


@pytest.mark.parametrize(
    ("content", "fault", "fix"),
    [
        ("rules: [valid]", "version is not 1", "version: 1"),
        ("version: 1", "rules is missing", "source_trust"),
        (START + "groups: {adress: {}}", "groups.adress is not known", "address"),
        (START + "groups: {name: {order: []}}", "groups.name.order is not known", "rules"),
        ("version: 1\nrules: [valid, newest]", "rules names the rule 'newest'", "recency"),
        ("version: 1\nrules: [active, valid]", "rules does not begin with valid", "Put valid first"),
        (START + "groups: {name: {rules: []}}", "groups.name.rules does not begin with valid", "valid first"),
        ("version: 1\nrules: [valid, recency, recency]", "names a rule twice", "once"),
        ("version: 1\nrules: valid", "rules is not a list of names", "[a, b]"),
        (START + "groups: {name: {core: [street]}}", "groups.name.core names 'street'", "surname"),
        (START + "groups: {name: {core: []}}", "groups.name.core is empty", "surname"),
        (START + "trust: erp", "trust is not a list", "most trusted first"),
        (START + "trust: [erp, [crm, erp]]", "trust[1] names erp a second time", "once"),
        (START + "trust: {erp: high}", "trust.erp is not a number", "weight"),
        (START + "groups: [name]", "groups is not a mapping", "address"),
        ("- valid", "the file is not a mapping", "rules"),
        ("rules: [", "cannot be read as YAML", "mine.yaml"),
    ],
)
def test_errors_name_file_key_and_fix(content: str, fault: str, fix: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(PolicyError) as raised:
        load_policy(path)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert fault in message
    assert fix in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"none\.yaml: cannot be read"):
        load_policy(tmp_path / "none.yaml")


def test_trust_may_be_an_order_or_weights_and_name_sources_or_entities(tmp_path: Path) -> None:
    order = load_policy(written(tmp_path, START + "trust: [erp, [crm/account, shop]]"))
    weights = load_policy(written(tmp_path, START + "trust: {erp: 9, crm/account: 5, shop: 5.0}"))
    for policy in (order, weights):
        rank = policy.groups[0].rank
        assert [rank(*name.split("/")) for name in ("erp/x", "crm/account", "shop/y", "crm/contact")] == [
            0,
            1,
            1,
            2,
        ]


def test_the_fingerprint_follows_what_the_policy_means(tmp_path: Path) -> None:
    plain = load_policy(written(tmp_path, START)).fingerprint
    assert load_policy(written(tmp_path, "# a remark\n" + START)).fingerprint == plain
    assert load_policy(written(tmp_path, START + "trust: [erp]")).fingerprint != plain
    assert load_policy(written(tmp_path, "version: 1\nrules: [valid, recency]\n")).fingerprint != plain
