"""Where the CLIP lies that is part of this package; imports nothing that takes time."""

from pathlib import Path

BUNDLED = "lighting-clip"
"""The name of the CLIP that is part of this package."""

BUNDLED_FOLDER = Path(__file__).parent / "lighting_clip"
"""Its files."""
