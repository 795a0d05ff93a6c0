"""Marks of tests that need what is not everywhere."""

import importlib.util

import pytest

from rave_mm.inference.onnx_export import TAKES_ANY_SIZE

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript"))
    or not TAKES_ANY_SIZE,
    reason="needs onnx, onnxruntime and onnxscript (pip install -r requirements/export.txt), and "
    "PyTorch 2.5 or later",
)
