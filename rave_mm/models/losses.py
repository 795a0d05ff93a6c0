"""RAVE's two losses as MMagic components.

The equations are in `rave_mm.functional`; here are settings and state. They are called
`(pred, reference)` as MMagic calls a pixel loss, so they serve as one in any of its models.
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
from rave_mm.residual import Provenance, ResidualVector, residual_from_folders

CHANNEL_ORDERS = ("rgb", "bgr")


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
        self.value_range = tuple(value_range)

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

    def to_rgb(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) as the model has it to RGB in [0, 1]."""
        black, white = self.value_range
        if (black, white) != (0.0, 1.0):
            images = (images - black) / (white - black)
        return images.flip(1) if self.channel_order == "bgr" else images


@MODELS.register_module()
class ResidualGuidanceLoss(CLIPLoss):
    """RAVE's guidance: `L_res = mean_batch (<f(y), v> - t)^2` (arXiv 2404.01889).

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

    def forward(self, pred: Tensor, reference: Tensor | None = None) -> Tensor:
        """The weighted guidance of enhanced pictures (N, 3, H, W). Scalar.

        `reference` is not looked at.

        Raises:
            RuntimeError: there is no residual vector yet.
            ValueError: a checkpoint brought the residual vector of another CLIP.
        """
        if not self._fits_clip:
            self._check_clip(self.residual.provenance)
        embeddings = self.clip.embed(self.to_rgb(pred))
        return self.loss_weight * residual_guidance_loss(embeddings, self.vector, self.target)

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
    training, with the batch of all processes together.

    Args:
        layer_weights: `w_l`, five factors.
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
    ) -> None:
        super().__init__(clip, loss_weight, channel_order, value_range)
        if len(layer_weights) != 5:
            raise ValueError(
                f"layer_weights: got {len(layer_weights)}, expected 5: the stem and four stages"
            )
        self.layer_weights = tuple(layer_weights)

    def _load(self) -> None:
        super()._load()
        _ = self.clip.stages  # not every CLIP has them

    def forward(self, pred: Tensor, reference: Tensor) -> Tensor:
        """The weighted loss between (N, 3, H, W) enhanced and reference pictures. Scalar."""
        with torch.no_grad():
            expected = self.clip.feature_maps(self.to_rgb(reference))
        found = self.clip.feature_maps(self.to_rgb(pred))
        # DDP averages the gradients of the processes, but the gradient of a sum over the joint
        # batch is their sum.
        processes = get_world_size() if self.training else 1
        return self.loss_weight * processes * identity_loss(found, expected, self.layer_weights)
