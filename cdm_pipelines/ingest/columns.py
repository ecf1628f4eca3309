"""Names of the columns of a file: those of its header, or those that the contract gives by place.

Belongs here: blank and repeated names, files without a header. Does not belong here: whether columns are missing
(extract).
"""

from collections.abc import Sequence

from cdm_pipelines.contracts import SourceContract


def named(header: Sequence[str], contract: SourceContract) -> list[str]:
    """The names of a header: blank ones by their place, repeated ones with a number, as in ``Email_2``.

    A contract that does not know the numbered name gets the repeated one, which is refused: nobody has said which of
    the two is meant.
    """
    names = [cell.strip() or f"unnamed_{place}" for place, cell in enumerate(header, start=1)]
    known = {*contract.column_names, *contract.beside}
    taken = set(names)
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] == 1:
            continue
        number = seen[name]
        while f"{name}_{number}" in taken:
            number += 1
        numbered = f"{name}_{number}"
        if not known or numbered in known:
            names[place] = numbered
            taken.add(numbered)
    return names


def by_place(contract: SourceContract, width: int) -> list[str]:
    """The names of the columns of a file without a header, as the contract lists them."""
    counted = contract.fill_down.numbered_as if contract.fill_down else None
    listed = contract.beside if contract.delivered_with else contract.column_names
    names = [name for name in listed if name != counted]
    return (names + [f"column_{place}" for place in range(len(names) + 1, width + 1)])[:width]
