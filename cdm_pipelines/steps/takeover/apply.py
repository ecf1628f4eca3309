"""The step that puts another company in place as a source: contracts, component, extracts in landing.

Belongs here: that, so that it can be killed and done again. Does not belong here: reading the folder (``folder``),
running the day that was put in place (commands), taking it out again (``divest``).

Records are known by their source, so an id of theirs that is also one of ours is another record. What is put in place
is the same whenever the same folder is given, and each file is there whole or not at all: doing it again after it was
killed finds some of it there and writes the rest.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from cdm_pipelines.connectors.placing import COMPONENT
from cdm_pipelines.contracts.catalogue import DEFS, all_contracts
from cdm_pipelines.contracts.odcs import SUFFIX
from cdm_pipelines.hub import source_days
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.takeover.folder import Folder, TakeoverError, check_name, place_extracts, read_folder
from cdm_pipelines.store.files import make_folder, write_whole

COMPONENT_FILE = "defs.yaml"


@dataclass(frozen=True)
class InPlace:
    """What was put in place.

    Attributes:
        folder: What was read.
        written: Contracts and component that were not there.
        landed: Extracts, below landing.
        date: As of which day.
        done: Whether customers are made of that day already, so that nothing is left to run.
    """

    folder: Folder
    written: tuple[Path, ...]
    landed: tuple[str, ...]
    date: str
    done: bool


def put_in_place(
    settings: Settings, connection: Connection, folder: Path, name: str, *, date: str, defs: Path = DEFS
) -> InPlace:
    """Put another company in place as a source.

    Args:
        settings: Of the deployment.
        connection: Of a migrated hub.
        folder: With the other company's extracts.
        name: Of the source.
        date: Extract date that they get.
        defs: Where sources lie.

    Raises:
        TakeoverError: The folder or the name cannot be used, or a source of that name is another one.
    """
    target = defs / name
    others = {one.source for one in all_contracts()} - {name}
    check_name(name, sorted(others))
    with tempfile.TemporaryDirectory(prefix="cdm-takeover-") as beside:
        found = read_folder(folder, name, Path(beside))
    texts = {target / f"{entity}{SUFFIX}": text for entity, text in found.texts.items()}
    texts[target / COMPONENT_FILE] = COMPONENT.format(start=date)
    _the_same(target, texts, name)
    published = connection.scalar(
        text("SELECT count(*) FROM golden.crosswalk WHERE source = :name"), {"name": name}
    )
    days = {one.date for one in source_days.known_days(connection) if one.source == name}
    if days - {date}:
        raise TakeoverError(
            f"Customers are made from days of {name} already, of {min(days)}. Give its date (--date {min(days)}) to go "
            "on, another name, or deliver further days with `cdm ingest`."
        )
    written = [path for path in texts if not path.exists()]
    landed = () if days else tuple(place_extracts(found, settings.landing_url, date))
    for path in written:  # after the extracts: a source without any would be missed by its schedule
        make_folder(path.parent)
        write_whole(path, texts[path].encode())
    return InPlace(found, tuple(written), landed, date, bool(days and published))


def _the_same(target: Path, texts: Mapping[Path, str], name: str) -> None:
    """See that what is there is what would be written: an earlier time that was killed, or was all."""
    there = sorted(target.glob("*.yaml")) if target.is_dir() else []
    others = [path for path in there if path not in texts or path.read_text(encoding="utf-8") != texts[path]]
    if others:
        raise TakeoverError(
            f"{name} is taken: {', '.join(map(str, others))} is there and says something else. Give another name with "
            f"--name. A source that was taken over leaves with `cdm takeover divest {name}`."
        )
