"""Try to fool guides: `python tools/compare_guides.py lighting-clip openai=RN101-quickgelu/openai`.

On the photographs that `python tools/prepare_data.py lighting-clip` keeps for testing: how well
each CLIP tells lights apart, whether a harmed picture scores above the one that it was made from,
and what climbing its score makes of backlit pictures. A CLIP is named as open_clip names it,
MODEL or MODEL/PRETRAINED; lighting-clip is the one that ships, local-dir:FOLDER one of your own.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rave_mm.runtime.command import as_typed, stop


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "clips",
        nargs="*",
        default=["lighting-clip"],
        metavar="[NAME=]CLIP",
        help="a CLIP with a text tower (default: lighting-clip)",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        default=Path("data/lighting_clip/test"),
        help="folder of well-lit photographs (default: data/lighting_clip/test)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("work_dirs/compare_guides/report.json"),
        help="file for the figures (default: work_dirs/compare_guides/report.json)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

from tqdm import tqdm

from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.clip.fooling_report import fooling_report
from rave_mm.clip.lighting_report import lighting_report
from rave_mm.photos.folders import list_photos
from rave_mm.runtime.whole_files import write_whole

Reports = Mapping[str, dict[str, Any]]


def load(named: str) -> tuple[str, FrozenCLIP]:
    """The name and the CLIP of [NAME=]MODEL[/PRETRAINED]."""
    name, equals, model = named.partition("=")
    if not equals:
        name = model = named
    if model.startswith("local-dir:"):
        return name, load_clip(model)
    architecture, slash, pretrained = model.partition("/")
    return name, load_clip(architecture, pretrained if slash else None)


def percent(share: float) -> str:
    return f"{100 * share:.0f}"


def table(headings: list[str], rows: Mapping[str, list[str]]) -> str:
    """Markdown."""
    lines = [[*headings], ["---"] * len(headings), *([name, *row] for name, row in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def overview(reports: Reports) -> str:
    """What there is one figure of for each guide."""
    rows: dict[str, list[str]] = {}
    for report in reports.values():
        light, fooled = report["light"], report["fooled"]
        for name, accuracy in light["accuracy"].items():
            rows.setdefault(f"classes of light: {name}", []).append(f"{100 * accuracy:.1f}%")
        for way, shares in fooled["backlit"].items():
            for picture, share in shares.items():
                row = rows.setdefault(f"{picture} picture above the backlit one, {way}", [])
                row.append(f"{100 * share:.0f}%")
        for steps, psnr in fooled["climbing"].items():
            heading = f"{steps} steps of climbing" if int(steps) else "backlit pictures"
            rows.setdefault(heading, []).append(f"{psnr:.2f} dB")
    return table(["", *reports], rows)


def harms(reports: Reports) -> str:
    """Shares along the residual vector / as words, a column for each guide and severity."""
    headings, rows = ["harm"], dict[str, list[str]]()
    for name, report in reports.items():
        fooled = report["fooled"]
        for kind, by_severity in (fooled["harms"] | fooled["untaught"]).items():
            title = kind if kind in fooled["harms"] else f"*{kind}*"
            cells = [
                f"{percent(shares['residual'])} / {percent(shares['words'])}"
                for shares in by_severity.values()
            ]
            rows.setdefault(title, []).extend(cells)
        headings += [f"{name}, {severity}" for severity in by_severity]
    return table(headings, rows)


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    try:
        list_photos(arguments.photos)
    except (OSError, ValueError) as error:
        stop(f"{error}; `python tools/prepare_data.py lighting-clip` makes data/lighting_clip/test")
    reports: dict[str, dict[str, Any]] = {}
    for named in tqdm(arguments.clips, desc="guides", unit="guide"):
        try:
            name, clip = load(named)
        except (OSError, ValueError) as error:
            stop(error)
        reports[name] = {
            "light": lighting_report(clip, arguments.photos),
            "fooled": fooling_report(clip, arguments.photos),
        }
    write_whole(arguments.out, json.dumps(reports, indent=2) + "\n")
    photographs = next(iter(reports.values()))["fooled"]["photographs"]
    print(f"\n{overview(reports)}\n\n{harms(reports)}\n")
    print(f"Of {photographs} photographs, percent that score above their harmed selves, along")
    print("the residual vector / as words, by severity. In italics: harms never taught.")
    print(f"figures   {arguments.out}")


if __name__ == "__main__":
    main(given)
