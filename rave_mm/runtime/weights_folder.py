"""Where weights that were fetched by hand are looked for."""

import os
from pathlib import Path


def weights_folder() -> Path:
    """`$RAVE_MM_WEIGHTS`, or `~/.cache/rave_mm/weights`."""
    return Path(os.environ.get("RAVE_MM_WEIGHTS", "~/.cache/rave_mm/weights")).expanduser()
