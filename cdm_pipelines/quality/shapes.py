"""The shape of a value: enough to see what is wrong with it, too little to know whose it is (R6).

Belongs here: shapes. Does not belong here: judging them.
"""

import pyarrow as pa
import pyarrow.compute as pc

MAX_LENGTH = 24
_SIGNS = ((r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", "a"), (r"[\p{Lu}\p{Lt}]", "A"), (r"\p{N}", "9"), (r"[^ -~]", "?"))


def shapes(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Letters become A or a, digits 9, other signs outside ASCII ``?``; cut off at 24 characters."""
    result = pc.utf8_slice_codeunits(values, 0, MAX_LENGTH)
    for pattern, sign in _SIGNS:
        result = pc.replace_substring_regex(result, pattern, sign)
    return result


def shape(value: str) -> str:
    """The shape of one value."""
    return str(shapes(pa.array([value]))[0].as_py())
