"""``python -m benchmarks``: the whole benchmark, that of linkage, search or incremental runs, or a stage."""

import sys

from benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main())
