"""Text that a spreadsheet takes for a formula, made harmless.

Belongs here: what begins a formula, and tables for people to open. Does not belong here: tables that come back
(quality.corrections).
"""

import pyarrow as pa
import pyarrow.compute as pc

FORMULA_SIGNS = r"[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}\x{2212}\x{fe62}\x{fe63}\x{fe66}\x{fe6b}]"
"""What a spreadsheet takes for the beginning of a formula, in full width, small form and typography too."""
_SIGNED_NUMBER = r"^[+-][0-9 .,()/-]*$"


def neutralised(table: pa.Table) -> pa.Table:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    columns = []
    for column in table.columns:
        if pa.types.is_string(column.type):
            harmless = pc.match_substring_regex(column, _SIGNED_NUMBER)
            risky = pc.and_(pc.match_substring_regex(column, f"^{FORMULA_SIGNS}"), pc.invert(harmless))
            quoted = pc.binary_join_element_wise(pa.scalar("'"), column, "")
            columns.append(pc.if_else(pc.fill_null(risky, False), quoted, column))
        else:
            columns.append(column)
    return pa.Table.from_arrays(columns, schema=table.schema)
