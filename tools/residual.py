"""Make a residual vector, read it in words, and judge it, without training.

    python tools/residual.py make BACKLIT WELL_LIT --out residual.npz
    python tools/residual.py read residual.npz --out reading
    python tools/residual.py compare residual.npz without_bias.npz
    python tools/residual.py estimators BACKLIT WELL_LIT --out estimators.csv
    python tools/residual.py export residual.npz --out guide.onnx

Any two folders make a direction: low-light and normal, hazy and clear, blurred and sharp. A config
takes the file: `model.losses.guidance.residual=residual.npz`. docs/residual.md tells how to read
what is printed.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from rave_mm.clip.bundled import BUNDLED
from rave_mm.runtime.command import as_typed, stop

NAMES = "see docs/residual.md; a wrong name lists them"


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=name)
        added.add_argument("--clip", default=BUNDLED, help="open_clip's name of the architecture")
        added.add_argument("--pretrained", help="open_clip's name of the weights, or their file")
        return added

    def folders(added: argparse.ArgumentParser) -> None:
        added.add_argument("backlit", help="folder that the vector leads from")
        added.add_argument("well_lit", help="folder that it leads to")
        added.add_argument("--on-unreadable", choices=("error", "skip"), default="error")
        added.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")

    def words(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--words", nargs="+", help="words or phrases to read with, in place of CLIP's tokens"
        )
        added.add_argument("--word-list", type=Path, help="a file of them, one in a line")
        added.add_argument("--top", type=int, default=15, help="how many of either end to show")

    added = command("make", "make the vector from one folder to another")
    folders(added)
    added.add_argument("--out", type=Path, required=True, help="the .npz to write")
    added.add_argument(
        "--estimator", default="mean", metavar="NAME", help=NAMES + "; default: mean"
    )
    added.add_argument("--remove-tokens", type=int, default=0, help="n of the paper's token shift")
    added.add_argument("--remove-words", nargs="+", default=[], help="words that it may not mean")
    added.add_argument("--photos", type=int, help="how many to draw from each folder")

    added = command("read", "show the words nearest to a vector and farthest from it")
    added.add_argument("residual", type=Path, help="an .npz that make wrote")
    words(added)
    added.add_argument("--out", type=Path, help="folder for all words as CSV, and a figure")

    added = command("compare", "show what changed from one vector to another")
    added.add_argument("before", type=Path, help="an .npz that make wrote")
    added.add_argument("after", type=Path, help="another, of the same CLIP")
    words(added)

    added = command(
        "export", "write the vector with its CLIP's image tower as ONNX, for the page of `web`"
    )
    added.add_argument("residual", type=Path, help="an .npz that make wrote; its photos are needed")
    added.add_argument("--out", type=Path, required=True, help="the .onnx to write")

    added = command("estimators", "measure each estimator on the same photos")
    folders(added)
    added.add_argument(
        "--held-out",
        nargs=2,
        metavar=("BACKLIT", "WELL_LIT"),
        help="folders of other photos to separate (default: cross-validation)",
    )
    added.add_argument("--estimators", nargs="+", metavar="NAME", help=NAMES + "; default: all")
    added.add_argument("--out", type=Path, help="the table as CSV")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

from mmengine.logging import print_log

from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.clip.vocabulary import Words, embed_phrases, vocabulary
from rave_mm.direction.bias import change_report
from rave_mm.direction.clouds import PhotoClouds, embed_clouds
from rave_mm.direction.estimators import ESTIMATORS
from rave_mm.direction.quality import measure_estimators, quality_csv, quality_table
from rave_mm.direction.reading import read_vector, reading_csv, reading_table
from rave_mm.direction.residual_vector import ResidualVector, residual_from_folders
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.runtime.extras import needs
from rave_mm.runtime.whole_files import write_whole


def chosen_clip(arguments: argparse.Namespace) -> FrozenCLIP:
    return load_clip(arguments.clip, arguments.pretrained)


def load_residual(path: Path, clip: FrozenCLIP) -> ResidualVector:
    """Read a vector and refuse that of another CLIP."""
    residual = ResidualVector.load(path)
    origin = residual.provenance
    if origin.clip_fingerprint != clip.fingerprint:
        raise ValueError(
            f"{path} was computed with the CLIP {origin.clip} ({origin.clip_fingerprint}), not "
            f"with {clip.name} ({clip.fingerprint}); name it with --clip and --pretrained"
        )
    return residual


def chosen_words(arguments: argparse.Namespace, clip: FrozenCLIP) -> Words:
    """The user's list, or CLIP's vocabulary."""
    phrases = list(arguments.words or [])
    if arguments.word_list:
        lines = arguments.word_list.read_text(encoding="utf-8").splitlines()
        phrases += [line.strip() for line in lines if line.strip()]
    return embed_phrases(clip, phrases) if phrases else vocabulary(clip)


def photos_of(residual: ResidualVector, clip: FrozenCLIP) -> PhotoClouds | None:
    """The photos that a vector was made of, where these are still there."""
    origin = residual.provenance
    try:
        return embed_clouds(
            clip, origin.well_lit, origin.backlit, "skip", origin.photos, origin.seed
        )
    except (FileNotFoundError, ValueError) as error:
        told = f"without the photos that the vector was made of, which are not here: {error}"
        print_log(told, "current", logging.WARNING)
        return None


def make(arguments: argparse.Namespace) -> None:
    residual = residual_from_folders(
        chosen_clip(arguments),
        arguments.well_lit,
        arguments.backlit,
        on_unreadable=arguments.on_unreadable,
        estimator=arguments.estimator,
        remove_tokens=arguments.remove_tokens,
        remove_words=arguments.remove_words,
        photos=arguments.photos,
        seed=arguments.seed,
    )
    residual.save(arguments.out)
    print(f"target {residual.target:.4f}, written to {arguments.out}")


def read(arguments: argparse.Namespace) -> None:
    clip = chosen_clip(arguments)
    residual = load_residual(arguments.residual, clip)
    reading = read_vector(residual.vector, chosen_words(arguments, clip))
    print(reading_table(reading, arguments.top))
    if arguments.out:
        from rave_mm.direction.figures import draw_residual  # matplotlib takes a while

        clouds = photos_of(residual, clip)
        write_whole(arguments.out / "words.csv", reading_csv(reading))
        draw_residual(residual, reading, arguments.out / "residual.png", clouds, arguments.top)
        print(f"all words: {arguments.out / 'words.csv'}")
        print(f"figure:    {arguments.out / 'residual.png'}")


def compare(arguments: argparse.Namespace) -> None:
    clip = chosen_clip(arguments)
    before, after = (load_residual(path, clip) for path in (arguments.before, arguments.after))
    words, clouds = chosen_words(arguments, clip), photos_of(before, clip)
    print(change_report(before.vector, after.vector, words, clouds, arguments.top))


def estimators(arguments: argparse.Namespace) -> None:
    clip = chosen_clip(arguments)
    clouds, held_out = (
        embed_clouds(clip, folders[1], folders[0], arguments.on_unreadable) if folders else None
        for folders in ((arguments.backlit, arguments.well_lit), arguments.held_out)
    )
    assert clouds is not None
    measured = measure_estimators(
        clouds, held_out, arguments.estimators or tuple(ESTIMATORS), arguments.seed
    )
    print(quality_table(measured))
    if arguments.out:
        write_whole(arguments.out, quality_csv(measured))


def export(arguments: argparse.Namespace) -> None:
    with needs("export", "export takes onnx"):
        from rave_mm.direction.guide_export import export_guide
    clip = chosen_clip(arguments)
    residual = load_residual(arguments.residual, clip)
    origin = residual.provenance
    clouds = embed_clouds(clip, origin.well_lit, origin.backlit, "skip", origin.photos, origin.seed)
    export_guide(clip, residual, clouds, arguments.out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


COMMANDS = {each.__name__: each for each in (make, read, compare, estimators, export)}


def main(given: argparse.Namespace | None = None) -> None:
    given = given or parse_arguments()
    try:
        COMMANDS[given.command](given)
    except (ImportError, OSError, ValueError, UnreadablePhotoError) as error:
        stop(error)


if __name__ == "__main__":
    main(given)
