"""Each protocol says what its metrics do to pictures; a switch and names choose."""

import pytest
from mmengine.config import Config

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm import config_path
from rave_mm.evaluation.protocols import PROTOCOLS, _name, choose_metrics, read_protocol


def names(protocol: str, *wanted: str, gt_mean: bool = False) -> list[str]:
    chosen = choose_metrics(read_protocol(protocol), wanted or None, gt_mean)
    return [_name(config) for config in chosen]


def test_protocols_have_their_metrics() -> None:
    assert names("standard") == ["PSNR-RGB", "SSIM-RGB", "LPIPS-alex"]
    assert names("rave-paper") == [
        "PSNR-swapped-gray",
        "SSIM-swapped-gray-uniform7",
        "LPIPS-alex-imagenet-short1024",
    ]
    assert names("clip-lit-paper") == [
        "PSNR-RGB-8bit",
        "SSIM-RGB-8bit",
        "LPIPS-alex-8bit",
        "MUSIQ-koniq-8bit",
    ]
    assert names("standard", "all")[3:] == [
        "LPIPS-vgg",
        "LPIPS-squeeze",
        "FID-inception2015",
        "NIQE-gray",
        "MUSIQ-koniq",
    ]


def test_no_two_protocols_share_a_name_for_different_figures() -> None:
    found = [name for protocol in PROTOCOLS for name in names(protocol, "all")]
    assert len(set(found)) == len(found)


def test_metrics_are_chosen_by_name_or_its_beginning() -> None:
    assert names("standard", "SSIM", "PSNR", "SSIM-RGB") == ["SSIM-RGB", "PSNR-RGB"]
    assert names("standard", "LPIPS") == ["LPIPS-alex"]
    assert names("standard", "LPIPS-squeeze", "FID") == ["LPIPS-squeeze", "FID-inception2015"]
    assert names("rave-paper", "PSNR", "LPIPS-alex")[0] == "PSNR-swapped-gray"


def test_scaled_to_the_mean_only_on_request_and_by_name() -> None:
    assert not any("GTmean" in name for p in PROTOCOLS for name in names(p, "all"))
    assert names("standard", "PSNR", "FID", "NIQE", gt_mean=True) == [
        "PSNR-RGB",
        "FID-inception2015",
        "NIQE-gray",
        "PSNR-RGB-GTmean",
    ]


def test_scaling_that_would_change_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="--gt-mean: got FID-inception2015, NIQE-gray, "):
        names("standard", "FID", "NIQE", "MUSIQ", gt_mean=True)


def test_unknown_names_are_told() -> None:
    with pytest.raises(ValueError, match="protocol: got 'paper', expected one of standard, rave-"):
        read_protocol("paper")
    with pytest.raises(ValueError, match="metric: got 'MUSIQ', expected some of PSNR-swapped-gray"):
        names("rave-paper", "MUSIQ")


def test_backlit300_asks_for_what_needs_no_truth() -> None:
    config = Config.fromfile(config_path("rave/rave_backlit300.py"))
    assert names("standard", *config.test_metrics) == ["NIQE-gray", "MUSIQ-koniq"]
    assert config.test_dataloader.dataset.type == "UnpairedPhotos"
    assert config.val_dataloader.dataset.type == "BacklitPairs"
