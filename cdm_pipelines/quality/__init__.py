"""Pandera schemas from contracts, quarantine and reconciliation. Decides which rows and cells are fit."""

from cdm_pipelines.quality.corrections import (
    CorrectionsError,
    apply_corrections,
    export_quarantine,
    neutralise_formulas,
    read_corrections,
    restore_formulas,
)
from cdm_pipelines.quality.damage import digit_lengths, lost_zeros
from cdm_pipelines.quality.repeats import (
    Repeats,
    compared_columns,
    find_repeats,
    superseded_rows,
    with_conflicts,
)
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.quality.schema import failures, pandera_schema
from cdm_pipelines.quality.shapes import shape, shapes
from cdm_pipelines.quality.validation import (
    REPAIRS_SCHEMA,
    Validated,
    quarantine_schema,
    reconcile,
    valid_schema,
    validate,
)

__all__ = [
    "REPAIRS_SCHEMA",
    "CorrectionsError",
    "Repeats",
    "Rule",
    "Validated",
    "apply_corrections",
    "compared_columns",
    "digit_lengths",
    "export_quarantine",
    "failures",
    "find_repeats",
    "lost_zeros",
    "neutralise_formulas",
    "pandera_schema",
    "quarantine_schema",
    "read_corrections",
    "reconcile",
    "restore_formulas",
    "shape",
    "shapes",
    "superseded_rows",
    "valid_schema",
    "validate",
    "with_conflicts",
]
