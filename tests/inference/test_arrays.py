"""Dividing an array by its light map: as a tensor is divided, and by values worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rave_mm.functional import apply_light_map
from rave_mm.inference.arrays import FloatArray, divided


def as_a_tensor(photo: FloatArray, light_map: FloatArray) -> FloatArray:
    """The same by the function that training has."""
    image = torch.from_numpy(photo).permute(2, 0, 1)[None]
    found = apply_light_map(image, torch.from_numpy(light_map)[None, None])
    return found[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("wide_gamut", [False, True])
def test_the_same_within_srgb(wide_gamut: bool) -> None:
    rng = np.random.default_rng(0)
    photo, light_map = rng.random((5, 7, 3), np.float32), rng.random((5, 7), np.float32)
    light_map[0] = 0  # black stays black, all else becomes white
    photo[0, 0] = 0
    found = divided(photo, light_map, wide_gamut)
    np.testing.assert_array_equal(found, as_a_tensor(photo, light_map))


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_within_srgb_a_wide_gamut_changes_nothing(seed: int, light: float) -> None:
    photo = np.random.default_rng(seed).random((4, 5, 3), np.float32)
    light_map = np.full((4, 5), light, np.float32)
    found = divided(photo, light_map, wide_gamut=True)
    np.testing.assert_allclose(found, as_a_tensor(photo, light_map), rtol=1.3e-6, atol=1e-5)


def test_what_lies_beyond_stays_where_it_would_be_clipped() -> None:
    photo = np.array([-0.2, 1.2, 0.8, -0.2, 1.2], np.float32).reshape(1, 5, 1)
    light_map = np.array([[0.5, 0.5, 0.5, 2.0, 2.0]], np.float32)
    found = divided(photo, light_map, wide_gamut=True).ravel()
    np.testing.assert_allclose(found, [-0.2, 1.2, 1.0, -0.1, 0.6], rtol=1.3e-6)
