"""The arguments of `tools/benchmark.py`; imports nothing that takes time."""

import argparse
from pathlib import Path
from typing import Literal, get_args

from rave_mm.inference.bundled import BUNDLED_ENHANCER
from rave_mm.runtime.memory import parse_memory

Way = Literal["published", "exact", "small"]
"""Of enhancing a photo."""


def add_enhancing(parser: argparse.ArgumentParser) -> None:
    """What can be told of `enhancing`."""
    parser.add_argument(
        "--checkpoint",
        default=str(BUNDLED_ENHANCER),
        help="path or address (https://...), ours or a published one (default: the one that ships)",
    )
    parser.add_argument(
        "--megapixels", type=float, nargs="+", default=[0.25, 2, 12, 24, 100], metavar="N"
    )
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=get_args(Way),
        default=get_args(Way),
        help="which to measure (default: all)",
    )
    parser.add_argument(
        "--photo",
        type=Path,
        help="scaled to each size (default: scikit-image's astronaut)",
    )
    parser.add_argument(
        "--max-memory",
        type=parse_memory,
        metavar="SIZE",
        help="of the network, but for the published way (default: half of what is free)",
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """What can be told of `training`."""
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[256, 512],
        metavar="N",
        help="heights and widths of the photographs (default: 256 512)",
    )
    parser.add_argument("--batch", type=int, default=2, help="photographs (default: 2; paper: 8)")
    parser.add_argument("--steps", type=int, default=5, help="of each way (default: 5)")
    parser.add_argument(
        "--compile", action="store_true", help="also with a network compiled by torch.compile"
    )


def add_growth(parser: argparse.ArgumentParser) -> None:
    """What can be told of `growth`."""
    for name, kind, amounts, text in (
        (
            "--sizes",
            int,
            [128, 256, 512, 1024],
            "heights and widths, for a step of two photographs",
        ),
        ("--batches", int, [1, 2, 4, 8, 16], "photographs, for a step at 256×256"),
        ("--processes", int, [1, 2], "that train together on the CPU"),
        ("--megapixels", float, [1, 4, 16, 64, 200, 400], "of a photograph that is enhanced"),
        ("--photos", int, [10, 100, 1000, 10_000], "photographs that the bundled CLIP embeds"),
        ("--tokens", int, [1000, 10_000, 49_408], "words that it embeds"),
    ):
        shown = " ".join(f"{amount:g}" for amount in amounts)
        parser.add_argument(
            name,
            type=kind,
            nargs="+",
            default=amounts,
            metavar="N",
            help=f"{text}, two or more amounts (default: {shown})",
        )
