"""Transforms for MMagic's pipelines: load as RGB, augment as published, bound the size.

Arrays are (H, W, 3), RGB, in [0, 255], uint8 or float32, as MMagic's ``PackInputs`` and
``DataPreprocessor`` take them.
"""

import os
import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from mmagic.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from PIL import Image

from rave_mm.datasets.shadows import SHADOWS
from rave_mm.datasets.synthetic_backlight import jpeg_compressed, retouched, synthetic_backlight
from rave_mm.photos.reading import read_photo

# Albumentations asks the internet for its newest version when it is imported, by us or by
# MMagic's own transforms, unless this is set by then.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

# Part of a picture that a subject's mask must cover, for there to be a subject.
_LEAST_SUBJECT = 0.04


@TRANSFORMS.register_module()
class LoadPhoto(BaseTransform):
    """Read the photograph named by ``{key}_path`` as RGB, 8- and 16-bit files alike.

    Adds ``{key}``: uint8, or for 16-bit files float32 in [0, 255] with its fractions, and
    beside it what MMagic's own loader adds: ``ori_{key}_shape``, ``{key}_channel_order``
    ("rgb") and ``{key}_color_type`` ("color"). ``DataPreprocessor`` reads these to give the
    network RGB (``output_channel_order='RGB'``) and the metrics BGR.

    ``PackInputs`` keeps them for ``img`` and ``gt``. For another key, such as ``ref``, name
    them in its ``meta_keys``: ``ref_channel_order`` where ``ref`` is an input,
    ``ref_img_channel_order`` (added too) where it is a data field. Else MMagic takes the
    photograph for BGR.

    Args:
        key: What to load: ``img``, ``gt`` or ``ref``.
        at_least: For where a transform reduces the photograph to so many pixels a side: large JPEG
            files are then decoded at a half, a quarter or an eighth of their size, never below
            that, in a third of the time. None for the whole photograph.
    """

    def __init__(self, key: str = "img", at_least: int | None = None) -> None:
        if at_least is not None and at_least < 1:
            raise ValueError(f"at_least: got {at_least}, expected a number of pixels, 1 or more")
        self.key = key
        self.at_least = at_least

    def transform(self, results: dict) -> dict:
        """Load ``results[key]``.

        Raises:
            KeyError: The data set gives no ``{key}_path``.
            UnreadablePhotoError: The file is missing, cut or corrupt.
        """
        if f"{self.key}_path" not in results:
            raise KeyError(
                f"LoadPhoto(key={self.key!r}) needs {self.key}_path; got {sorted(results)}"
            )
        photo = read_photo(results[f"{self.key}_path"], self.at_least)
        if photo.dtype == np.uint16:
            photo = photo.astype(np.float32) / 257
        results[self.key] = photo
        results[f"ori_{self.key}_shape"] = photo.shape
        for name in (self.key, f"{self.key}_img"):
            results[f"{name}_channel_order"] = "rgb"
            results[f"{name}_color_type"] = "color"
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key={self.key!r}, at_least={self.at_least})"


@TRANSFORMS.register_module()
class AugmentBacklit(BaseTransform):
    """The augmentation of CLIP-LIT and RAVE, one and the same for all keys.

    Resize to a square (Lanczos), horizontal flip, vertical flip and transpose (0.5 each),
    zoom by a factor of its own for each axis (0.3), rotation within 90 degrees either way
    (0.3); what comes in from outside is the mirrored photograph. Photographs that belong
    together, such as backlit and ground truth, stay aligned. Use it twice, with a key each,
    where they do not.

    Every choice follows from NumPy's global generator, which MMEngine seeds.

    Args:
        size: Height and width of the result. Published: 512 for the network, 256 for prompts.
        zoom: Least and largest factor. Published: (0.7, 1.3), and (0.5, 1.5) for prompts.
        keys: Photographs to transform; those that are not there are passed over, but one
            must be.
    """

    def __init__(
        self,
        size: int = 512,
        zoom: tuple[float, float] = (0.7, 1.3),
        keys: Sequence[str] = ("img", "gt"),
    ) -> None:
        if size < 1:
            raise ValueError(f"got size {size}, expected a number of pixels, 1 or more")
        if not 0 < zoom[0] <= zoom[1]:
            raise ValueError(f"got zoom {tuple(zoom)}, expected 0 < least <= largest")
        import albumentations  # takes seconds, and a test pipeline does without it

        self.size = size
        self.zoom = (zoom[0], zoom[1])
        self.keys = _key_list(keys)
        self._geometry = albumentations.Compose(
            [
                albumentations.HorizontalFlip(p=0.5),
                albumentations.VerticalFlip(p=0.5),
                albumentations.Transpose(p=0.5),
                albumentations.Affine(scale=self.zoom, border_mode=cv2.BORDER_REFLECT, p=0.3),
                albumentations.Rotate(limit=(-90, 90), border_mode=cv2.BORDER_REFLECT, p=0.3),
            ]
        )

    def transform(self, results: dict) -> dict:
        """Replace each photograph by its augmented version, (size, size, 3)."""
        # Compose has generators of its own, which no global seed reaches. Its
        # set_random_seed() gives every step a generator of the same seed, so that both
        # flips and the transpose would always fall together: let the steps share one.
        seed = int(np.random.randint(2**31))
        for key in _present(self, self.keys, results):
            self._geometry.set_random_state(np.random.default_rng(seed), random.Random(seed))
            square = _lanczos(results[key], self.size, self.size)
            results[key] = np.ascontiguousarray(self._geometry(image=square)["image"])
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, zoom={self.zoom}, keys={self.keys})"


@TRANSFORMS.register_module()
class LimitLongSide(BaseTransform):
    """Reduce photographs whose long side exceeds a limit; leave the others as they are.

    For validation and testing on whole photographs. (MMagic's ``Resize`` with
    ``keep_ratio`` would enlarge the small ones as well.)

    Args:
        limit: The longest side allowed, in pixels.
        keys: Photographs to reduce; those that are not there are passed over, but one must
            be.
    """

    def __init__(self, limit: int, keys: Sequence[str] = ("img", "gt")) -> None:
        if limit < 1:
            raise ValueError(f"got limit {limit}, expected a number of pixels, 1 or more")
        self.limit = limit
        self.keys = _key_list(keys)

    def transform(self, results: dict) -> dict:
        """Replace each photograph that is too long by its reduced version."""
        for key in _present(self, self.keys, results):
            height, width = results[key].shape[:2]
            if max(height, width) > self.limit:
                scale = self.limit / max(height, width)
                new_height, new_width = (max(1, round(n * scale)) for n in (height, width))
                results[key] = _lanczos(results[key], new_height, new_width)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(limit={self.limit}, keys={self.keys})"


@TRANSFORMS.register_module()
class SynthesizeBacklight(BaseTransform):
    """Make the backlit photograph ``img`` from the well-lit ``gt``, a new one each time.

    See :func:`rave_mm.datasets.synthetic_backlight.synthetic_backlight`. Every choice follows from
    NumPy's global generator, which MMEngine seeds.

    Args:
        ev: Least and greatest number of stops that the shadow loses.
        shadows: How often each kind of :data:`rave_mm.datasets.shadows.SHADOWS` is drawn, relative
            to the others; and "subject", the photograph's own, whose mask was loaded as
            ``subject`` (where it is empty, "region" is drawn).
        noise: Least and greatest noise, in times of a camera's in good light.
        jpeg: Least and greatest quality of JPEG that the backlit photograph has gone through; None
            for none.
        lift: How far the shadows of ``gt`` are lifted where light was lost, in [0, 1);
            :func:`rave_mm.datasets.synthetic_backlight.retouched`. A photograph that is backlit is
            to become brighter than one that was well lit from the start, which keeps its blacks.

    Raises:
        ValueError: An unknown kind of shadow, or none; a lift outside of [0, 1).
    """

    def __init__(
        self,
        ev: tuple[float, float] = (2.0, 4.0),
        shadows: Mapping[str, float] = MappingProxyType({"ellipse": 1.0}),
        noise: tuple[float, float] = (1.0, 1.0),
        jpeg: tuple[int, int] | None = None,
        lift: float = 0.0,
    ) -> None:
        known = [*SHADOWS, "subject"]
        if not shadows or not set(shadows) <= set(known) or not sum(shadows.values()) > 0:
            raise ValueError(f"shadows: got {dict(shadows)}, expected weights of some of {known}")
        if not 0 <= lift < 1:
            raise ValueError(f"lift: got {lift}, expected 0 or more and less than 1")
        self.ev = (ev[0], ev[1])
        self.shadows = dict(shadows)
        self.noise = (noise[0], noise[1])
        self.jpeg = jpeg
        self.lift = lift

    def transform(self, results: dict) -> dict:
        """Add ``img`` beside ``gt``, with the same path, channel order and colour type.

        Raises:
            KeyError: ``gt`` is not there.
            ValueError: ``gt`` has not 8 bits, or ``ev`` does not increase from 0 or more.
        """
        (key,) = _present(self, ("gt",), results)
        rng = np.random.default_rng(np.random.randint(2**31))
        mask = self._mask(results[key], results.get("subject"), rng)
        noise = rng.uniform(*self.noise) if self.noise != (1.0, 1.0) else 1.0
        if mask is None or mask.any():
            backlit = synthetic_backlight(results[key], rng, self.ev, mask, noise)
            if self.lift:
                results[key] = retouched(results[key], self.lift)
        else:  # the light around a shadow grows with it; without one, nothing changes
            backlit = results[key].copy()
        if self.jpeg is not None:
            backlit = jpeg_compressed(backlit, int(rng.integers(self.jpeg[0], self.jpeg[1] + 1)))
        results["img"] = backlit
        results["img_path"] = results["gt_path"]
        results["ori_img_shape"] = results["img"].shape
        for name in ("channel_order", "color_type"):
            results[f"img_{name}"] = results[f"gt_{name}"]
        return results

    def _mask(
        self, photo: np.ndarray, subject: np.ndarray | None, rng: np.random.Generator
    ) -> np.ndarray | None:
        kinds, weights = list(self.shadows), np.array(list(self.shadows.values()))
        kind = kinds[0] if len(kinds) == 1 else rng.choice(kinds, p=weights / weights.sum())
        if photo.dtype != np.uint8:
            return None  # to be refused with what was expected
        if kind == "subject":
            if subject is not None and subject.mean() > _LEAST_SUBJECT * 255:
                return subject[..., 0].astype(np.float32) / 255
            kind = "region"
        return SHADOWS[kind](photo, rng)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(ev={self.ev}, shadows={self.shadows}, noise={self.noise}, "
            f"jpeg={self.jpeg}, lift={self.lift})"
        )


def _key_list(keys: Sequence[str]) -> tuple[str, ...]:
    return (keys,) if isinstance(keys, str) else tuple(keys)


def _present(transform: BaseTransform, keys: Sequence[str], results: dict) -> list[str]:
    present = [key for key in keys if key in results]
    if not present:
        raise KeyError(f"{transform} found none of its keys; got {sorted(results)}: load one first")
    return present


def _lanczos(photo: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (H, W, 3), with antialias when reducing, in the photo's own type and range."""
    if photo.dtype == np.uint8:
        return np.array(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))
    channels = [
        np.array(
            Image.fromarray(np.ascontiguousarray(photo[..., channel], np.float32)).resize(
                (width, height), Image.Resampling.LANCZOS
            )
        )
        for channel in range(photo.shape[2])
    ]
    return np.clip(np.stack(channels, axis=2), 0, 255)
