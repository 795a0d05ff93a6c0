"""Marks of tests that need what is not everywhere."""

import importlib.util
from inspect import signature

import pytest
import torch

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript"))
    or "dynamic_shapes" not in signature(torch.onnx.export).parameters,
    reason="needs onnx, onnxruntime and onnxscript (pip install -r requirements/onnx.txt), and "
    "PyTorch 2.5 or later",
)
