"""Enhance photos in the browser: `python tools/web.py` prints the address of a page.

Drop photos on the page, compare before and after, set the strength, and download the results at
full size. Nothing leaves this machine. Ctrl-C ends it, and removes what was uploaded.
"""

import argparse
import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rave_mm.runtime.command import as_typed, stop
from rave_mm.runtime.memory import MAX_PIXELS


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: 127.0.0.1, which only this machine reaches); with "
        "another, such as 0.0.0.0, visitors need the token that is printed",
    )
    parser.add_argument("--port", type=int, default=8765, help="default: 8765; 0 for any free one")
    parser.add_argument(
        "--checkpoint",
        nargs="+",
        default=[],
        metavar="FILE",
        help="networks to compare with the bundled one: paths or addresses (https://...)",
    )
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="show the photos of a folder")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("work_dirs"),
        metavar="FOLDER",
        help="show the tests, ablations and trainings below a folder (default: work_dirs)",
    )
    parser.add_argument(
        "--max-pixels",
        type=float,
        default=MAX_PIXELS,
        metavar="N",
        help=f"refuse photos of more pixels (default: {MAX_PIXELS / 1e6:.0f}e6)",
    )
    parser.add_argument(
        "--light-map-side",
        type=int,
        default=512,
        metavar="N",
        help="what the paper's network looks at: photos reduced to N pixels of their long side "
        "(default: 512)",
    )
    parser.add_argument(
        "--guide",
        type=Path,
        metavar="FILE",
        help="what scores light, of `residual export` (default: the bundled CLIP)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes longer to import: --help and mistakes are told at once.
    given = parse_arguments()

from rave_mm.inference.choosing import choose_enhancer
from rave_mm.networks.checkpoint_path import check_is_there
from rave_mm.photos.folders import list_photos
from rave_mm.runtime.extras import needs

with needs("web", "tools/web.py takes Starlette and uvicorn"):
    from rave_mm.web.album import Album
    from rave_mm.web.app import build_app
    from rave_mm.web.desk import Desk
    from rave_mm.web.guard import Guard, is_loopback, new_token
    from rave_mm.web.guide import LIGHTING_GUIDE, Guide
    from rave_mm.web.records import Records
    from rave_mm.web.server import listen, serve, temporary_folder
    from rave_mm.web.visits import Visits
    from rave_mm.web.workbench import Enhancers, Workbench

if TYPE_CHECKING:
    from rave_mm.inference.photo_enhancer import PhotoEnhancer
    from rave_mm.inference.shipped import ShippedEnhancer

BUNDLED_NAME = "bundled network"


def load(checkpoint: str, light_map_side: int) -> "PhotoEnhancer | ShippedEnhancer":
    """The enhancer of a checkpoint, which looks at a small view."""
    enhancer = choose_enhancer(checkpoint=checkpoint)
    if enhancer.light_map_side is None:  # it would look at all pixels
        enhancer = choose_enhancer(checkpoint=checkpoint, light_map_side=light_map_side)
    return enhancer


def start_loading(checkpoints: list[str], light_map_side: int, failed: list[str]) -> "Enhancers":
    """The bundled enhancer and those of some checkpoints, by the names that the page shows.

    Those of checkpoints load meanwhile, since PyTorch takes seconds. If one cannot be loaded, why
    is put into `failed`, and the process gets the signal to end.
    """

    def ended(loaded: "Future[PhotoEnhancer | ShippedEnhancer]") -> None:
        if error := loaded.exception():
            failed.append(str(error))
            os.kill(os.getpid(), signal.SIGTERM)

    pool = ThreadPoolExecutor(1)
    enhancers: Enhancers = {BUNDLED_NAME: pool.submit(choose_enhancer)}
    for checkpoint in checkpoints:
        name = Path(checkpoint).stem
        future = pool.submit(load, checkpoint, light_map_side)
        enhancers[checkpoint if name in enhancers else name] = future
    for loading in enhancers.values():
        loading.add_done_callback(ended)
    return enhancers


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    failed: list[str] = []
    try:
        for checkpoint in arguments.checkpoint:
            check_is_there(checkpoint)
        photos = list_photos(arguments.photos) if arguments.photos else []
        guide = Guide(arguments.guide or LIGHTING_GUIDE)
        listener = listen(arguments.host, arguments.port)
    except (ImportError, OSError, ValueError) as error:
        stop(error)
    token = None if is_loopback(arguments.host) else new_token()
    try:
        enhancers = start_loading(arguments.checkpoint, arguments.light_map_side, failed)
        with temporary_folder() as folder:
            album = Album(folder, BUNDLED_NAME)
            for path in photos:
                album.add_shared(path)
            workbench = Workbench(enhancers, guide, round(arguments.max_pixels))
            app = build_app(Desk(Visits(album, workbench)), Records(arguments.runs))
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"http://{shown}:{port}/{'?token=' + token if token else ''}", flush=True)
            print("Ctrl-C ends it, and removes what was uploaded.", flush=True)
            serve(Guard(app, arguments.host, token), listener)
    except KeyboardInterrupt:
        if failed:
            stop(failed[0])
        print("ended")


if __name__ == "__main__":
    main(given)
