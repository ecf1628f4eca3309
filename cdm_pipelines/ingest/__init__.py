"""Extract files, databases and the lake: bytes become rows with their origin. No rules about content."""

from cdm_pipelines.ingest.errors import Defect, ExtractError, Refusal
from cdm_pipelines.ingest.extract import (
    absent_columns,
    copies,
    new_columns,
    read_extract,
    read_file,
    reading_notes,
)
from cdm_pipelines.ingest.landing import LandingFile, checksum, find_files, landing_dates

__all__ = [
    "Defect",
    "ExtractError",
    "LandingFile",
    "Refusal",
    "absent_columns",
    "checksum",
    "copies",
    "find_files",
    "landing_dates",
    "new_columns",
    "read_extract",
    "read_file",
    "reading_notes",
]
