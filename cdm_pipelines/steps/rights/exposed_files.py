"""Files that were in reach: found by path or pattern in lake, landing and home, and read by the place that covers them.

Belongs here: which files are meant, and their rows. Does not belong here: whom rows name (``people``), counting
(``exposure``).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.ingest.errors import ExtractError
from cdm_pipelines.ingest.places import REMOVABLE
from cdm_pipelines.ingest.removal import Extract
from cdm_pipelines.privacy.exposure import golden_ids_in, named_in
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.rights.subject import RightsError
from cdm_pipelines.store import layout
from cdm_pipelines.store.categories import UNCLASSIFIED
from cdm_pipelines.store.file_store import FileStore
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.packs import SUFFIX, path_of
from cdm_pipelines.store.places import contract_columns
from cdm_pipelines.store.register import Kind, Place, Register, Root, matching
from cdm_pipelines.store.removal import paths_of

_BATCH = 100_000
_DELIVERED = ("raw", "valid", "quarantine", "corrections", "repairs")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ROOTS = (Root.LAKE, Root.LANDING, Root.HOME)
Batches = Iterator[tuple[pa.Table, pa.Table]]


@dataclass(frozen=True)
class Opened:
    """A file that was in reach.

    Attributes:
        path: With its root before it.
        columns: Category of each column.
        categories: All personal categories that it may hold.
        batches: Its rows, each with what names somebody in them (``privacy.exposure.REFERENCES``).
        golden_ids: What looks like a golden id, of a file that has no rows.
        everybody: Whether it cannot be told whose it is.
        note: What else is to be known.
    """

    path: str
    columns: Mapping[str, str] = field(default_factory=dict)
    categories: Sequence[str] = ()
    batches: Batches = field(default_factory=lambda: iter(()))
    golden_ids: Sequence[str] = ()
    everybody: bool = False
    note: str = ""

    def category(self, column: str) -> str:
        """Of a column; one that nobody declared counts as personal, where personal data is declared at all."""
        if column.startswith("_"):
            return self.columns.get(column, "")
        return self.columns.get(column, UNCLASSIFIED if self.categories else "")


class Files:
    """The files of a deployment.

    Args:
        settings: Where they are.
        register: All places.
        contracts: All that there are.
    """

    def __init__(self, settings: Settings, register: Register, contracts: Sequence[SourceContract]) -> None:
        self._settings, self._register = settings, register
        self._contracts = {one.name: one for one in contracts}
        self._lake, self._landing = Lake(settings.lake_url), FileStore(settings.landing_url)

    def opened(self, named: str) -> Iterator[Opened]:
        """Every file that a path, a folder or a pattern means.

        Raises:
            RightsError: There is none.
        """
        meant = [(root, path) for root in _ROOTS for path in self._meant(root, named)]
        if not meant:
            known = [f"{root}/{path}" for root in _ROOTS for path in self._known[root]]
            near = get_close_matches(named, known, n=3, cutoff=0.5)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise RightsError(
                f"There is no file {named} in lake, landing or home.{hint} Name a path or a pattern below one of them, "
                "for example lake/raw/crm/**."
            )
        for root, path in meant:
            yield from self._open(root, path)

    def _meant(self, root: Root, named: str) -> list[str]:
        """Files of a root that are meant, by a path below it, with its name before it, or as it lies on the machine."""
        base = self._settings.home if root is Root.HOME else self._store(root).here_at("")
        wanted = named.rstrip("/")
        if wanted.startswith("/"):
            if base is None or not Path(wanted).is_relative_to(base):
                return []
            wanted = Path(wanted).relative_to(base).as_posix()
        elif wanted.partition("/")[0] in _ROOTS:
            if wanted.partition("/")[0] != root:
                return []
            wanted = wanted.partition("/")[2]
        if wanted in ("", "."):
            return list(self._known[root])
        one, below = matching(wanted), matching(f"{wanted}/**")
        return [path for path in self._known[root] if one(path) or below(path)]

    def _store(self, root: Root) -> FileStore:
        return self._lake if root is Root.LAKE else self._landing

    @cached_property
    def _known(self) -> dict[Root, list[str]]:
        """Every file of each root; those of a pack of the lake where they would lie without."""
        inside = [here for store in (self._lake, self._landing) if (here := store.here_at("")) is not None]
        home = [
            file.relative_to(self._settings.home).as_posix()
            for file in sorted(self._settings.home.rglob("*"))
            if file.is_file() and not any(file.is_relative_to(place) for place in inside)
        ]
        lake = sorted({*self._lake.stamps(), *self._lake.paths("")})
        return {Root.LAKE: lake, Root.LANDING: list(self._landing.stamps()), Root.HOME: home}

    def _open(self, root: Root, path: str) -> Iterator[Opened]:
        name = f"{root}/{path}"
        covering = self._register.covering(root, path)
        if root is Root.LAKE and path.endswith(SUFFIX):
            for member in self._lake.packed(path):
                yield from self._open(root, path_of(path, member))
            return
        if not covering:
            base = path.replace(".changes.arrow", ".arrow")
            covering = self._register.covering(root, base)
        if not covering:
            yield Opened(name, categories=(UNCLASSIFIED,), everybody=True)
            return
        place = covering[0]
        if not place.categories:
            yield Opened(name, note="no personal data is declared in it")
        elif root is Root.LANDING:
            yield self._as_delivered(name, path, place)
        elif root is Root.LAKE and path.endswith((".parquet", ".arrow")):
            contract = self._contracts.get(place.name.partition("/")[2])
            delivered = contract if place.name.partition("/")[0] in _DELIVERED else None
            yield Opened(name, place.columns, place.categories, self._rows(path, delivered))
        elif place.search is None and UNCLASSIFIED not in place.categories:
            yield Opened(name, categories=place.categories, note=place.erasure.how)
        elif root is Root.LAKE and place.kind is not Kind.DOCUMENT:
            with self._lake.open(path) as source:
                found = golden_ids_in(source.read().decode("utf-8", "replace"))
            yield Opened(name, categories=place.categories, golden_ids=found)
        else:
            yield Opened(name, categories=place.categories, everybody=True)

    def _rows(self, path: str, contract: SourceContract | None) -> Batches:
        tables = (
            self._lake.read_batches(path, _BATCH)
            if path.endswith(".parquet")
            else iter([self._lake.read_arrow(path)])
        )
        for table in tables:
            yield table, named_in(table, contract)

    def _as_delivered(self, name: str, path: str, place: Place) -> Opened:
        """An extract: its rows as its raw table has them, or read anew where there is none."""
        contract = self._contracts["/".join(place.name.split("/")[1:3])]
        columns = contract_columns(contract)
        day = _DAY.search(path)
        raw = layout.raw_path(contract, day[0] if day else "{date}")
        tables = [
            mine
            for one in paths_of(self._lake, raw)
            for table in self._lake.read_batches(one, _BATCH)
            if (mine := table.filter(pc.equal(table["_file"], path))).num_rows
        ]
        if not tables and contract.format in REMOVABLE:
            with self._landing.open(path) as source:
                try:
                    tables = [Extract(contract, path, source.read()).rows()]
                except ExtractError:
                    tables = []
        if not tables:
            return Opened(name, categories=place.categories, everybody=True)
        rows = ((table, named_in(table, contract)) for table in tables)
        return Opened(name, columns, place.categories, rows)
