"""Reading the documents that benchmarks write."""


def rows(text: str, section: str) -> dict[str, list[str]]:
    """The rows of a section's table, by their first cell."""
    lines = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line[:1] == "|"]
    return {row[0]: row[1:] for row in cells[2:]}
