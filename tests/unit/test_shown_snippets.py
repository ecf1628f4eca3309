"""YAML and Python of README and documentation are what the project reads: contracts, sources, policies, imports.

Commands and SQL run in a deployment (test_shown_commands), the tutorial is followed in a copy (test_tutorial).
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cdm_pipelines.contracts.columns import COLUMN_PROPERTIES
from cdm_pipelines.contracts.delivery import DIALECT
from cdm_pipelines.contracts.odcs import ENTITY_PROPERTIES, load_contract
from cdm_pipelines.contracts.source_declaration import COMPONENT, SourceDeclaration
from cdm_pipelines.enrichment.own import _Declared
from cdm_pipelines.linkage import load_policy
from handbook import links
from handbook.policies import SHIPPED, models

BLOCK = re.compile(r'^([ ]*)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```', re.MULTILINE | re.DOTALL)


def blocks(language: str) -> Iterator[Any]:
    """Each block of a language, without the indentation of the list that it is in."""
    for page in links.every_page():
        for number, (indent, found, _, whole) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
            if found == language:
                told = re.sub(rf"^{indent}", "", whole, flags=re.MULTILINE)
                yield pytest.param(told, id=f"{page.relative_to(links.ROOT)}-{number}")


def policy_holds(content: dict[str, Any]) -> None:
    """Validate a policy, or a part of one in the place of the shipped part; two files may have a key of one name."""
    keys, refused = set(content), []
    for name, model in models().items():
        whole = yaml.safe_load((SHIPPED / name.partition(" ")[0]).read_text(encoding="utf-8"))
        if keys <= {field.alias or key for key, field in model.model_fields.items()} & set(whole):
            merged = {
                key: {**whole[key], **value}
                if isinstance(value, dict) and isinstance(whole[key], dict)
                else value
                for key, value in content.items()
            }
            try:
                model.model_validate({**whole, **merged})
            except ValidationError as error:
                refused.append(error)
            else:
                return
    raise refused[0] if refused else AssertionError(f"no policy has the keys {', '.join(sorted(keys))}")


def properties(content: Any) -> Iterator[tuple[str, Any]]:
    """The custom properties of a part of a contract, however deep."""
    if isinstance(content, dict):
        if "property" in content:
            yield content["property"], content["value"]
        for value in content.values():
            yield from properties(value)
    elif isinstance(content, list):
        for one in content:
            yield from properties(one)


@pytest.mark.parametrize("shown", [*blocks("yaml")])
def test_yaml_is_a_contract_a_source_or_a_policy(shown: str, tmp_path: Path) -> None:
    content = yaml.safe_load(shown)
    if isinstance(content, dict) and content.get("kind") == "DataContract":
        path = tmp_path / f"{content['schema'][0]['name']}.odcs.yaml"
        path.write_text(shown, encoding="utf-8")
        assert load_contract(path).columns
    elif isinstance(content, dict) and content.get("type") == COMPONENT:
        assert SourceDeclaration.model_validate(content["attributes"]).owner
    elif isinstance(content, list) or "properties" in content:
        found = list(properties(content))
        assert found
        assert {name for name, _ in found} <= {*ENTITY_PROPERTIES, *COLUMN_PROPERTIES}
        dialects = [value for name, value in found if name == "dialect"]
        assert {key for dialect in dialects for key in dialect} <= set(DIALECT)
    elif "inputs" in content and "columns" in content:
        assert _Declared.model_validate(content).columns
    elif "extends" in content:
        (tmp_path / "own.yaml").write_text(shown, encoding="utf-8")
        assert load_policy(tmp_path / "own.yaml").columns
    elif set(content) == {"duplicate_free"} or set(content) == {"service"}:
        assert (
            "purposes.yaml" in shown or content["duplicate_free"]
        )  # a line of a whole that is shown elsewhere
    else:
        policy_holds(content)


@pytest.mark.parametrize("shown", [*blocks("python")])
def test_python_compiles_and_what_it_imports_is_there(shown: str) -> None:
    tree = ast.parse(re.sub(r"^  ", "", shown, flags=re.MULTILINE) if shown.startswith(" ") else shown)
    imports: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "shown", "exec"), {})


def test_a_key_that_no_policy_has_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no policy has the keys colour"):
        policy_holds({"colour": 1})
