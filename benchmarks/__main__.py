"""``python -m benchmarks``: the whole benchmark, that of linkage or search, or a stage in this process."""

import sys

from benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main())
