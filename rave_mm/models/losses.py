"""RAVE's two losses as MMagic components.

The equations are in `rave_mm.functional`; here are settings and state. They are called
`(pred, reference)` as MMagic calls a pixel loss, so they serve as one in any of its models, alone
or in a `rave_mm.models.loss_sum.LossSum`.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from mmagic.registry import MODELS
from mmengine.dist import barrier, get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.functional import cosine_similarity

from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.functional import identity_loss, residual_guidance_loss
from rave_mm.models.pictures import Results, by_scale, check_values, frames
from rave_mm.residual import Provenance, ResidualVector, residual_from_folders

CHANNEL_ORDERS = ("rgb", "bgr")
#: In how many calls the values are looked at: on a GPU, each look waits for them.
CHECKED_CALLS = 3


@contextmanager
def first_process_first() -> Iterator[None]:
    """One process fetches and computes what is within, then the others, which find its files."""
    if get_rank() != 0:
        barrier()
    try:
        yield
    finally:  # the others must not wait for one that failed
        if get_rank() == 0:
            barrier()


class CLIPLoss(BaseModule):
    """What every loss that looks at pictures through CLIP shares.

    The CLIP is loaded when training starts (`init_weights`) or at the first call, not when the loss
    is built: testing a checkpoint needs no CLIP.

    Pictures are photos (N, 3, H, W), clips (N, T, 3, H, W), each frame of which counts as a photo,
    or a list of such at several scales, of whose losses it is the mean. In its first calls the loss
    looks whether the values lie in the stated range: those of the target, for what an untrained
    network makes may lie anywhere.

    Args:
        clip: settings of :func:`rave_mm.clip.encoder.load_clip`; None for the bundled CLIP.
        loss_weight: factor of the loss.
        channel_order: "rgb" or "bgr", the order of the pictures that the model hands over.
        value_range: (black, white) of those pictures.

    Raises:
        ValueError: an unknown channel order, or a value range that does not increase.
    """

    def __init__(
        self,
        clip: Mapping[str, Any] | None = None,
        loss_weight: float = 1.0,
        channel_order: str = "rgb",
        value_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__()
        if channel_order not in CHANNEL_ORDERS:
            raise ValueError(
                f"channel_order: got {channel_order!r}, expected one of {', '.join(CHANNEL_ORDERS)}"
            )
        if len(value_range) != 2 or not value_range[0] < value_range[1]:
            raise ValueError(
                f"value_range: got {value_range}, expected (black, white) with black < white"
            )
        self.clip_settings = dict(clip or {})
        self.loss_weight = loss_weight
        self.channel_order = channel_order
        self.value_range = (float(value_range[0]), float(value_range[1]))
        self._calls_to_check = CHECKED_CALLS
        self._values_seen: list[float] = []

    @property
    def clip(self) -> FrozenCLIP:
        """The CLIP, shared with every loss of the same settings."""
        return load_clip(**self.clip_settings)

    def init_weights(self) -> None:
        """Load what the loss needs, so that what is missing is told before training starts."""
        super().init_weights()
        with first_process_first():
            self._load()

    def _load(self) -> None:
        _ = self.clip

    def batches(
        self, pred: Results, reference: Results | None = None
    ) -> list[tuple[Tensor, Tensor | None]]:
        """Each result and its reference as photos (N, 3, H, W), RGB in [0, 1].

        Raises:
            ValueError: values far outside the stated range; shapes that are no pictures.
        """
        scales = by_scale(pred, reference)
        if self._calls_to_check:
            self._check_values(*scales[0])
        return [
            (self.to_rgb(result), None if other is None else self.to_rgb(other))
            for result, other in scales
        ]

    def _check_values(self, pred: Tensor, reference: Tensor | None) -> None:
        pictures = pred if reference is None else reference
        self._values_seen += check_values(pictures, self.value_range, type(self).__name__)
        self._calls_to_check -= 1
        low, high = min(self._values_seen), max(self._values_seen)
        black, white = self.value_range
        if not self._calls_to_check and high - low <= (white - black) / 2:
            print_log(
                f"{type(self).__name__}: the pictures' values lie in {low:.4g} to {high:.4g}, at "
                f"most half of value_range={self.value_range}: if that is not what this model's "
                "data_preprocessor gives, state what is",
                "current",
                logging.WARNING,
            )

    def to_rgb(self, images: Tensor) -> Tensor:
        """Photos (N, 3, H, W) or clips as the model has them to photos, RGB in [0, 1]."""
        images = frames(images)
        black, white = self.value_range
        if (black, white) != (0.0, 1.0):
            images = (images - black) / (white - black)
        return images.flip(1) if self.channel_order == "bgr" else images


@MODELS.register_module()
class ResidualGuidanceLoss(CLIPLoss):
    """RAVE's guidance: `L_res = mean_batch (<f(y), v> - t)^2` (arXiv 2404.01889).

    The mean is taken over all frames where pictures are clips. Several directions guide at once as
    several terms of a sum, each with its own `residual` and `loss_weight`.

    The residual vector is carried in the checkpoint with its target and provenance (buffers
    `vector`, `target`, `provenance`). It is computed, or read, when training starts; a checkpoint
    that is loaded brings its own where none was computed, as in a test. It is never learned, so a
    copy of the model, as EMAHook makes it, shares this loss as it shares the CLIP.

    Args:
        residual: path of an .npz (`ResidualVector.save`), or folders to compute it from:
            `dict(well_lit=..., backlit=..., ...)`, the settings of
            :func:`rave_mm.residual.residual_from_folders`. None where a checkpoint brings it.
        clip, loss_weight, channel_order, value_range: as in :class:`CLIPLoss`.

    Raises:
        ValueError: as in :class:`CLIPLoss`; also if the residual vector is of another CLIP.
    """

    vector: Tensor
    target: Tensor
    provenance: Tensor

    def __init__(
        self,
        residual: str | Mapping[str, Any] | None = None,
        clip: Mapping[str, Any] | None = None,
        loss_weight: float = 1.0,
        channel_order: str = "rgb",
        value_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__(clip, loss_weight, channel_order, value_range)
        self.residual_source = residual
        # Empty until the vector is known: how long it is depends on the CLIP, which is not loaded
        # yet.
        self.register_buffer("vector", torch.empty(0))
        self.register_buffer("target", torch.empty(()).fill_(torch.nan))
        self.register_buffer("provenance", torch.empty(0, dtype=torch.uint8))
        self._fits_clip = False

    def __deepcopy__(self, memo: dict[int, Any]) -> "ResidualGuidanceLoss":
        return self

    def _load(self) -> None:
        super()._load()
        source = self.residual_source
        if isinstance(source, (str, Path)):
            self.set_residual(ResidualVector.load(source))
        elif source is not None:
            self.set_residual(residual_from_folders(self.clip, **source))

    def set_residual(self, residual: ResidualVector) -> None:
        """Guide with this vector from now on."""
        self._check_clip(residual.provenance)
        device = self.target.device
        self.vector = residual.vector.to(device)
        self.target = torch.tensor(residual.target, device=device)
        text = json.dumps(asdict(residual.provenance)).encode()
        self.provenance = torch.frombuffer(bytearray(text), dtype=torch.uint8).to(device)

    @property
    def residual(self) -> ResidualVector:
        """The vector in use.

        Raises:
            RuntimeError: there is none yet.
        """
        if self.vector.numel() == 0:
            raise RuntimeError(
                "ResidualGuidanceLoss has no residual vector yet: give residual= (an .npz, or the "
                "folders well_lit and backlit) and call init_weights(), as MMEngine's Runner does, "
                "or load a checkpoint that carries one"
            )
        origin = _read_provenance(self.provenance)
        return ResidualVector(self.vector.cpu(), float(self.target), origin)

    def _check_clip(self, origin: Provenance) -> None:
        clip = self.clip
        if origin.clip_fingerprint != clip.fingerprint:
            raise ValueError(
                f"the residual vector was computed with the CLIP {origin.clip} "
                f"({origin.clip_fingerprint}), but the loss uses {clip.name} "
                f"({clip.fingerprint}); compute it anew from the folders, or name the same CLIP"
            )
        self._fits_clip = True

    def forward(self, pred: Results, reference: Results | None = None) -> Tensor:
        """The weighted guidance of enhanced pictures. Scalar.

        `reference` is not compared with.

        Raises:
            RuntimeError: there is no residual vector yet.
            ValueError: a checkpoint brought the residual vector of another CLIP; pictures as in
                :meth:`CLIPLoss.batches`.
        """
        if not self._fits_clip:
            self._check_clip(self.residual.provenance)
        values = [
            residual_guidance_loss(self.clip.embed(rgb), self.vector, self.target)
            for rgb, _ in self.batches(pred, reference)
        ]
        return self.loss_weight * torch.stack(values).mean()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take the checkpoint's vector where there is none.

        Keep the config's where both exist, and say so.
        """
        stored = state_dict.get(f"{prefix}vector")
        if stored is not None and self.vector.numel() == 0:
            device = self.target.device
            self.vector = torch.empty_like(stored, device=device)
            self.provenance = torch.empty_like(state_dict[f"{prefix}provenance"], device=device)
        elif stored is not None:
            if stored.numel():
                self._compare(stored, state_dict[f"{prefix}provenance"])
            # The config's stands in for the checkpoint's, whose shape may be another.
            for name in ("vector", "target", "provenance"):
                state_dict[f"{prefix}{name}"] = getattr(self, name)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _compare(self, vector: Tensor, provenance: Tensor) -> None:
        """Say how a checkpoint's vector differs from the one in use, if it does."""
        theirs, ours = _read_provenance(provenance), _read_provenance(self.provenance)
        if vector.shape != self.vector.shape or theirs.clip_fingerprint != ours.clip_fingerprint:
            difference = f"is of another CLIP ({theirs.clip}, {len(vector)} components)"
        else:
            cosine = cosine_similarity(vector.to(self.vector), self.vector, dim=0).item()
            if cosine >= 1 - 1e-5:
                return
            difference = f"differs from the config's (cosine {cosine:.4f})"
        print_log(
            f"the checkpoint's residual vector {difference}: the config's is used",
            "current",
            logging.WARNING,
        )


def _read_provenance(stored: Tensor) -> Provenance:
    return Provenance(**json.loads(bytes(stored.cpu().numpy()).decode()))


@MODELS.register_module()
class CLIPIdentityLoss(CLIPLoss):
    """Keeps what the picture shows.

    `L_id = sum_batch sum_l w_l MSE(F_l(y), F_l(x))` (arXiv 2303.17569). `F_l` are the feature maps
    of a ModifiedResNet CLIP after the stem and after each of four stages. The loss sums over the
    batch, as the published code does, so that it grows with the batch size; in data-parallel
    training, with the batch of all processes together. Each frame of a clip is a picture of the
    batch.

    Args:
        layer_weights: `w_l`, five factors.
        compare_with_input: compare with the model's input, not with what the model hands over (in
            MMagic's models, the ground truth). MMagic does not hand the input to a pixel loss:
            :class:`rave_mm.engine.loss_inputs_hook.LossInputsHook` does.
        clip, loss_weight, channel_order, value_range: as in :class:`CLIPLoss`.

    Raises:
        ValueError: as in :class:`CLIPLoss`, or not five layer weights.
    """

    def __init__(
        self,
        layer_weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0, 0.5),
        clip: Mapping[str, Any] | None = None,
        loss_weight: float = 1.0,
        channel_order: str = "rgb",
        value_range: tuple[float, float] = (0.0, 1.0),
        compare_with_input: bool = False,
    ) -> None:
        super().__init__(clip, loss_weight, channel_order, value_range)
        if len(layer_weights) != 5:
            raise ValueError(
                f"layer_weights: got {len(layer_weights)}, expected 5: the stem and four stages"
            )
        self.layer_weights = tuple(layer_weights)
        self.compare_with_input = compare_with_input
        self.model_input: Tensor | None = None
        """The batch that the model has got, as `LossInputsHook` tells it."""

    def _load(self) -> None:
        super()._load()
        _ = self.clip.stages  # not every CLIP has them

    def forward(self, pred: Results, reference: Results) -> Tensor:
        """The weighted loss between enhanced and reference pictures. Scalar.

        Raises:
            RuntimeError: it is to compare with the input, which nobody told.
            ValueError: numbers of pictures that differ; pictures as in :meth:`CLIPLoss.batches`.
        """
        if self.compare_with_input:
            reference = self._told_input()
        values = [self._difference(*batch) for batch in self.batches(pred, reference)]
        # DDP averages the gradients of the processes, but the gradient of a sum over the joint
        # batch is their sum.
        processes = get_world_size() if self.training else 1
        return self.loss_weight * processes * torch.stack(values).mean()

    def _difference(self, rgb: Tensor, reference: Tensor | None) -> Tensor:
        if reference is None or len(reference) != len(rgb):
            raise ValueError(
                f"CLIPIdentityLoss got {len(rgb)} pictures and "
                f"{0 if reference is None else len(reference)} to compare them with; expected as "
                "many. A model that makes one frame of several cannot be compared with its input"
            )
        with torch.no_grad():
            expected = self.clip.feature_maps(reference)
        return identity_loss(self.clip.feature_maps(rgb), expected, self.layer_weights)

    def _told_input(self) -> Tensor:
        if self.model_input is None:
            raise RuntimeError(
                "CLIPIdentityLoss is to compare with the model's input, which MMagic does not hand "
                "over; add dict(type='LossInputsHook') to custom_hooks"
            )
        return self.model_input
