"""Pictures of a residual vector: its words, the two clouds of photos, where they lie along it."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rave_mm.direction.clouds import PhotoClouds
from rave_mm.direction.reading import Reading
from rave_mm.direction.residual_vector import ResidualVector
from rave_mm.functional import remove_span
from rave_mm.runtime.whole_files import replacing

BACKLIT, WELL_LIT = "#33508c", "#e0a030"


def draw_residual(
    residual: ResidualVector,
    reading: Reading,
    path: Path,
    clouds: PhotoClouds | None = None,
    count: int = 15,
) -> None:
    """Write a PNG: two bar charts of words and, where there are photos, the clouds and a histogram.

    Args:
        residual: the vector with its target.
        reading: its words.
        path: the file to write.
        clouds: photos; None to leave their two pictures out.
        count: how many words of either end.
    """
    rows = 1 if clouds is None else 2
    figure = Figure(figsize=(11, 4.6 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False)
    draw_words(axes[0, 0], reading.nearest(count), "nearest words", WELL_LIT)
    draw_words(axes[0, 1], reading.farthest(count), "farthest words", BACKLIT)
    if clouds is not None:
        draw_clouds(axes[1, 0], residual, clouds)
        draw_histogram(axes[1, 1], residual, clouds)
    origin = residual.provenance
    without = f", without {origin.removed}" if origin.removed else ""
    figure.suptitle(f"{origin.clip}, {origin.estimator}{without}", parse_math=False)
    write_figure(figure, path)


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=110)


def draw_words(axes: Axes, scored: list[tuple[str, float]], title: str, colour: str) -> None:
    """A bar for each word, the first at the top."""
    places = np.arange(len(scored))
    axes.barh(places, [score for _, score in scored], color=colour)
    # Matplotlib's font lacks many of the characters that tokens have.
    labels = [word.encode("ascii", "backslashreplace").decode()[:32] for word, _ in scored]
    axes.set_yticks(places, labels, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("$\\langle e, v \\rangle$")
    axes.set_title(title)


def draw_clouds(axes: Axes, residual: ResidualVector, clouds: PhotoClouds) -> None:
    """The photos, seen so that the vector lies in the plane.

    Across is `<f(x), v>`; up is the direction in which the photos differ most among those at right
    angles to it (the first principal component).
    """
    from sklearn.decomposition import PCA

    vector = residual.vector
    sets = (clouds.backlit.embeddings, clouds.well_lit.embeddings)
    rows = torch.cat(sets)
    beside = rows - (rows @ vector)[:, None] * vector
    found = torch.from_numpy(PCA(1).fit(beside.numpy()).components_[0]).to(vector)
    plane = torch.stack([vector, remove_span(found, vector[None])])
    means = []
    for embeddings, name, colour in zip(
        sets, ("backlit", "well-lit"), (BACKLIT, WELL_LIT), strict=True
    ):
        across, up = (embeddings @ plane.T).T.numpy()
        axes.scatter(across, up, s=14, alpha=0.6, color=colour, label=name)
        mean = plane @ torch.nn.functional.normalize(embeddings.mean(0), dim=0)
        means.append([float(place) for place in mean])
        axes.scatter(
            means[-1][:1], means[-1][1:], s=130, marker="X", color=colour, edgecolor="black"
        )
    start = means[0]
    # The vector has length 1; its arrow ends at the target, or nothing else could be seen.
    axes.annotate(
        "",
        xy=(residual.target, start[1]),
        xytext=(start[0], start[1]),
        arrowprops={"arrowstyle": "->", "lw": 2},
    )
    axes.set_xlabel("along the residual vector, $\\langle f(x), v \\rangle$")
    axes.set_ylabel("first principal component beside it")
    axes.set_title("photos, their means (X), the vector to its target")
    axes.legend()


def draw_histogram(axes: Axes, residual: ResidualVector, clouds: PhotoClouds) -> None:
    """`<f(x), v>` of both sets, with the target."""
    along = [
        (found.embeddings @ residual.vector).numpy() for found in (clouds.backlit, clouds.well_lit)
    ]
    bins = np.linspace(min(map(np.min, along)), max(map(np.max, along)), 25)
    for values, name, colour in zip(
        along, ("backlit", "well-lit"), (BACKLIT, WELL_LIT), strict=True
    ):
        axes.hist(values, bins.tolist(), alpha=0.6, color=colour, label=name)
    axes.axvline(residual.target, color="black", linestyle="--", label="target")
    axes.set_xlabel("$\\langle f(x), v \\rangle$")
    axes.set_ylabel("photos")
    axes.set_title("where the photos lie along the vector")
    axes.legend()
