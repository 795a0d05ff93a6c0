"""What models share that train another part in turns with the network."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict

import torch
from mmagic.structures import DataSample
from torch import Tensor, nn

from rave_mm.enhancers.backlit_enhancer import BacklitEnhancer
from rave_mm.functional import apply_light_map


class TrainingPhase(Protocol):
    """What a model wants to know of a phase."""

    @property
    def name(self) -> str: ...

    @property
    def trains(self) -> str: ...

    @property
    def losses(self) -> Sequence[str]: ...


class EnhancerSettings(TypedDict, total=False):
    """What a `TurnsEnhancer` hands on to `BacklitEnhancer`, which explains it."""

    losses: Mapping[str, dict[str, Any]] | None
    train_cfg: dict[str, Any] | None
    test_cfg: dict[str, Any] | None
    init_cfg: dict[str, Any] | None
    data_preprocessor: dict[str, Any] | None


class TurnsEnhancer(BacklitEnhancer):
    """A `BacklitEnhancer` that trains another part in turns with its network.

    What it trains on may have well-lit photos beside the backlit ones, as a second input, `ref`.
    """

    def forward(
        self,
        inputs: Tensor | dict[str, Tensor],
        data_samples: DataSample | None = None,
        mode: str = "tensor",
    ) -> Tensor | list[DataSample] | dict[str, Tensor]:
        """As `BacklitEnhancer`'s, with inputs `img` (backlit) and `ref` (well-lit) for the loss."""
        if mode == "loss" and isinstance(inputs, dict):
            return self.forward_train(inputs["img"], data_samples, inputs.get("ref"))
        return super().forward(inputs, data_samples, mode)

    @abstractmethod
    def forward_train(
        self,
        inputs: Tensor,
        data_samples: DataSample | None = None,
        well_lit: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The active terms as `loss_NAME`, and what else is logged."""
        return super().forward_train(inputs, data_samples)


@torch.no_grad()
def result_of(network: nn.Module, photos: Tensor) -> Tensor:
    """The network's results of backlit photos, as in a test. No gradient reaches it.

    Args:
        network: its light maps (N, 1, H, W) are of the photos.
        photos: (N, 3, H, W), RGB in [0, 1].

    Returns:
        (N, 3, H, W), RGB in [0, 1].
    """
    was_training = network.training
    network.eval()  # as its result will be; and nothing in it learns from these photos
    result = apply_light_map(photos, network(photos))
    network.train(was_training)
    return result


def check_well_lit(well_lit: Tensor | None, data_samples: DataSample | None, taught: str) -> None:
    """Whether there are well-lit photos beside the backlit ones, and known to be RGB.

    Args:
        well_lit: the batch's input `ref`, if it has one.
        data_samples: the batch's data sample, as the preprocessor stacks it.
        taught: what the photos are to teach, for the message.

    Raises:
        ValueError: there are none, or MMagic's preprocessor took them for BGR.
    """
    what_to_do = (
        "load them with dict(type='LoadPhoto', key='ref') and pack them with dict(type="
        "'PackInputs', keys=['img', 'ref'], meta_keys=['ref_path', 'ref_channel_order'])"
    )
    if well_lit is None:
        raise ValueError(
            "got backlit photos alone, expected well-lit ones too, to teach the "
            f"{taught}: {what_to_do}"
        )
    if data_samples is not None and "ref_channel_order" not in data_samples.metainfo_keys():
        raise ValueError(
            "the well-lit photos do not tell their channel order, so MMagic took them for BGR: "
            f"{what_to_do}"
        )
