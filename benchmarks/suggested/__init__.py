"""What ``cdm link`` suggests for a file, held against what a careful person writes for it."""
