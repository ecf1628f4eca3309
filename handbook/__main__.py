"""``python -m handbook``: are the derived pages what the code says? With ``--write`` they are made so.

Belongs here: the command. Does not belong here: the pages (pages, rooms) or the links (links).
"""

import sys
from collections.abc import Sequence

from handbook import links, pages


def main(arguments: Sequence[str]) -> int:
    """Check, or write with ``--write``; returns the exit code: 1 where something is wrong."""
    if not set(arguments) <= {"--write"}:
        sys.stderr.write("Usage: python -m handbook [--write]\n")
        return 2
    if arguments:
        for path in pages.write():
            sys.stdout.write(f"Written: {path}\n")
    problems = [*pages.outdated(), *links.broken()]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
