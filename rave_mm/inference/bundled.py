"""The files of the network that ships, see docs/bundled_enhancer.md."""

from pathlib import Path

BUNDLED_ENHANCER = Path(__file__).with_name("bundled_enhancer.pth")
"""Its checkpoint,"""

BUNDLED_ONNX = BUNDLED_ENHANCER.with_suffix(".onnx")
"""and what `tools/export_onnx.py` makes of it."""
