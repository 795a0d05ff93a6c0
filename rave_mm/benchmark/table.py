"""A table as text, its columns under each other."""

from collections.abc import Sequence


def text_table(lines: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """Set up a table.

    Args:
        lines: The headings, and the cells of each row, as many.
        left: Which columns begin at the left; the others, numbers, end at the right.

    Returns:
        A line for each row.
    """
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
