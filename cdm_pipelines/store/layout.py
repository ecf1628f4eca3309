"""Where in the lake each table lies.

Belongs here: paths, and the days that are there. Nothing else in the project spells a path of the lake.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity
from cdm_pipelines.store.lake import Lake

LAYERS = ("raw", "valid", "quarantine", "standard")
"""What there is of each day of a source, in the order in which it is made."""
MODELS = "link/model"
MATCHES = "link/matches.arrow"
CLUSTERS = "link/clusters.arrow"
HEALTH = "link/health.parquet"
SOURCE_CORRECTIONS = "publish/source_corrections"
INTERACTIONS = "profile/interactions"
INTERACTION_IDS = "profile/interaction_ids"
INTERACTION_RULES = "profile/interactions.rules.json"
PROFILE_FIGURES = "profile/figures"
"""By which rules interactions of which days are attached."""
NEIGHBOURS = "profile/neighbours"
"""What customers have in common, by enricher."""
REPORTS = "insight/report"
"""Reports for the board, by month."""
FORMER_PARTIES = "profile/parties.arrow"
"""By which addresses and phones party records were known when the profile was published."""
FINGERPRINT = "fingerprint"
"""Note on a table: changes when anything that it was made from changes."""
CONTENT = "content"
"""Note on a table: changes when its rows change, though they were made from the same."""
CORRECTED = "corrected"
"""Note on a table: rows that a person corrected went into it."""
PRUNED = "pruned"
"""Note on a table whose rows the policy of pruning let go: how many there were."""
RECORDS = "records"
"""Note on a standard table: how many rows its day had, those that a later one replaced left out."""
OF_RAW = "of raw"
"""Note on the table of a day that is written last (repairs): the fingerprint of the raw table with which it ended."""
FILES = "files"
"""Note on a raw table: path and size of each file that it was made from, a line each."""
STAMPS = "stamps"
"""Note on a raw table: when each of those files was written, as its file system tells it, in the same order."""


Files = Mapping[str, tuple[int, str]]
"""Size and moment of writing of files by their path; the moment is empty where it is not known."""


def of_files(files: Files) -> dict[str, str]:
    """Notes of the files that a raw table is made from."""
    return {
        FILES: "\n".join(f"{path}\t{size}" for path, (size, _) in files.items()),
        STAMPS: "\n".join(stamp for _, stamp in files.values()),
    }


def files_of(notes: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    """The files that a raw table was made from, by its notes; of a database there are none."""
    pairs = [line.rsplit("\t", 1) for line in notes.get(FILES, "").splitlines()]
    stamps = notes[STAMPS].split("\n") if STAMPS in notes else [""] * len(pairs)
    return {path: (int(size), stamp) for (path, size), stamp in zip(pairs, stamps, strict=False)}


def _daily(layer: str, contract: SourceContract, date: str) -> str:
    return f"{layer}/{contract.source}/{contract.entity}/{date}.parquet"


def raw_path(contract: SourceContract, date: str) -> str:
    """Rows as delivered."""
    return _daily("raw", contract, date)


def valid_path(contract: SourceContract, date: str) -> str:
    """Accepted rows."""
    return _daily("valid", contract, date)


def quarantine_path(contract: SourceContract, date: str) -> str:
    """Rejected rows with their reasons."""
    return _daily("quarantine", contract, date)


def repairs_path(contract: SourceContract, date: str) -> str:
    """Cells that were blanked."""
    return _daily("repairs", contract, date)


def corrections_path(contract: SourceContract, date: str) -> str:
    """Rows that a person corrected, which replace the delivered ones."""
    return _daily("corrections", contract, date)


def standard_path(contract: SourceContract, date: str, entity: Entity) -> str:
    """Standardised rows of one canonical entity."""
    return f"standard/{contract.source}/{contract.entity}/{date}/{entity}.parquet"


def day_place(layer: str, contract: SourceContract, date: str) -> str:
    """The table of a layer's day, or the folder of its tables where it has not just one."""
    if layer != "standard":
        return _daily(layer, contract, date)
    entities = sorted(contract.entities)
    if len(entities) == 1:
        return standard_path(contract, date, entities[0])
    return f"standard/{contract.source}/{contract.entity}/{date}"  # also where no column is mapped yet


def records_path(entity: Entity) -> str:
    """Current state of all records of a canonical entity."""
    return f"records/{entity}.arrow"


def made_path(entity: Entity) -> str:
    """Which days the current state was made from."""
    return f"records/{entity}.made.json"


def model_path(kind: str) -> str:
    """Fitted linkage model for persons or organisations."""
    return f"{MODELS}/{kind}.json"


def plan_path(kind: str) -> str:
    """What was decided about blocks when the model was first used, kept apart from the state that has it too."""
    return f"{MODELS}/{kind}.plan.arrow"


def linked_path() -> str:
    """With which models and decisions the records were linked."""
    return "link/linked.json"


def link_state_path(kind: str) -> str:
    """Which state of linking persons or organisations is the current one."""
    return f"link/state/{kind}.json"


def link_state_folder(kind: str) -> str:
    """States of linking persons or organisations."""
    return f"link/state/{kind}"


def former_models(kind: str) -> str:
    """Folder of the models that were in the place of today's before it."""
    return f"link/former_models/{kind}"


def former_model_path(kind: str, number: int, fingerprint: str) -> str:
    """The model that was replaced as the ``number``-th."""
    return f"{former_models(kind)}/{number:04d}-{fingerprint}.json"


def source_corrections_path(source: str) -> str:
    """Cells that the owner of a source should correct."""
    return f"{SOURCE_CORRECTIONS}/{source}.csv"


def kept_out_path(contract: SourceContract) -> str:
    """How many rows of erased persons a source entity still delivers, by day."""
    return f"publish/kept_out/{contract.source}/{contract.entity}.json"


def interactions_path(contract: SourceContract, date: str) -> str:
    """Interactions of a day, counted."""
    return _daily(INTERACTIONS, contract, date)


def interaction_ids_path(contract: SourceContract, date: str) -> str:
    """Which interactions a day delivered."""
    return _daily(INTERACTION_IDS, contract, date)


def interactions_made_path(contract: SourceContract) -> str:
    """Which days the counted ones were made from."""
    return f"{INTERACTIONS}/{contract.source}/{contract.entity}.made.json"


def days(lake: Lake, layer: str, contract: SourceContract) -> list[str]:
    """Dates for which a layer has a table, in order."""
    return [PurePosixPath(path).stem for path in lake.paths(f"{layer}/{contract.source}/{contract.entity}")]


def rows(lake: Lake, path: str) -> int:
    """Number of rows that a day's table was made with, which pruning does not change."""
    pruned = lake.notes(path).get(PRUNED)
    return lake.count(path) if pruned is None else int(pruned)


def standard_days(lake: Lake, contract: SourceContract, entity: Entity) -> list[str]:
    """Dates for which there are standardised rows of an entity, in order."""
    found = lake.paths(f"standard/{contract.source}/{contract.entity}")
    return [PurePosixPath(p).parent.name for p in found if PurePosixPath(p).stem == entity]


def profile_figures_path(enricher: str) -> str:
    """Figures of everybody that an enricher worked on."""
    return f"{PROFILE_FIGURES}/{enricher}.json"


def neighbours_path(enricher: str, version: str) -> str:
    """What customers of one version have in common that an enricher looks at."""
    return f"{NEIGHBOURS}/{enricher}/{version}.arrow"


def report_path(month: str) -> str:
    """What is told of a month, YYYY-MM, to the board."""
    return f"{REPORTS}/{month}.json"


def report_page_path(month: str, language: str) -> str:
    """The same as a page."""
    return f"{REPORTS}/{month}.{language}.html"


def kept_reports(lake: Lake) -> list[str]:
    """Reports and pages of all months."""
    return [path for suffix in (".json", ".html") for path in lake.paths(REPORTS, suffix)]


def report_month(path: str) -> str:
    """The month, YYYY-MM, that a kept report or page is of."""
    return PurePosixPath(path).name[: len("2026-06")]
