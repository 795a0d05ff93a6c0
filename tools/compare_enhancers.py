"""Compare enhancers on the enhancer's test sets: `python tools/compare_enhancers.py CHECKPOINT...`.

Beside the checkpoints stand the photos as they are and a shadows slider, which needs no network.
The sets are those that `python tools/prepare_data.py enhancer` makes: soft shadows, subjects
darkened along their outlines, camera-sized photos, photos that need nothing, and photos that are
backlit by nature. Of the last, and of strong edges, there are contact sheets. Choices are made on
`--split val`; the test is for the end.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rave_mm.runtime.command import as_typed, stop


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "checkpoints",
        nargs="*",
        metavar="[NAME=]CHECKPOINT",
        help="path or address, ours or a published one (default: the one that ships)",
    )
    parser.add_argument("--data", type=Path, default=Path("data/enhancer"), help="the set")
    parser.add_argument(
        "--split", choices=("test", "val"), default="test", help="of the set (default: test)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("work_dirs/compare_enhancers"),
        help="folder for the result",
    )
    parser.add_argument(
        "--light-map-side",
        type=int,
        metavar="N",
        help="let networks that look at all pixels look at N of the long side (default: all, which "
        "takes minutes for a camera photo)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

import numpy as np
from PIL import Image
from tqdm import tqdm

from rave_mm.runtime.compat import apply, silence_import_noise

silence_import_noise()
apply()

# These import MMEngine, which must be silenced before.
from rave_mm.benchmark.enhancers import (
    Enhance,
    Picture,
    Quality,
    faithfulness,
    halo,
    looks,
    qualities,
    shadows_slider,
    strong_edges,
)
from rave_mm.evaluation.contact_sheet import contact_sheet
from rave_mm.inference.bundled import BUNDLED_ENHANCER
from rave_mm.inference.photo_enhancer import PhotoEnhancer
from rave_mm.photos.folders import list_photos
from rave_mm.photos.reading import read_photo_8_bit
from rave_mm.runtime.whole_files import write_whole

SETS = ("soft", "subjects", "camera")
GOOD = "soft/well-lit"
REAL = "real"
HALO_SIZE = (300, 400)


def build(checkpoints: list[str], device: str, side: int | None) -> dict[str, Enhance]:
    """The enhancers by their names."""
    enhancers: dict[str, Enhance] = {"input": np.copy, "shadows slider": shadows_slider}
    for given in checkpoints or [f"shipped={BUNDLED_ENHANCER}"]:
        name, equals, checkpoint = given.partition("=")
        if not equals:
            name, checkpoint = Path(given).stem, given
        enhancer = PhotoEnhancer(checkpoint, device=device)
        if enhancer.light_map_side is None and side is not None:
            enhancer = PhotoEnhancer(checkpoint, device=device, light_map_side=side)
        enhancers[name] = enhancer.enhance
    return enhancers


def mean(found: list[dict[str, Quality]]) -> dict[str, Quality]:
    """The mean quality of each enhancer's results."""
    return {
        name: Quality(
            float(np.mean([each[name].psnr for each in found])),
            float(np.mean([each[name].ssim for each in found])),
        )
        for name in found[0]
    }


def draw(photos: Iterable[Picture], enhancers: Mapping[str, Enhance], out: Path) -> None:
    """Input and results of photos side by side."""
    rows = [
        Image.fromarray(np.hstack([enhance(photo) for enhance in enhancers.values()]))
        for photo in tqdm(photos, desc="contact sheet", unit="photo")
    ]
    contact_sheet(tuple(enhancers), rows, out, column=256)


def table(result: Mapping[str, Mapping[str, object]]) -> str:
    """A line for each enhancer, a column for each figure."""
    headings = list(dict.fromkeys(key for row in result.values() for key in row))
    width = max(map(len, result)) + 2
    lines = [" " * width + "".join(f"{heading:>17}" for heading in headings)]
    for name, row in result.items():
        lines.append(f"{name:{width}}" + "".join(f"{row.get(key, ''):>17}" for key in headings))
    return "\n".join(lines)


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    folder = arguments.data / arguments.split
    if not folder.is_dir():
        stop(f"no {folder}; expected what `python tools/prepare_data.py enhancer` makes")
    try:
        enhancers = build(arguments.checkpoints, arguments.device, arguments.light_map_side)
    except (OSError, ValueError) as error:
        stop(error)
    figures: dict[str, dict[str, float]] = {name: {} for name in enhancers}
    shown: dict[str, dict[str, object]] = {name: {} for name in enhancers}
    for name in SETS:
        pairs = folder / name
        if not pairs.is_dir():  # there are no camera-sized ones to validate with
            continue
        count = len(list_photos(pairs / "backlit"))
        found = mean(list(tqdm(qualities(pairs, enhancers), name, count, unit="photo")))
        for each, value in found.items():
            figures[each] |= {f"{name}/psnr": value.psnr, f"{name}/ssim": value.ssim}
            shown[each][name] = f"{value.psnr:.2f} / {value.ssim:.3f}"
    good = folder / GOOD
    kept = list(
        tqdm(faithfulness(good, enhancers), "good photos", len(list_photos(good)), unit="photo")
    )
    for name, enhance in enhancers.items():
        own = float(np.median([each[name] for each in kept]))
        rim = halo(enhance)
        figures[name] |= {"good/median psnr": own, "halo": rim}
        shown[name] |= {"good to itself": f"{own:.1f}", "halo": f"{rim:.2f}"}
    real = folder / REAL
    if real.is_dir():
        seen = list(tqdm(looks(real, enhancers), "real photos", len(list_photos(real))))
        for name in enhancers:
            niqe = float(np.mean([each[name].niqe for each in seen]))
            clipped = float(np.mean([each[name].clipped for each in seen]))
            figures[name] |= {"real/niqe": niqe, "real/newly clipped": clipped}
            shown[name]["real"] = f"{niqe:.2f} / {clipped:.2%}"
    arguments.out.mkdir(parents=True, exist_ok=True)
    record = arguments.out / f"{arguments.split}.json"
    write_whole(record, json.dumps(figures, indent=2) + "\n")
    print(f"\n{table(shown)}\n\nPSNR in dB / SSIM; good photos: median PSNR to themselves; halo in")
    print("levels of 255 beside strong edges; real photos: NIQE (less is better) / newly clipped")
    print(f"figures   {record}")
    sheets: dict[str, Iterable[Picture]] = {
        "halo.png": (photo for photo, _ in strong_edges(*HALO_SIZE))
    }
    if real.is_dir():
        sheets[f"{arguments.split}_real.jpg"] = map(read_photo_8_bit, list_photos(real))
    for name, photos in sheets.items():
        draw(photos, enhancers, arguments.out / name)
        print(f"pictures  {arguments.out / name}")


if __name__ == "__main__":
    main(given)
