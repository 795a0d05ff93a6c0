"""RAVE's guidance by a residual vector, as an MMagic loss."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from mmagic.registry import MODELS
from mmengine.logging import print_log
from torch import Tensor
from torch.nn.functional import cosine_similarity

from rave_mm.direction.residual_vector import Provenance, ResidualVector, residual_from_folders
from rave_mm.functional import residual_guidance_loss
from rave_mm.losses.clip_loss import CLIPLoss
from rave_mm.losses.pictures import Results


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
            :func:`rave_mm.direction.residual_vector.residual_from_folders`. None where a
            checkpoint brings it.
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
        # Without the time, so that equal trainings write equal checkpoints.
        text = json.dumps(asdict(replace(residual.provenance, date=""))).encode()
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
