"""What a network computes with: the device, and the precision on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    import torch

# What the types are called is needed where PyTorch is not.
Device: TypeAlias = "str | torch.device"
Precision = Literal["float32", "bfloat16", "float16"]


def choose_device(device: Device) -> "torch.device":
    """The device of a name; "auto" is a GPU if there is one.

    Raises:
        ValueError: It is neither CPU nor CUDA, or there is no GPU.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        chosen = torch.device("meta")
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"got device {device!r}; expected auto, cpu or cuda")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"got device {device!r}, but PyTorch sees no GPU; expected auto or cpu")
    return chosen


def check_precision(precision: Precision, device: "torch.device") -> None:
    """Refuse a precision that is not known, or that the device does not compute in.

    Raises:
        ValueError: It is one of these.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"got precision {precision!r}; expected {', '.join(get_args(Precision))}")
    if precision == "float16" and device.type == "cpu":
        raise ValueError(
            "got precision float16 on a CPU, where few can compute in it; expected float32, "
            "bfloat16, or a GPU"
        )


@contextmanager
def arithmetic(device: "torch.device", precision: Precision) -> Iterator[None]:
    """Compute convolutions in a precision while the block runs.

    GPUs round the inputs of float32's to 10 bits (TF32) unless they are told not to. What is
    float64, such as the sums of the pyramid pooling, stays so.

    Args:
        device: A CPU or CUDA device.
        precision: Of convolutions and matrix products, by PyTorch's autocast.
    """
    import torch

    with (
        torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=False, allow_tf32=False
        ),
        torch.autocast(device.type, getattr(torch, precision), enabled=precision != "float32"),
    ):
        yield
