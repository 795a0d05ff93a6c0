"""Export the network to ONNX: `python tools/export_onnx.py CHECKPOINT --out FILE.onnx`.

The file takes photos of any size to their light maps and results without PyTorch; that of a
network which sees small, a view of them to the lines of their light maps. See docs/enhance.md. It
is checked against PyTorch in onnxruntime before it takes its name.
"""

import argparse
from pathlib import Path

from rave_mm.runtime.command import as_typed, stop


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", help="path or address (https://...), ours or a published one")
    parser.add_argument("--out", type=Path, required=True, help="the file to write, *.onnx")
    parser.add_argument(
        "--padding-mode",
        choices=("reflect", "zeros"),
        default="reflect",
        help="of the network (default: reflect, as in the published code)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

from rave_mm.runtime.compat import silence_import_noise

silence_import_noise()

# These import MMEngine, which must be silenced before.
from rave_mm.inference.onnx_export import (
    CHECKED_SHAPES,
    ExportError,
    export_onnx,
)
from rave_mm.inference.weights import load_network
from rave_mm.networks.conv3x3 import PaddingMode


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    padding_mode: PaddingMode = arguments.padding_mode
    try:
        network = load_network(arguments.checkpoint, padding_mode)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        difference = export_onnx(network, arguments.out)
    except ImportError as error:
        stop(f"{error}; expected the packages of the extra `export`: pip install '.[export]'")
    except (OSError, ValueError, ExportError) as error:
        stop(error)
    print(
        f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB; differs from PyTorch by "
        f"{difference:.1e} at most, over photos of {len(CHECKED_SHAPES)} sizes"
    )


if __name__ == "__main__":
    main(given)
