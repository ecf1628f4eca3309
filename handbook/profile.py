"""The derived page of the profile: what enrichers read, what they give, and where each column comes from.

Belongs here: declarations as Markdown. Does not belong here: which other pages are derived (``pages``).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from cdm_pipelines.contracts.profile import GroupView
from cdm_pipelines.enrichment.declaration import Enricher, Output
from cdm_pipelines.enrichment.declared import profile_table
from cdm_pipelines.enrichment.inputs import Input
from cdm_pipelines.enrichment.work import Parameters

_PROFILE = """*Written by `make docs` from the code; do not edit.*

What is worked out of golden customers. Each enricher has an asset `profile/<name>` and a table with a row per customer
of whom it has something to say, with the day that the row holds for (`as_of`) and the fingerprint of the scale or model
that gave it (`model`). Three views read these tables:

- `profile.customer`: a row per golden customer, the columns of all enrichers beside the golden ones, each as
  `<enricher>_<column>`. `withheld_enrichers` and `withheld_purposes`, from the table `profile.withheld`, say what is
  not worked out of a customer since its [purpose](purposes.md) is off for them.
- `profile.household` and `profile.organisation`: a row per household, and per group of organisations.

Scales and models are fitted every `refit_days` (`policies/enrichment.yaml`); between two fits only customers of whom
something changed are computed anew. Figures and pictures of an asset are of everybody, with the day that they hold for:
on a night on which only some customers are worked on, those of the last night on which all were.
[How to add an enricher of your own](../how-to/add-an-enricher.md).

**Whether a model still holds** the check `drift` of `profile/churn` and `profile/lifetime_value` says in every run, of
everybody: whether scores of leaving lie as they did in training (population stability index above .25 and chance), and
whether as many customers bought again as the newest fit of at least 30 days ago expected (a quarter and chance off; a
season is told as well). `cdm profile model --diff` holds a scale or model against the one before it.

**An order that two sources deliver counts twice.** Within a source a repeated order is one; no key says that an order
of the web shop is also one of the ERP. Orders of one customer, one day and one amount from two sources are counted in
the figures of `profile/rfm` (*orders that may be delivered twice by two sources*), and no value is changed: two
purchases of a day may be two. Where they are one, let one source be the source of orders: leave the contract of orders
out of the other, or have it deliver a state for what was passed on, and name that state in `statuses_not_counted`.

**Source** says which columns of [what enrichers read](#what-enrichers-read) a column follows from; that section says
which columns of assets those follow from, and the [data dictionary](data-dictionary.md) which columns of sources.
Dagster has the same as column lineage. An amount is in the reporting currency."""
_READ = """An enricher, one of your own too, reads these relations. Amounts are in the reporting currency where nothing
else is said; days and moments are in the deployment's time zone."""


def profile_page() -> str:
    """Every column of the profile, with meaning, formula, source and purpose."""
    from cdm_pipelines.enrichment.catalogue import built_in  # noqa: PLC0415 - heavy
    from cdm_pipelines.enrichment.groups import GROUPS  # noqa: PLC0415 - the same
    from cdm_pipelines.enrichment.inputs import INPUTS  # noqa: PLC0415 - the same

    parts = [
        f"# The profile\n\n{_PROFILE}",
        *(part for one in built_in().values() for part in _enricher(one)),
        *(part for view in GROUPS for part in _view(view)),
        f"## What enrichers read\n\n{_READ}",
        *(part for one in INPUTS.values() for part in _input(one)),
    ]
    return "\n\n".join(parts) + "\n"


def _enricher(one: Enricher) -> Iterator[str]:
    made_of = ", ".join(f"`{name}`" for name in one.inputs)
    table = profile_table(one).table_name
    yield (
        f"## {one.name}\n\n{one.description}\n\n- Table: `profile.{table}`\n- Reads: {made_of}\n- Purpose: "
        f"{one.purpose}\n- Stale when: {one.stale_when}"
    )
    columns = [_column(one, output) for output in one.outputs]
    ages = [
        (f"`{age.name}` (view)", "integer", "days", age.description, f"`{age.of}`", "") for age in one.ages
    ]
    yield _table(("Column", "Type", "Unit", "Meaning", "Source", "Privacy category"), [*columns, *ages])
    fields = one.parameters.model_fields
    if one.parameters_of:
        yield f"Its parameters are those of `{one.parameters_of}`."
    elif fields:
        meanings = _meanings(one.parameters)
        rows = [
            (f"`{name}`", _default(field.default), field.description or meanings.get(name, ""))
            for name, field in fields.items()
        ]
        yield _table(("Parameter", "Default", "Meaning"), rows)


def _column(one: Enricher, output: Output) -> tuple[str, ...]:
    source = _named(one.read_for(output))
    return (f"`{output.name}`", str(output.type), output.unit, output.description, source, output.privacy)


def _view(view: GroupView) -> Iterator[str]:
    yield f"## profile.{view.name}\n\nA view: {view.description[0].lower()}{view.description[1:]}"
    rows = [(f"`{one.name}`", one.type, one.description, _named(one.of), one.privacy) for one in view.columns]
    yield _table(("Column", "Type", "Meaning", "Source (enricher)", "Privacy category"), rows)


def _input(one: Input) -> Iterator[str]:
    yield f"### {one.name}\n\n{one.description}"
    rows = [(f"`{name}`", column.description, _named(column.of)) for name, column in one.columns.items()]
    yield _table(("Column", "Meaning", "Follows from"), rows)


def _named(columns: Sequence[str]) -> str:
    """Columns by what has them: ``purchases``: `net`, `returned`."""
    split = [one.split(".", 1) for one in columns]
    return "; ".join(
        f"{relation}: {', '.join(f'`{name}`' for _, name in own)}"
        for relation, own in groupby(sorted(split, key=lambda one: one[0]), key=lambda one: one[0])
    )


def _default(value: object) -> str:
    text = str(value)
    return f"`{text}`" if len(text) <= _LONGEST else "in the code"


_LONGEST = 80
_ATTRIBUTES = re.compile(r"Attributes:\n(.*)", re.DOTALL)
_ATTRIBUTE = re.compile(r"^ {8}(\w+): (.*?)(?=^ {8}\w|\Z)", re.DOTALL | re.MULTILINE)


def _meanings(parameters: type[Parameters]) -> Mapping[str, str]:
    """What docstrings say of parameters, those of classes that they inherit from too."""
    found: dict[str, str] = {}
    for one in reversed(parameters.__mro__):
        if said := _ATTRIBUTES.search(one.__doc__ or ""):
            found |= {
                name: " ".join(text.split()).replace("``", "`") for name, text in _ATTRIBUTE.findall(said[1])
            }
    return found


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(text.replace("|", "/") for text in line) + " |" for line in lines)
