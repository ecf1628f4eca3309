"""The places of this room: matches, clusters, models, what linking leaves for its next run, and linked files.

Belongs here: declarations. Does not belong here: linking.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.linkage.cluster.health import HEALTH_SCHEMA
from cdm_pipelines.linkage.encode.keys import PLAN_SCHEMA
from cdm_pipelines.linkage.incremental.tables import DECISIONS
from cdm_pipelines.linkage.policy.spec import LinkagePolicy
from cdm_pipelines.store import layout, tables
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS, UNCLASSIFIED
from cdm_pipelines.store.places import target_category
from cdm_pipelines.store.register import (
    ByOwner,
    Keeps,
    Kept,
    Kind,
    Persons,
    Place,
    Retention,
    Root,
    Rows,
    Search,
    Stores,
    Whom,
)
from cdm_pipelines.store.removal import (
    arrow_rows,
    by_columns,
    layered_rows,
    parquet_rows,
    without_layered,
)

_EVERYBODY = (Whom.CUSTOMERS, Whom.CONTACTS)
_LINKED = Retention(Keeps.AS_SOURCE, "made anew by each run that links")
_PAIR = {"left_source": OPERATIONS, "left_id": IDENTIFIER, "right_source": OPERATIONS, "right_id": IDENTIFIER}
_RECORD = {"source": OPERATIONS, "record_id": IDENTIFIER}
_SIDES = (("left_source", "left_id"), ("right_source", "right_id"))


Forget = Callable[[str, Stores, Persons], None]
"""Takes persons out of all that linking keeps of a kind of party for its next run."""


def places(policies: Mapping[str, LinkagePolicy], forget: Forget) -> Iterator[Place]:
    """The places of linking under some policies, by kind of party.

    Args:
        policies: The policies.
        forget: How persons leave what linking keeps for its next run.
    """
    compared = {name for policy in policies.values() for name in policy.comparisons}
    yield _table(
        layout.MATCHES,
        Kind.LAYERED_TABLE,
        "Scored pairs from the review threshold on, with the level of agreement in each comparison.",
        _PAIR | dict.fromkeys(("weight", "probability", *sorted(compared)), OPERATIONS),
        layered_rows(tables.matches, by_columns(*_SIDES, linked=True)),
        key=tuple(_PAIR),
    )
    yield _table(
        layout.CLUSTERS,
        Kind.LAYERED_TABLE,
        "The cluster of every record, named after one of its records.",
        _RECORD | {"cluster_id": IDENTIFIER},
        _cluster_rows(),
        key=tuple(_RECORD),
    )
    yield _table(
        layout.HEALTH,
        Kind.LAKE_TABLE,
        "Clusters that do not hold together, with the reason.",
        {name: IDENTIFIER if name.endswith("_id") else OPERATIONS for name in HEALTH_SCHEMA.names},
        parquet_rows(layout.HEALTH, by_columns(tuple(_RECORD), ("other_source", "other_id"), linked=True)),
    )
    for kind, policy in policies.items():
        yield from _models(kind, policy)
        yield _plan(kind)
        yield from _state(kind, policy, forget)
    yield Place(
        name="link/linked",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=layout.linked_path(),
        description="With which models and up to which decision the records were linked.",
        kept=Retention(Keeps.REPLACED, "by each run that links"),
        erasure=Kept("names no record and holds no value"),
    )
    yield from _OUTSIDE


def _table(
    pattern: str,
    kind: Kind,
    description: str,
    columns: Mapping[str, str],
    ways: tuple[Search, Rows],
    *,
    key: tuple[str, ...] = (),
) -> Place:
    return Place(
        name=pattern.rpartition(".")[0],
        kind=kind,
        root=Root.LAKE,
        pattern=pattern,
        description=description,
        whom=_EVERYBODY,
        columns=columns,
        key=key,
        kept=_LINKED,
        search=ways[0],
        erasure=ways[1],
    )


def _cluster_rows() -> tuple[Search, Rows]:
    """Clusters: one that is named after an erased record is named after the first of those that stay."""
    match = by_columns(tuple(_RECORD), linked=True)
    search, _ = layered_rows(tables.clusters, match)

    def remove(stores: Stores, persons: Persons) -> int:
        test = match(stores, "", persons)
        table = tables.clusters(stores.lake)
        if test is None or not table.exists:
            return 0
        return without_layered(stores.lake, table, test, _named_anew)

    return search, Rows(remove, "base and changes written anew without their rows")


def _named_anew(clusters: pa.Table) -> pa.Table:
    """Records of clusters that lost the one they are named after, named after the first, in order of source and id."""
    names = pc.binary_join_element_wise(clusters["source"], clusters["record_id"], "|")
    named = pc.is_in(clusters["cluster_id"], value_set=names.combine_chunks())
    nameless = clusters.append_column("name", names).filter(pc.invert(named))
    ordered = nameless.sort_by([("source", "ascending"), ("record_id", "ascending")])
    first = ordered.group_by("cluster_id", use_threads=False).aggregate([("name", "first")])
    at = pc.index_in(nameless["cluster_id"], value_set=first["cluster_id"].combine_chunks())
    anew = first["name_first"].combine_chunks().take(at.combine_chunks())
    return nameless.set_column(nameless.column_names.index("cluster_id"), "cluster_id", anew).drop_columns(
        ["name"]
    )


def _models(kind: str, policy: LinkagePolicy) -> Iterator[Place]:
    """The model, and those before it: they hold values that many records share."""
    counted = sorted(
        {
            target_category(name)
            for comparison in policy.comparisons.values()
            if comparison.term_frequency is not None
            for read in comparison.reads
            for name in policy.columns[read].names
        }
    )
    for name, pattern, kept in (
        (
            f"model/{kind}",
            layout.model_path(kind),
            Retention(Keeps.REPLACED, "by a model that is fitted anew"),
        ),
        (
            f"former_models/{kind}",
            f"{layout.former_models(kind)}/{{number}}.json",
            Retention(Keeps.FOR_EVER, "so that a former model can be brought back"),
        ),
    ):
        yield Place(
            name=f"link/{name}",
            kind=Kind.DOCUMENT,
            root=Root.LAKE,
            pattern=pattern,
            description="Fitted weights, and how common the values are that at least five records share.",
            whom=_EVERYBODY if counted else (),
            categories_of_content=tuple(counted),
            kept=kept,
            erasure=Kept("a value stands in it only where at least five records share it, without who"),
        )


def _plan(kind: str) -> Place:
    """What was decided about blocks when the model was fitted."""
    return Place(
        name=f"link/plan/{kind}",
        kind=Kind.LAKE_TABLE,
        root=Root.LAKE,
        pattern=layout.plan_path(kind),
        description="Which blocks were refined or cut, by hash of their key, hidden like those of the state.",
        columns=dict.fromkeys(PLAN_SCHEMA.names, OPERATIONS),
        kept=Retention(Keeps.REPLACED, "by that of a model that is fitted anew"),
        erasure=Kept("a block stands in it only where too many records share its key, without who"),
    )


def _state(kind: str, policy: LinkagePolicy, forget: Forget) -> Iterator[Place]:
    """What linking leaves for its next run; all of it is written anew when one record has to go."""
    folder = layout.link_state_folder(kind)
    own = (policy.source or "source", policy.id)
    values = {policy.id: IDENTIFIER, own[0]: OPERATIONS} | {
        name: target_category(name) for spec in policy.columns.values() for name in spec.names
    }
    hashes = {str(number): UNCLASSIFIED for number in range(len(policy.blocking))}
    figures = dict.fromkeys(("name", "what", "key", "count"), OPERATIONS)
    links = dict.fromkeys(("left", "right", "odds", "packed", "weight"), OPERATIONS)
    groups = dict.fromkeys(("row", "component", "member", "bridge", "against"), OPERATIONS)
    confirmed = _RECORD | {"group": OPERATIONS}
    by_record = by_columns(own, linked=True)
    for tables_, columns, match, description in (
        (
            ("base-{number}/records", "{number}/added"),
            values,
            by_record,
            "What linking reads of each record.",
        ),
        (
            ("base-{number}/keys", "{number}/added_keys"),
            hashes,
            None,
            "Blocking keys of each record: hashes, hidden under the secret of the deployment.",
        ),
        (("base-{number}/plan",), figures, None, "Sizes of large blocks, by hash of their key."),
        (("{number}/links",), links, None, "Matches, by position of the records."),
        (("{number}/groups",), groups, None, "Components and clusters, by position of the records."),
        (
            tuple(f"{{number}}/{name}" for name in DECISIONS[:2]),
            _PAIR,
            by_columns(*_SIDES, linked=True),
            "Pairs that stewards decided.",
        ),
        (
            (f"{{number}}/{DECISIONS[2]}",),
            confirmed,
            by_columns(tuple(_RECORD), linked=True),
            "Customers that stewards confirmed.",
        ),
    ):
        for table in tables_:
            pattern = f"{folder}/{table}.arrow"
            search = None if match is None else arrow_rows(pattern, match)
            erasure = None if search is None else _forgotten(kind, search, forget)
            yield _state_table(pattern, columns, description, search, erasure)
    yield Place(
        name=f"link/state/{kind}",
        kind=Kind.DOCUMENT,
        root=Root.LAKE,
        pattern=layout.link_state_path(kind),
        description="Which state of linking is the current one.",
        kept=_LINKED,
        erasure=Kept("names no record and holds no value"),
    )


def _state_table(
    pattern: str, columns: Mapping[str, str], description: str, search: Search | None, erasure: Rows | None
) -> Place:
    personal = any(category != OPERATIONS for category in columns.values())
    folder = pattern[: pattern.index("{")].rpartition("/")[0]
    return Place(
        name=pattern.removesuffix(".arrow").replace("{number}", "N"),
        kind=Kind.LAKE_TABLE,
        root=Root.LAKE,
        pattern=pattern,
        description=description,
        whom=_EVERYBODY if personal else (),
        columns=columns,
        kept=_LINKED,
        search=search,
        erasure=erasure or Kept(f"written anew with the records of {folder}, by whose order it counts"),
    )


def _forgotten(kind: str, search: Search, forget: Forget) -> Rows:
    def remove(stores: Stores, persons: Persons) -> int:
        rows = sum(len(found.rows) for found in search.find(stores, persons))
        if rows:
            forget(kind, stores, persons)
        return rows

    return Rows(
        remove, "written anew without them and those linked with them, who alone are linked by the next run"
    )


def _outside(file: str, description: str, *, personal: bool = True) -> Place:
    return Place(
        name=f"outside/{file}",
        kind=Kind.DOCUMENT,
        root=Root.OUTSIDE,
        pattern=file,
        description=description,
        whom=_EVERYBODY if personal else (),
        categories_of_content=(UNCLASSIFIED,) if personal else (),
        kept=Retention(Keeps.BY_OWNER, "whoever ran the command"),
        erasure=ByOwner("whoever ran the command deletes the files"),
    )


_OUTSIDE = (
    _outside("cdm link --out/clusters.parquet", "The cluster of every record of linked files."),
    _outside("cdm link --out/pairs.parquet", "Scored pairs of linked files."),
    _outside("cdm link --out/model.json", "Fitted weights, and values that at least five records share."),
    _outside("cdm link --out/errors.csv", "Pairs that were linked wrongly; values masked unless asked for."),
    _outside("cdm link --out/policy.yaml", "The policy that was suggested.", personal=False),
    _outside("cdm link --out/charts.svg", "Charts of the model and its pairs.", personal=False),
    _outside("cdm link sample/{file}", "Pairs to be labelled; values masked unless asked for."),
    _outside("cdm link --picture/{file}", "Charts of one explanation; values masked unless asked for."),
    replace(
        _outside(
            "exchange/**", "Records on their way to a Spark cluster, in the folder of CDM_SPARK_EXCHANGE."
        ),
        kind=Kind.FOLDER,
        kept=Retention(Keeps.WHILE_RUNNING, "removed when all is linked"),
        erasure=Kept("gone with the run that wrote it"),
    ),
)
