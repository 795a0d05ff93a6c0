"""CLIP-LIT's model: a network and the pair that guides it, trained in turns."""

import copy
from typing import Any

import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from torch import Tensor, nn
from typing_extensions import Unpack

from rave_mm.enhancers.turns import (
    EnhancerSettings,
    TrainingPhase,
    TurnsEnhancer,
    check_well_lit,
    result_of,
)
from rave_mm.losses.clip_loss import CLIPLoss
from rave_mm.losses.prompt_losses import CLIPEnhanceLoss, PromptLoss
from rave_mm.losses.prompt_pairs import Pair
from rave_mm.networks.published_checkpoints import adopt_published_keys


@MODELS.register_module()
class PromptGuidedEnhancer(TurnsEnhancer):
    """Enhances backlit photos, guided by a pair that is learned as well.

    CLIP-LIT (arXiv 2303.17569) with a `PromptPair`, CLIP-LIT-Latent (arXiv 2404.01889, section 3.2)
    with a `LatentPair`. Which of its two parts a term teaches follows from the term's class:

    * a `PromptLoss` teaches the pair. It gets the vectors of the pair, backlit photos, well-lit
      ones, and the network's results of the backlit ones.
    * Any other teaches the network. It is called `(enhanced, backlit)`; a `CLIPEnhanceLoss` that
      has no pair of its own also gets this model's, as it stands.

    A phase that trains the generator with a `CLIPEnhanceLoss` is an *enhancement phase*. The
    results are `I_t`, by the network as the last of them left it, and `I_{t-1}`, by the network as
    the one before left it, of which the model keeps a snapshot. Before the first there is no
    result, after the first there is `I_t` alone.

    The well-lit photos are a second input, `ref`, since MMagic's preprocessor brings inputs to RGB
    in [0, 1] whatever else is there. A pipeline for the pair::

        dict(type="LoadPhoto", key="img"), dict(type="LoadPhoto", key="ref"),
        ...
        dict(type="PackInputs", keys=["img", "ref"], meta_keys=["ref_path", "ref_channel_order"]),

    Args:
        generator: as in `BacklitEnhancer`.
        pair: config of a `PromptPair` or a `LatentPair`.
        settings: the others of `BacklitEnhancer`, but for `paired_losses`.

    Raises:
        FloatingPointError: a loss is not finite; it names the terms, the iteration and the photos.
        ValueError: a loss that uses the pair sees with another CLIP than the pair's; told when
            training starts.
    """

    enhancements_begun: Tensor
    enhancements_done: Tensor

    def __init__(
        self,
        generator: dict[str, Any],
        pair: dict[str, Any],
        **settings: Unpack[EnhancerSettings],
    ) -> None:
        super().__init__(generator, **settings)
        self.pair: Pair = MODELS.build(pair)
        # Always there, so that checkpoints always have the same keys.
        self.snapshot: nn.Module = copy.deepcopy(self.generator).requires_grad_(False)
        self.snapshot.is_init = True  # nothing that MMEngine should start: it will be a copy
        self.register_buffer("enhancements_begun", torch.zeros((), dtype=torch.int64))
        self.register_buffer("enhancements_done", torch.zeros((), dtype=torch.int64))

    def init_weights(self) -> None:
        """Start, and check that all look through the same CLIP."""
        super().init_weights()
        ours = self.pair.clip
        for name, loss in self.losses.items():
            if not isinstance(loss, CLIPLoss) or not _uses_the_pair(loss):
                continue
            if loss.clip.fingerprint != ours.fingerprint:
                raise ValueError(
                    f"losses.{name}: got the CLIP {loss.clip.name}, expected {ours.name}, the "
                    "pair's: the pair's vectors mean nothing to another CLIP"
                )

    def check_phase(self, phase: TrainingPhase) -> None:
        """Whether the model can train in this phase.

        Raises:
            ValueError: losses that it does not have, a phase that trains neither generator nor
                pair, or a loss that does not teach what the phase trains.
        """
        self._check_losses(phase.losses)
        if phase.trains not in ("generator", "pair"):
            raise ValueError(f"got trains={phase.trains!r}, expected 'generator' or 'pair'")
        for name in phase.losses:
            taught = "pair" if isinstance(self.losses[name], PromptLoss) else "generator"
            if taught != phase.trains:
                raise ValueError(
                    f"the loss {name!r} teaches the {taught}, but the phase trains the "
                    f"{phase.trains}"
                )

    def start_phase(self, phase: TrainingPhase) -> None:
        """Train in this phase from now on. Where it is being resumed, that changes nothing.

        Raises:
            ValueError: as :meth:`check_phase`.
        """
        self.check_phase(phase)
        self.activate_losses(phase.losses)
        if not self._is_enhancement(phase):
            # The one before is over, also where a checkpoint was written before it was finished.
            self.enhancements_done.copy_(self.enhancements_begun)
        elif self.enhancements_begun == self.enhancements_done:  # or it is being resumed
            self.snapshot.load_state_dict(self.generator.state_dict())
            self.enhancements_begun += 1

    def finish_phase(self, phase: TrainingPhase) -> None:
        """The phase is over: of an enhancement phase, there is a result from now on."""
        if self._is_enhancement(phase):
            self.enhancements_done.copy_(self.enhancements_begun)

    def _is_enhancement(self, phase: TrainingPhase) -> bool:
        guided = any(isinstance(self.losses[name], CLIPEnhanceLoss) for name in phase.losses)
        return phase.trains == "generator" and guided

    def forward_train(
        self,
        inputs: Tensor,
        data_samples: DataSample | None = None,
        well_lit: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The active terms as `loss_NAME`, and what else is logged.

        Raises:
            ValueError: a term that teaches the pair, and no well-lit photos, or photos of which it
                is not known whether they are RGB.
        """
        for_pair = [n for n in self.active_losses if isinstance(self.losses[n], PromptLoss)]
        if not for_pair:
            return super().forward_train(inputs, data_samples)
        check_well_lit(well_lit, data_samples, "pair")
        for_network = [name for name in self.active_losses if name not in for_pair]
        values = self._network_values(inputs, for_network) if for_network else {}
        pair = self.pair()
        results = self._results(inputs, max(self.losses[name].max_results for name in for_pair))
        for name in for_pair:
            values[f"loss_{name}"] = self.losses[name](pair, inputs, well_lit, results)
        self._check_finite(values, data_samples)
        return values

    def _network_term(self, name: str, enhanced: Tensor, reference: Tensor) -> Tensor:
        loss = self.losses[name]
        if isinstance(loss, CLIPEnhanceLoss) and _uses_the_pair(loss):
            with torch.no_grad():
                pair = self.pair()
            return loss(enhanced, reference, pair=pair)
        return super()._network_term(name, enhanced, reference)

    def _results(self, photos: Tensor, most: int) -> tuple[Tensor, ...]:
        """The newest results of the photos, oldest first: as many as there are, at most `most`."""
        networks = (self.snapshot, self.generator)
        count = min(most, int(self.enhancements_done), len(networks))
        return tuple(result_of(network, photos) for network in networks[len(networks) - count :])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        adopt_published_keys(state_dict, prefix)
        if not any(key.startswith(f"{prefix}snapshot.") for key in state_dict):
            # The checkpoint of another model, which kept none.
            for key, value in self.state_dict().items():
                if key.startswith(("snapshot.", "enhancements_")):
                    state_dict[prefix + key] = value
        super()._load_from_state_dict(state_dict, prefix, *args)


def _uses_the_pair(loss: nn.Module) -> bool:
    """Whether a loss is handed the model's pair."""
    if isinstance(loss, CLIPEnhanceLoss):
        return loss.pair_file is None
    return isinstance(loss, PromptLoss)
