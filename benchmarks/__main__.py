"""``python -m benchmarks``: the whole benchmark, or one of its stages in this process."""

import sys

from benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main())
