"""The places of this room: accepted and rejected rows, blanked cells, corrections, and rejected rows on a desk.

Belongs here: declarations. Does not belong here: what is fit.
"""

from collections.abc import Iterator, Sequence

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.quality.corrections import CORRECTING
from cdm_pipelines.store import layout
from cdm_pipelines.store.categories import OPERATIONS, UNCLASSIFIED
from cdm_pipelines.store.places import ORIGIN, contract_columns, delivered_rows, whom
from cdm_pipelines.store.register import ByOwner, Keeps, Kept, Kind, Place, Retention, Root, Whom
from cdm_pipelines.store.removal import Besides, any_of, nobody_else, parquet_rows

_FOUND_IN_A_DAY = Retention(
    Keeps.AS_SOURCE, "written anew when the day is run again, or as policies/pruning.yaml says"
)

EXPORTED = Place(
    name="outside/quarantine",
    kind=Kind.DOCUMENT,
    root=Root.OUTSIDE,
    pattern="cdm quarantine export/{file}",
    description="Rejected rows, for a person to correct.",
    whom=(Whom.CUSTOMERS, Whom.CONTACTS),
    categories_of_content=(UNCLASSIFIED,),
    kept=Retention(Keeps.BY_OWNER, "whoever exported them; the command says so"),
    erasure=ByOwner(
        "an erasure removes it where it lies as it was written; once it was moved or changed, its owner does"
    ),
)

_CORRECTING = Place(
    name="home/quarantine/lock",
    kind=Kind.DOCUMENT,
    root=Root.HOME,
    pattern=CORRECTING,
    description="That somebody's corrections are being kept.",
    kept=Retention(Keeps.WHILE_RUNNING),
    erasure=Kept("holds nothing"),
)


def places(contracts: Sequence[SourceContract], besides: Besides = nobody_else) -> Iterator[Place]:
    """The places of every source entity.

    Args:
        contracts: All that there are.
        besides: Which rows are a person's besides those of the person's records.
    """
    yield EXPORTED
    yield _CORRECTING
    for contract in contracts:
        columns = contract_columns(contract)
        for layer, path, description, own in (
            ("valid", layout.valid_path, "Accepted rows.", columns | ORIGIN),
            (
                "quarantine",
                layout.quarantine_path,
                "Rejected rows as delivered, with every reason.",
                columns | ORIGIN | {"_reasons": OPERATIONS},
            ),
            (
                "repairs",
                layout.repairs_path,
                "Cells that were blanked: where, by which rule, and the shape of the value.",
                ORIGIN | dict.fromkeys(("column", "rule", "shape", "action"), OPERATIONS),
            ),
            (
                "corrections",
                layout.corrections_path,
                "Rows that a person corrected, which replace the delivered ones.",
                columns | dict.fromkeys(("_sha256", "_row", "_file"), OPERATIONS),
            ),
        ):
            pattern = path(contract, "{date}")
            search, erasure = parquet_rows(pattern, any_of(delivered_rows(contract), besides(contract)))
            personal = layer != "repairs"
            yield Place(
                name=f"{layer}/{contract.name}",
                kind=Kind.LAKE_TABLE,
                root=Root.LAKE,
                pattern=pattern,
                description=description,
                whom=whom(contract) if personal else (),
                columns=own,
                others=UNCLASSIFIED if personal else None,  # columns that the source added without telling
                optional=frozenset(columns) | {"_file"} if layer == "corrections" else frozenset(),
                key=("_sha256", "_row"),
                kept=_FOUND_IN_A_DAY if layer != "corrections" else _CORRECTED,
                search=search,
                erasure=erasure,
            )


_CORRECTED = Retention(Keeps.AS_SOURCE, "until the day is delivered anew without the row")
