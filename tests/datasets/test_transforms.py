"""The transforms, alone and through MMagic's own pipeline, preprocessor and metrics."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmagic.registry import TRANSFORMS
from mmengine.dataset import Compose, pseudo_collate
from PIL import Image

from rave_mm.datasets.synthetic_backlight import retouched
from rave_mm.datasets.transforms import (
    AugmentBacklit,
    LimitLongSide,
    LoadPhoto,
    SynthesizeBacklight,
)
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.runtime import compat

compat.apply()  # for MMagic's own classes, imported below where they are used


@pytest.fixture
def red_file(tmp_path):
    """A strongly red photo with a little green, so that no channel order hides."""
    Image.new("RGB", (24, 16), (200, 40, 10)).save(tmp_path / "red.png")
    return str(tmp_path / "red.png")


@pytest.fixture
def deep_file(tmp_path):
    """A 16-bit ramp with 3000 levels."""
    ramp = np.linspace(0, 65535, 3000).astype(np.uint16).reshape(30, 100)
    cv2.imwrite(str(tmp_path / "deep.png"), np.stack([ramp] * 3, axis=2))
    return str(tmp_path / "deep.png")


def packed(pipeline, **paths):
    """Run a pipeline as a config names it, MMagic's PackInputs included."""
    return Compose([TRANSFORMS.build(step) for step in pipeline])(paths)


def gradient(height=40, width=60):
    """Every pixel differs from its neighbours, in a way that survives interpolation."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 4, y * 5, np.full_like(x, 90)], axis=2).astype(np.uint8)


def test_load_photo_gives_what_mmagic_expects(red_file):
    results = LoadPhoto("img").transform({"img_path": red_file})
    assert results["img"].dtype == np.uint8
    np.testing.assert_array_equal(results["img"][0, 0], [200, 40, 10])
    assert results["img_channel_order"] == "rgb"
    assert results["img_color_type"] == "color"
    assert results["ori_img_shape"] == (16, 24, 3)


def test_16_bit_photos_keep_their_precision(deep_file):
    photo = LoadPhoto().transform({"img_path": deep_file})["img"]
    assert photo.dtype == np.float32
    assert (photo.min(), photo.max()) == (0, 255)
    assert len(np.unique(photo)) == 3000


def test_load_photo_says_what_is_missing(tmp_path):
    with pytest.raises(KeyError, match=r"LoadPhoto\(key='gt'\) needs gt_path; got \['img_path'\]"):
        LoadPhoto("gt").transform({"img_path": "a.png"})
    with pytest.raises(UnreadablePhotoError, match=r"none\.png: no such file"):
        LoadPhoto().transform({"img_path": str(tmp_path / "none.png")})


@pytest.mark.parametrize("training", [True, False])
def test_a_red_photo_stays_red_through_mmagic(red_file, training):
    from mmagic.models.data_preprocessors import DataPreprocessor

    steps = [
        {"type": "LoadPhoto", "key": "img"},
        {"type": "LoadPhoto", "key": "gt"},
        {"type": "PackInputs"},
    ]
    if training:
        steps.insert(2, {"type": "AugmentBacklit", "size": 16})
    sample = packed(steps, img_path=red_file, gt_path=red_file)
    preprocessor = DataPreprocessor(mean=[0] * 3, std=[255] * 3, output_channel_order="RGB")
    data = preprocessor(pseudo_collate([sample, sample]), training=training)
    red = torch.tensor([200, 40, 10]) / 255

    assert data["inputs"].shape == ((2, 3, 16, 16) if training else (2, 3, 16, 24))
    torch.testing.assert_close(data["inputs"][0, :, 0, 0], red)
    truth = data["data_samples"].gt_img[0, :, 0, 0].float()
    if training:
        torch.testing.assert_close(truth, red)
    else:
        # MMagic evaluates in BGR, 0 to 255: truth and result alike.
        torch.testing.assert_close(truth, 255 * red.flip(0))
        result = preprocessor.destruct(data["inputs"], data["data_samples"])
        torch.testing.assert_close(result[0, :, 0, 0], 255 * red.flip(0))


def test_mmagic_metrics_compare_like_with_like(red_file):
    from mmagic.evaluation.metrics import PSNR, SSIM
    from mmagic.models.data_preprocessors import DataPreprocessor

    steps = [{"type": "LoadPhoto", "key": key} for key in ("img", "gt")] + [{"type": "PackInputs"}]
    batch = pseudo_collate([packed(steps, img_path=red_file, gt_path=red_file)])
    preprocessor = DataPreprocessor(mean=[0] * 3, std=[255] * 3, output_channel_order="RGB")
    data = preprocessor(batch, training=False)
    darker = preprocessor.destruct(data["inputs"] * 0.5, data["data_samples"])
    sample = {"gt_img": data["data_samples"].gt_img[0], "output": {"pred_img": darker[0]}}
    metrics = {metric.metric: metric for metric in (PSNR(), SSIM())}
    for metric in metrics.values():
        metric.process(batch, [sample])
    mse = np.mean(np.square([100, 20, 5]))
    assert metrics["PSNR"].results[0]["PSNR"] == pytest.approx(10 * np.log10(255**2 / mse), 1e-4)
    assert 0 < metrics["SSIM"].results[0]["SSIM"] < 1


@pytest.mark.parametrize("as_input", [True, False])
def test_a_well_lit_reference_keeps_its_channel_order_too(red_file, as_input):
    from mmagic.models.data_preprocessors import DataPreprocessor

    pack = (
        {"keys": ["img", "ref"], "meta_keys": ["ref_channel_order", "ref_color_type"]}
        if as_input
        else {"meta_keys": ["ref_img_channel_order", "ref_img_color_type"]}
    )
    steps = [{"type": "LoadPhoto", "key": key} for key in ("img", "ref")]
    sample = packed([*steps, {"type": "PackInputs", **pack}], img_path=red_file, ref_path=red_file)
    preprocessor = DataPreprocessor(
        mean=[0] * 3,
        std=[255] * 3,
        output_channel_order="RGB",
        data_keys=None if as_input else "ref_img",
    )
    data = preprocessor(pseudo_collate([sample]), training=True)
    reference = data["inputs"]["ref"] if as_input else data["data_samples"].ref_img
    torch.testing.assert_close(reference[0, :, 0, 0], torch.tensor([200, 40, 10]) / 255)


def test_augmentation_follows_numpy_seed_and_differs_otherwise():
    def run(augment, seed):
        np.random.seed(seed)
        return [augment.transform({"img": gradient()})["img"].tobytes() for _ in range(12)]

    first = run(AugmentBacklit(size=32), 7)
    assert run(AugmentBacklit(size=32), 7) == first
    assert len(set(first)) > 6
    assert b"".join(first) != b"".join(run(AugmentBacklit(size=32), 8))


def test_all_keys_get_the_same_geometry():
    np.random.seed(0)
    augment = AugmentBacklit(size=32, keys=("img", "gt", "absent"))
    for _ in range(30):
        results = augment.transform({"img": gradient(), "gt": gradient(80, 120) // 2})
        assert results["gt"].shape == results["img"].shape == (32, 32, 3)
        results = augment.transform({"img": gradient(), "gt": gradient()})
        np.testing.assert_array_equal(results["img"], results["gt"])


def test_flips_and_transpose_are_independent_of_each_other():
    """All eight turns of a square come up: with one seed for every step only two would."""
    corner = np.zeros((2, 2, 3), np.uint8)
    corner[0, 0], corner[0, 1] = 100, 50
    augment = AugmentBacklit(size=2, zoom=(1, 1))
    np.random.seed(0)
    seen = {augment.transform({"img": corner})["img"].tobytes() for _ in range(300)}
    eight = {
        np.ascontiguousarray(np.rot90(start, turn)).tobytes()
        for start in (corner, corner[:, ::-1])
        for turn in range(4)
    }
    assert eight <= seen


def test_nothing_black_comes_in_from_outside():
    np.random.seed(0)
    augment = AugmentBacklit(size=32, zoom=(0.5, 1.5))
    white = np.full((32, 32, 3), 255, np.uint8)
    assert all((augment.transform({"img": white})["img"] == 255).all() for _ in range(60))


def test_zoom_and_rotation_happen_about_three_times_in_ten():
    np.random.seed(0)
    augment = AugmentBacklit(size=16)
    square = gradient(16, 16)
    turns = {
        np.ascontiguousarray(np.rot90(start, turn)).tobytes()
        for start in (square, square[:, ::-1])
        for turn in range(4)
    }
    kept = sum(augment.transform({"img": square})["img"].tobytes() in turns for _ in range(1000))
    assert 430 < kept < 550  # 0.7 * 0.7 of 1000


def test_augmenting_16_bit_photos_keeps_range_and_precision():
    np.random.seed(0)
    photo = np.random.uniform(0, 255, (32, 32, 3)).astype(np.float32)
    augment = AugmentBacklit(size=32)
    for _ in range(20):
        result = augment.transform({"img": photo})["img"]
        assert result.dtype == np.float32
        assert result.min() >= 0 and 200 < result.max() <= 255
        assert len(np.unique(result)) > 256


def test_float_and_8_bit_photos_are_resized_alike():
    np.random.seed(0)
    augment = AugmentBacklit(size=24)
    results = augment.transform({"img": gradient(), "gt": gradient().astype(np.float32)})
    np.testing.assert_allclose(results["img"], results["gt"], atol=1.01)


def test_bad_settings_and_missing_photos_are_named():
    with pytest.raises(ValueError, match="got size 0"):
        AugmentBacklit(size=0)
    with pytest.raises(ValueError, match=r"got zoom \(1.3, 0.7\)"):
        AugmentBacklit(zoom=(1.3, 0.7))
    with pytest.raises(ValueError, match="got limit -1"):
        LimitLongSide(-1)
    with pytest.raises(KeyError, match=r"LimitLongSide.*found none of its keys; got \['ref'\]"):
        LimitLongSide(8).transform({"ref": gradient()})


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_limit_long_side_reduces_and_never_enlarges(dtype):
    photo = gradient(40, 60).astype(dtype)
    limit = TRANSFORMS.build({"type": "LimitLongSide", "limit": 30, "keys": ["img"]})
    reduced = limit.transform({"img": photo})["img"]
    assert reduced.shape == (20, 30, 3)
    assert reduced.dtype == dtype
    assert reduced.mean() == pytest.approx(photo.mean(), rel=0.01)
    same = LimitLongSide(60).transform({"img": photo})["img"]
    assert same is photo


def test_backlight_is_made_of_a_well_lit_photo(red_file):
    """Its foreground is darker, its colour order known to MMagic, and the next one another."""
    from mmagic.models.data_preprocessors import DataPreprocessor

    steps = [
        {"type": "LoadPhoto", "key": "gt"},
        {"type": "SynthesizeBacklight", "ev": (2, 3)},
        {"type": "PackInputs"},
    ]
    np.random.seed(0)
    samples = [packed(steps, gt_path=red_file) for _ in range(2)]
    preprocessor = DataPreprocessor(mean=[0] * 3, std=[255] * 3, output_channel_order="RGB")
    data = preprocessor(pseudo_collate(samples), training=True)
    backlit, well_lit = data["inputs"], data["data_samples"].gt_img
    torch.testing.assert_close(well_lit[0, :, 0, 0], torch.tensor([200, 40, 10]) / 255)
    assert not torch.equal(backlit[0], backlit[1])
    centre = backlit[:, :, 12, 12]
    assert (centre[:, 0] > 2 * centre[:, 1]).all()  # still red
    assert (centre[:, 0] < 0.6 * 200 / 255).all()  # 2 stops are a factor of 0.53 in sRGB
    assert data["data_samples"].metainfo["img_path"] == [red_file] * 2


def test_backlight_follows_the_seed_and_needs_a_well_lit_photo():
    photo = gradient().astype(np.uint8)
    known = {"gt_path": "a.png", "gt_channel_order": "rgb", "gt_color_type": "color"}
    made = []
    for _ in range(2):
        np.random.seed(3)
        made.append(SynthesizeBacklight().transform({"gt": photo, **known})["img"])
    assert np.array_equal(*made)
    with pytest.raises(KeyError, match=r"SynthesizeBacklight.*none of its keys; got \['img'\]"):
        SynthesizeBacklight().transform({"img": photo})
    with pytest.raises(ValueError, match=r"ev: got \(4, 2\)"):
        SynthesizeBacklight(ev=(4, 2)).transform({"gt": photo, **known})


def shadowed(photo, **settings):
    """What `SynthesizeBacklight` makes of a photo, and of its subject if there is one."""
    np.random.seed(0)
    known = {"gt_path": "a.png", "gt_channel_order": "rgb", "gt_color_type": "color"}
    subject = settings.pop("subject", None)
    given = {"gt": photo, **known, **({} if subject is None else {"subject": subject})}
    return SynthesizeBacklight(ev=(2, 2), **settings).transform(given)["img"]


def test_a_photo_without_a_shadow_stays_as_it_is():
    photo = gradient().astype(np.uint8)
    np.testing.assert_array_equal(shadowed(photo, shadows={"nowhere": 1}), photo)
    pressed = shadowed(photo, shadows={"nowhere": 1}, jpeg=(60, 60))
    assert 0 < np.abs(pressed.astype(int) - photo).mean() < 10


def test_a_photos_own_subject_is_darkened():
    photo, mask = np.full((40, 60, 3), 180, np.uint8), np.zeros((40, 60, 3), np.uint8)
    mask[10:30, 20:40] = 255
    backlit = shadowed(photo, shadows={"subject": 1}, subject=mask)
    assert backlit[12:28, 22:38].max() < 120 < 170 < backlit[:8].min()
    # Without one, something else of the photo is.
    assert shadowed(house_and_sky(), shadows={"subject": 1}, subject=np.zeros_like(mask)).min() < 60


def house_and_sky():
    photo = np.full((40, 60, 3), 220, np.uint8)
    photo[15:, 20:40] = (130, 90, 60)
    return photo


def test_each_kind_of_shadow_is_drawn_as_often_as_it_should():
    step = SynthesizeBacklight(ev=(3, 3), shadows={"everywhere": 3, "nowhere": 1})
    known = {"gt_path": "a.png", "gt_channel_order": "rgb", "gt_color_type": "color"}
    np.random.seed(0)
    photo = np.full((8, 8, 3), 200, np.uint8)
    dark = [step.transform({"gt": photo, **known})["img"].mean() < 150 for _ in range(400)]
    assert 0.68 < np.mean(dark) < 0.82


@pytest.mark.parametrize("shadows", [{}, {"elipse": 1}, {"ellipse": 0}])
def test_unknown_shadows_are_refused(shadows):
    with pytest.raises(
        ValueError, match=r"shadows: got .*, expected weights of some of \['ellipse'"
    ):
        SynthesizeBacklight(shadows=shadows)


def test_the_ground_truth_of_a_backlit_photo_may_be_lifted():
    photo = np.full((40, 60, 3), 60, np.uint8)
    known = {"gt_path": "a.png", "gt_channel_order": "rgb", "gt_color_type": "color"}
    for shadow, expected in (("everywhere", retouched(photo, 0.25)), ("nowhere", photo)):
        np.random.seed(0)
        step = SynthesizeBacklight(ev=(2, 2), shadows={shadow: 1}, lift=0.25)
        made = step.transform({"gt": photo.copy(), **known})
        np.testing.assert_array_equal(made["gt"], expected)
    assert retouched(photo, 0.25).min() > 60
    with pytest.raises(ValueError, match="lift: got 1, expected 0 or more and less than 1"):
        SynthesizeBacklight(lift=1)


def test_importing_asks_the_network_for_nothing():
    code = """
import socket
def refuse(*args, **kwargs): raise SystemExit("network asked for")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import rave_mm.datasets.transforms as transforms
transforms.AugmentBacklit()
"""
    environment = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "Albumentations" not in run.stderr
    assert "version info" not in run.stderr
