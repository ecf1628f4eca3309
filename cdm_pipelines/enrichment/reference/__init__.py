"""Reference data that is shipped, each file with its licence beside it."""
