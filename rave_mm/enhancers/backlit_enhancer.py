"""A light-map network, the losses that guide it, and how MMagic runs them.

It trains, validates and tests them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmagic.models import BaseEditModel
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.logging import MessageHub
from torch import Tensor

from rave_mm.enhancers.collapse import CollapseWatch
from rave_mm.functional import apply_light_map
from rave_mm.losses.clip_identity_loss import CLIPIdentityLoss
from rave_mm.losses.loss_terms import LossTerms
from rave_mm.networks.published_checkpoints import adopt_published_keys


@MODELS.register_module()
class BacklitEnhancer(BaseEditModel):
    """Enhances backlit photos.

    `y = clamp(x / (M + eps), 0, 1)` with the light map `M = generator(x)`.

    Every loss is a term with a name; each is logged as `loss_NAME`, and their sum is what is
    minimised. A schedule chooses which terms are active (:meth:`activate_losses`); without one, all
    are. Where the active terms only keep the photo as it is (`CLIPIdentityLoss`), as in a
    reconstruction phase, `psnr` is logged too: how close the result is to the photo, in dB. Where
    all results have been white, black or as the photos for long, a warning says so.

    Args:
        generator: config of the network; (N, 3, H, W) RGB in [0, 1] to light maps (N, 1, H, W).
        losses: config of each term by its name; a term is called `(enhanced, backlit)`. None for
            inference.
        train_cfg, test_cfg, init_cfg, data_preprocessor: as in MMagic's BaseEditModel. The
            preprocessor must hand over RGB in [0, 1]:
            `dict(type='DataPreprocessor', mean=[0, 0, 0], std=[255, 255, 255])`.
        paired_losses: names of the terms that compare with the ground truth: they are called
            `(enhanced, well_lit)`, with the data sample's `gt_img`.

    Raises:
        ValueError: `paired_losses` names a term that is not there, or there is no ground truth.
        FloatingPointError: a loss is not finite; it names the terms, the iteration and the photos.
    """

    def __init__(
        self,
        generator: dict[str, Any],
        losses: Mapping[str, dict[str, Any]] | None = None,
        train_cfg: dict[str, Any] | None = None,
        test_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        paired_losses: Sequence[str] = (),
    ) -> None:
        # BaseEditModel builds one pixel loss, but there are several terms here, or none.
        super(BaseEditModel, self).__init__(init_cfg=init_cfg, data_preprocessor=data_preprocessor)
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg
        self.generator = MODELS.build(generator)
        self.losses = LossTerms(losses or {})
        self.active_losses: tuple[str, ...] = tuple(self.losses)
        self.paired_losses = tuple(paired_losses)
        self._collapse = CollapseWatch()
        if paired_losses:
            self._check_losses(paired_losses)

    def activate_losses(self, names: Sequence[str]) -> None:
        """Minimise the sum of these terms from now on.

        Raises:
            ValueError: no name, or names that `losses` does not have.
        """
        self._check_losses(names)
        self.active_losses = tuple(names)

    def _check_losses(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in self.losses]
        if unknown or not names:
            raise ValueError(f"losses: got {list(names)}, expected some of {list(self.losses)}")

    def forward(
        self,
        inputs: Tensor | dict[str, Tensor],
        data_samples: DataSample | None = None,
        mode: str = "tensor",
    ) -> Tensor | list[DataSample] | dict[str, Tensor]:
        """MMEngine's three modes.

        Args:
            inputs: (N, 3, H, W), RGB in [0, 1]; alone or as `img` among several inputs.
            data_samples: the batch's data sample, as the preprocessor stacks it.
            mode: "tensor" for the enhanced pictures (N, 3, H, W) in [0, 1], "predict" for data
                samples with `output.pred_img`, "loss" for the terms.

        Raises:
            ValueError: an unknown mode.
        """
        if mode not in ("tensor", "predict", "loss"):
            raise ValueError(f"mode: got {mode!r}, expected 'tensor', 'predict' or 'loss'")
        return super().forward(inputs, data_samples, mode)

    def forward_tensor(self, inputs: Tensor, data_samples: DataSample | None = None) -> Tensor:
        """The enhanced pictures."""
        return apply_light_map(inputs, self.generator(inputs))

    def forward_train(
        self, inputs: Tensor, data_samples: DataSample | None = None
    ) -> dict[str, Tensor]:
        """The active terms as `loss_NAME`, and perhaps `psnr`."""
        if not self.active_losses:
            raise RuntimeError(
                f"{type(self).__name__} was built without losses, so it cannot be trained; give "
                "losses="
            )
        values = self._network_values(inputs, self.active_losses, data_samples)
        self._check_finite(values, data_samples)
        return values

    def _network_values(
        self, inputs: Tensor, names: Sequence[str], data_samples: DataSample | None = None
    ) -> dict[str, Tensor]:
        """Terms that teach the network as `loss_NAME`, and perhaps `psnr`."""
        enhanced = self.forward_tensor(inputs)
        is_reconstruction = all(isinstance(self.losses[name], CLIPIdentityLoss) for name in names)
        self._collapse.look(enhanced, inputs, may_stay=is_reconstruction)
        values = {}
        for name in names:
            paired = name in self.paired_losses
            reference = _ground_truth(name, data_samples) if paired else inputs
            values[f"loss_{name}"] = self._network_term(name, enhanced, reference)
        if is_reconstruction:
            values["psnr"] = _psnr(enhanced.detach(), inputs)
        return values

    def _network_term(self, name: str, enhanced: Tensor, reference: Tensor) -> Tensor:
        return self.losses[name](enhanced, reference)

    def _check_finite(
        self, values: Mapping[str, Tensor], data_samples: DataSample | None = None
    ) -> None:
        terms = {name: value for name, value in values.items() if name.startswith("loss_")}
        if not torch.isfinite(torch.stack(list(terms.values())).sum()):
            told = ", ".join(f"{name} {value.item():.4g}" for name, value in terms.items())
            photos = ", ".join(_photo_names(data_samples)) or "photos without names"
            iteration = MessageHub.get_current_instance().get_info("iter", None)
            raise FloatingPointError(
                f"the loss is not finite ({told}) at iteration {iteration} with {photos}; the "
                "step was not taken and no checkpoint was written. Lower the learning rate or look "
                "at these photos."
            )

    def convert_to_datasample(
        self, predictions: DataSample, data_samples: DataSample, inputs: Tensor | None
    ) -> list[DataSample]:
        """As MMagic's, and the input stands beside the prediction.

        So metrics can be had of both.
        """
        samples: list[DataSample] = super().convert_to_datasample(predictions, data_samples, inputs)
        for sample in samples:
            if "input" in sample:
                sample.output.set_data({"input": sample.input.cpu()})
        return samples

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        adopt_published_keys(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _ground_truth(name: str, data_samples: DataSample | None) -> Tensor:
    if data_samples is None or "gt_img" not in data_samples:
        raise ValueError(
            f"the loss {name!r} compares with the ground truth, but the batch has none: train on "
            "pairs (BacklitPairs), with dict(type='LoadPhoto', key='gt') in the pipeline"
        )
    return data_samples.gt_img


def _photo_names(data_samples: DataSample | None) -> list[str]:
    if data_samples is None:
        return []
    names: list[str] = []
    for key in ("img_path", "ref_path"):
        paths = data_samples.metainfo.get(key, [])
        names += [paths] if isinstance(paths, str) else paths
    return names


def _psnr(pictures: Tensor, photos: Tensor) -> Tensor:
    """The mean over a batch of each picture's PSNR in dB, at most 100."""
    errors = (pictures.float() - photos.float()).square().mean((1, 2, 3))
    return -10 * errors.clamp(min=1e-10).log10().mean()
