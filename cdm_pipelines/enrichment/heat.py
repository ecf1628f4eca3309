"""A heat map: counts by row and column, drawn.

Belongs here: drawing. Does not belong here: what is counted.
"""

from collections.abc import Mapping, Sequence
from html import escape

from cdm_pipelines.figures import Picture

_LEFT, _TOP, _WIDE, _HIGH = 100, 44, 30, 24


def heat_map(title: str, rows: Sequence[str], columns: int, counts: Mapping[tuple[int, int], int]) -> Picture:
    """Squares that are the darker, the more there are; on white, so that it is read on any ground.

    Args:
        title: Above it.
        rows: Their names.
        columns: How many there are, numbered from 0.
        counts: By row and column, each from 0.
    """
    most = max(counts.values(), default=0)
    width, height = _LEFT + columns * _WIDE + 16, _TOP + len(rows) * _HIGH + 28
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12" fill="#222">'
    )
    shapes = [
        head,
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="16" y="24" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for row, name in enumerate(rows):
        y = _TOP + row * _HIGH
        shapes.append(f'<text x="16" y="{y + 16}">{escape(name)}</text>')
        for column in range(columns):
            count = counts.get((row, column), 0)
            ink = f'fill="#4c78a8" fill-opacity="{count / most:.2f}"' if count else 'fill="#f2f2f2"'
            shapes.append(
                f'<rect x="{_LEFT + column * _WIDE}" y="{y}" width="{_WIDE - 1}" height="{_HIGH - 1}" {ink}>'
                f"<title>{escape(name)}, {column}: {count:,}</title></rect>"
            )
    y = _TOP + len(rows) * _HIGH + 16
    shapes += [
        f'<text x="{_LEFT + (column + 0.5) * _WIDE:.0f}" y="{y}" text-anchor="middle">{column}</text>'
        for column in range(0, columns, 3)
    ]
    (row, column), count = max(counts.items(), key=lambda one: (one[1], one[0]), default=((0, 0), 0))
    told = f"{title}: most on {rows[row]} at {column}, {count:,}" if count else f"{title}: none"
    points = {f"{rows[row]} {column}": float(count) for (row, column), count in sorted(counts.items())}
    return Picture("\n".join([*shapes, "</svg>\n"]), told, points)
