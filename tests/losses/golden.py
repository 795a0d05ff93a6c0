"""What tests against the published code's values share."""

from pathlib import Path

import numpy as np
import torch


def reference_clip(reference: Path, tower: str) -> dict[str, str]:
    return {"model": "openai", "pretrained": str(reference / f"clip_{tower}.pt")}


def assert_gradient(enhanced: torch.Tensor, expected: np.ndarray) -> None:
    """1e-5 of the largest component: the small ones are sums that nearly cancel."""
    assert enhanced.grad is not None
    assert np.abs(enhanced.grad.numpy() - expected).max() <= 1e-5 * np.abs(expected).max()
