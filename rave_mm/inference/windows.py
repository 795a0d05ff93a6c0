"""Windows of a photograph, and tiles that it is cut into."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Rows `top` to `bottom` and columns `left` to `right` of a photograph, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array (H, W) with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def inside(self, other: "Window") -> "Window":
        """This window in the coordinates of a larger one."""
        return Window(
            self.top - other.top,
            self.bottom - other.top,
            self.left - other.left,
            self.right - other.left,
        )


@dataclass(frozen=True)
class Tile:
    """A window of the light map, and the window of the photograph that it is computed from."""

    core: Window
    seen: Window


def cut(height: int, width: int, side: int, around: int) -> list[Tile]:
    """Cut a photograph into tiles.

    What the network is given is of one size throughout, at most ``side + 2 * around``: other sizes
    would leave gaps in the memory where their features were.

    Args:
        height: Of the photograph.
        width: Of the photograph.
        side: The longest side of a tile within the photograph, without what lies around it.
        around: Pixels to see around a tile, where the photograph has them.

    Returns:
        Tiles, row by row. Those at the photograph's border are wider by up to `around`.
    """
    return [
        Tile(Window(top, bottom, left, right), Window(first_row, last_row, first, last))
        for top, bottom, first_row, last_row in _cuts(height, side, around)
        for left, right, first, last in _cuts(width, side, around)
    ]


def _cuts(length: int, side: int, around: int) -> list[tuple[int, int, int, int]]:
    """Start and end of each tile along one side, and of what is seen of the photograph for it."""
    seen = side + 2 * around
    if length <= seen:
        return [(0, length, 0, length)]
    count = -(-(length - 2 * around) // side)
    # No more than so many tiles need, or their overlap would grow instead of their number.
    seen = -(-(length - 2 * around) // count) + 2 * around
    starts = [(length - seen) * i // (count - 1) for i in range(count)]
    # Halfway through what two neighbours both see: at least `around` from the end of either.
    inner = [(a + b + seen) // 2 for a, b in zip(starts[:-1], starts[1:], strict=True)]
    ends = [0, *inner, length]
    return [(ends[i], ends[i + 1], starts[i], starts[i] + seen) for i in range(count)]
