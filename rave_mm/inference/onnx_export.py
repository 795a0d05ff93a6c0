"""Writes the network as an ONNX file, for programs without PyTorch, and checks the file."""

import warnings
from collections.abc import Sequence
from inspect import signature
from pathlib import Path

import torch
from torch import Tensor, nn

from rave_mm.functional import apply_light_map
from rave_mm.inference.weights import LightMapNetwork
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.networks.small_view_net import HIGHEST, LOWEST, SmallViewLightMapNet
from rave_mm.runtime.whole_files import replacing

TOLERANCE = 1e-4
"""How far what the file computes may be from PyTorch's; rounding alone makes 1e-6."""

CHECKED_SHAPES = ((1, 2, 2), (1, 3, 7), (2, 5, 64), (1, 61, 83), (3, 64, 48), (1, 133, 250))
"""Batch, height and width of the photographs that a file is checked with."""


TAKES_ANY_SIZE = "dynamic_shapes" in signature(torch.onnx.export).parameters
"""Whether this PyTorch can export a network for photographs of any size."""


class ExportError(RuntimeError):
    """An ONNX file that does not compute what the network does."""


class ExportableEnhancer(nn.Module):
    """The network and the division by its light map.

    Args:
        network: The network.
    """

    def __init__(self, network: LightMapUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Enhance photographs.

        Args:
            photo: RGB in [0, 1], (N, 3, H, W).

        Returns:
            Light map (N, 1, H, W), and the enhanced photograph (N, 3, H, W).
        """
        light_map: Tensor = self.network(photo)
        return light_map, apply_light_map(photo, light_map)


class ExportableLines(nn.Module):
    """The lines of the network that sees small, from a view.

    To reduce a photograph to the view, and to apply the lines at full size, is left to the program
    that has the photograph: it need not hold it.

    Args:
        network: The network.
    """

    def __init__(self, network: SmallViewLightMapNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, view: Tensor) -> tuple[Tensor]:
        """Predict the lines (N, 2, h, w) of a view (N, 3, H, W)."""
        return (self.network.lines(view),)


def exportable(network: LightMapNetwork) -> tuple[nn.Module, str, tuple[str, ...]]:
    """What is exported of a network, and the names of its input and outputs."""
    if isinstance(network, SmallViewLightMapNet):
        return ExportableLines(network), "view", ("lines",)
    return ExportableEnhancer(network), "photo", ("light_map", "enhanced")


def export_onnx(network: LightMapNetwork, path: Path | str) -> float:
    """Write an ONNX file, so that a file of this name is always a whole and checked one.

    Of ``LightMapUNet``, the input is ``photo``, float32 RGB in [0, 1], (N, 3, H, W), of any N and
    any H and W from 2; the outputs are ``light_map`` (N, 1, H, W) and ``enhanced`` (N, 3, H, W).

    Of ``SmallViewLightMapNet``, the input is ``view``, alike, a photograph reduced to `side`
    pixels of its long side; the output is ``lines`` (N, 2, h, w), slopes and offsets: see
    :meth:`SmallViewLightMapNet.lines`. The file's metadata have `side`, and the limits `lowest`
    and `highest` of the light map's logarithm.

    Args:
        network: In evaluation mode, on the CPU.
        path: Where to.

    Returns:
        The largest difference to PyTorch, see :func:`largest_difference`.

    Raises:
        ImportError: onnx, onnxscript or onnxruntime is not installed, or PyTorch is too old.
        ExportError: The file computes something else; it is not kept.
        OSError: It cannot be written.
    """
    import onnxruntime  # noqa: F401  before a minute is spent on an export

    if not TAKES_ANY_SIZE:
        raise ImportError(f"exporting needs PyTorch 2.5 or later, got {torch.__version__}")

    module, given, returned = exportable(network)
    sizes = {
        0: torch.export.Dim("batch"),
        2: torch.export.Dim("height", min=2),
        3: torch.export.Dim("width", min=2),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch's exporter about itself
        program = torch.onnx.export(
            module.eval(),
            (torch.rand(2, 3, 61, 83),),
            dynamo=True,
            input_names=[given],
            output_names=list(returned),
            dynamic_shapes={given: sizes},
            verbose=False,
        )
    assert program is not None
    if isinstance(network, SmallViewLightMapNet):
        limits = {"side": network.side, "lowest": LOWEST, "highest": HIGHEST}
        program.model.metadata_props.update({name: str(value) for name, value in limits.items()})
    with replacing(Path(path)) as unfinished:
        program.save(unfinished)
        difference = largest_difference(network, unfinished)
        if not difference <= TOLERANCE:  # nor if it is NaN
            raise ExportError(
                f"the exported network is off by {difference:.2g}; expected at most "
                f"{TOLERANCE:.0e}: are onnx, onnxscript and onnxruntime those of "
                "requirements/export.txt?"
            )
    return difference


@torch.no_grad()
def largest_difference(
    network: LightMapNetwork, path: Path, shapes: Sequence[tuple[int, int, int]] = CHECKED_SHAPES
) -> float:
    """How far an ONNX file is from the network, over random photographs of several sizes.

    The light map or the lines are compared with the network's, the result with PyTorch's division
    by the light map.

    Args:
        network: The network, on the CPU.
        path: The file.
        shapes: Batch, height and width of each.

    Returns:
        The largest absolute difference, NaN if there is one.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    _, given, _ = exportable(network)
    random = torch.Generator().manual_seed(0)
    differences = []
    for batch, height, width in shapes:
        # Dark, so that the result is not all white.
        photo = torch.rand(batch, 3, height, width, generator=random) * 0.5
        found = [torch.from_numpy(part) for part in session.run(None, {given: photo.numpy()})]
        if isinstance(network, SmallViewLightMapNet):
            pairs = [(found[0], network.lines(photo))]
        else:
            light_map, enhanced = found
            # By the file's own light map: where that is near 0, rounding decides between 0 and 1.
            pairs = [(light_map, network(photo)), (enhanced, apply_light_map(photo, light_map))]
        differences += [float((one - other).abs().max()) for one, other in pairs]
    return float(torch.tensor(differences).max())
