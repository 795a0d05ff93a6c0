"""PSNR and SSIM: against scikit-image, against the published script's steps, and by hand."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

import rave_mm.register  # noqa: F401 - the cures that MMagic needs
from rave_mm.evaluation.fidelity import PhotoPSNR, PhotoSSIM
from rave_mm.evaluation.photo_metric import NotComputableError
from rave_mm.evaluation.pictures import match_mean, round_to_8_bits, swapped_gray


def picture(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).permute(2, 0, 1)


@pytest.fixture
def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Ground truths and pictures of odd sizes: noise, nearly flat, and near."""
    rng = np.random.default_rng(0)
    found = []
    for index in range(9):
        shape = (*rng.integers(40, 160, 2), 3)
        truth = (
            rng.uniform(0, 255, shape) if index % 3 else rng.normal(rng.uniform(0, 255), 2, shape)
        )
        noise = rng.normal(0, (1, 10, 40)[index % 3], shape)
        found.append(tuple(a.clip(0, 255).astype(np.float32) for a in (truth, truth + noise)))
    return found


def test_psnr_agrees_with_scikit_image(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for truth, found in pairs:
        (value,) = PhotoPSNR().measure(picture(found)[None], picture(truth))
        wanted = peak_signal_noise_ratio(np.float64(truth), np.float64(found), data_range=255)
        # With NumPy 2, MMagic takes the logarithm in float32.
        assert value == pytest.approx(wanted, abs=1e-5)


def test_ssim_agrees_with_scikit_image(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for truth, found in pairs:
        (value,) = PhotoSSIM().measure(picture(found)[None], picture(truth))
        mean, whole = structural_similarity(
            np.float64(truth),
            np.float64(found),
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            win_size=11,
            use_sample_covariance=False,
            full=True,
        )
        assert value == pytest.approx(mean, abs=1e-9)
        # Only windows inside the picture count: five pixels at each border have none.
        assert value == pytest.approx(whole[5:-5, 5:-5].mean(), abs=1e-9)


def test_psnr_by_hand() -> None:
    truth = torch.full((3, 12, 12), 100.0)
    values = PhotoPSNR().measure(torch.stack([truth + 5, truth]), truth)
    assert values == [pytest.approx(20 * math.log10(255 / 5)), math.inf]
    assert PhotoSSIM().measure(truth[None], truth) == [1.0]


def test_swapped_gray_is_the_published_scripts(tmp_path: Path) -> None:
    """Files, read by OpenCV as BGR and converted as RGB, as its script does."""
    rng = np.random.default_rng(1)
    truth, found = (rng.integers(0, 256, (40, 50, 3)).astype(np.uint8) for _ in range(2))
    grays = []
    for name, photo in (("truth", truth), ("found", found)):
        path = str(tmp_path / f"{name}.png")
        cv2.imwrite(path, photo[..., ::-1])
        grays.append(cv2.cvtColor(cv2.imread(path, 1), cv2.COLOR_RGB2GRAY))
    assert np.array_equal(swapped_gray(picture(truth)), grays[0])
    red, blue = (torch.tensor([255.0 * (i == c) for i in range(3)])[:, None, None] for c in (0, 2))
    assert swapped_gray(blue)[0, 0] == 76 and swapped_gray(red)[0, 0] == 29

    (psnr,) = PhotoPSNR("swapped-gray").measure(picture(found)[None], picture(truth))
    (ssim,) = PhotoSSIM("swapped-gray").measure(picture(found)[None], picture(truth))
    assert psnr == cv2.PSNR(*grays)
    span = int(grays[1].max()) - int(grays[1].min())
    assert ssim == structural_similarity(*grays, data_range=span)


def test_scaling_to_the_ground_truths_mean() -> None:
    truth = torch.full((3, 2, 2), 120.0)
    dark = torch.tensor([20.0, 40.0, 60.0, 120.0]).view(1, 2, 2).expand(3, 2, 2)
    scaled = match_mean(dark, truth)
    assert torch.equal(scaled[0].flatten(), torch.tensor([40.0, 80.0, 120.0, 240.0]))
    assert match_mean(dark, torch.full((3, 2, 2), 240.0))[0, 1, 1] == 255
    assert torch.equal(match_mean(torch.zeros(3, 2, 2), truth), torch.zeros(3, 2, 2))


def test_rounding_is_that_of_a_written_file() -> None:
    values = torch.tensor([0.4999, 0.5, 1.5, 254.5, 255.0])
    assert round_to_8_bits(values).tolist() == [0, 1, 2, 255, 255]


def test_names_carry_what_figures_depend_on() -> None:
    assert PhotoPSNR().name == "PSNR-RGB"
    assert PhotoPSNR(eight_bit=True, gt_mean=True).name == "PSNR-RGB-8bit-GTmean"
    assert PhotoSSIM().name == "SSIM-RGB"
    assert PhotoSSIM("swapped-gray").name == "SSIM-swapped-gray-uniform7"


def test_bad_settings_and_tiny_photos() -> None:
    with pytest.raises(ValueError, match="colour: got 'Y', expected one of RGB, swapped-gray"):
        PhotoPSNR("Y")
    with pytest.raises(ValueError, match="swapped-gray is 8 bits"):
        PhotoSSIM("swapped-gray", eight_bit=True)
    with pytest.raises(NotComputableError, match="20x10 pixels are less than its window of 11"):
        PhotoSSIM().measure(torch.zeros(1, 3, 10, 20), torch.zeros(3, 10, 20))
