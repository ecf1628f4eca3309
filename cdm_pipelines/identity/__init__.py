"""Golden ids that last: assigned once, kept on every rerun, resolved after a merge."""
