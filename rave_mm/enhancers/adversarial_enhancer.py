"""CLIP-LIT's ablation without CLIP in its guidance: a discriminator guides the network."""

from typing import Any

from mmagic.models.losses import GANLoss
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from torch import Tensor
from typing_extensions import Unpack

from rave_mm.enhancers.turns import (
    EnhancerSettings,
    TrainingPhase,
    TurnsEnhancer,
    check_well_lit,
    result_of,
)


@MODELS.register_module()
class AdversarialEnhancer(TurnsEnhancer):
    """Enhances backlit photos, guided by a discriminator that is learned as well.

    CLIP-LIT (arXiv 2303.17569) with an adversarial loss in place of its CLIP-Enhance loss. A term
    that is a `GANLoss` of MMagic teaches what the phase trains, by the discriminator `D`:

    * the generator with `loss_weight * l(D(y), real)`, `y` being its results of backlit photos;
    * the discriminator with `(l(D(r), real) + l(D(y), fake)) / 2`, `r` being well-lit photos. Here
      MMagic's loss leaves its weight out.

    Any other term teaches the generator and is called `(enhanced, backlit)`. The well-lit photos
    are a second input, `ref`, as for
    :class:`rave_mm.enhancers.prompt_enhancer.PromptGuidedEnhancer`; only phases that train the
    discriminator look at them.

    While the generator learns, the gradient goes through the discriminator; `PhasedTrainLoop` keeps
    it out of the discriminator's weights.

    Args:
        generator: as in `BacklitEnhancer`.
        discriminator: config of the discriminator; (N, 3, H, W) RGB in [0, 1] to scores of any
            shape. Pictures of all the sizes that the loaders give must fit.
        settings: the others of `BacklitEnhancer`, but for `paired_losses`.

    Raises:
        FloatingPointError: a loss is not finite; it names the terms, the iteration and the photos.
        ValueError: a `GANLoss` that needs masks.
    """

    def __init__(
        self,
        generator: dict[str, Any],
        discriminator: dict[str, Any],
        **settings: Unpack[EnhancerSettings],
    ) -> None:
        super().__init__(generator, **settings)
        self.discriminator = MODELS.build(discriminator)
        self._trains = "generator"
        for name, loss in self.losses.items():
            if isinstance(loss, GANLoss) and loss.gan_type == "smgan":
                raise ValueError(
                    f"losses.{name}: got gan_type='smgan', which needs a mask of each picture, "
                    "expected 'vanilla', 'lsgan', 'wgan', 'hinge' or 'l1'"
                )

    def check_phase(self, phase: TrainingPhase) -> None:
        """Whether the model can train in this phase.

        Raises:
            ValueError: losses that it does not have, a phase that trains neither generator nor
                discriminator, or one that trains the discriminator with another loss than GANLoss.
        """
        self._check_losses(phase.losses)
        if phase.trains not in ("generator", "discriminator"):
            raise ValueError(
                f"got trains={phase.trains!r}, expected 'generator' or 'discriminator'"
            )
        for name in phase.losses:
            if phase.trains == "discriminator" and not isinstance(self.losses[name], GANLoss):
                raise ValueError(
                    f"the loss {name!r} teaches the generator, but the phase trains the "
                    "discriminator, which takes a GANLoss"
                )

    def start_phase(self, phase: TrainingPhase) -> None:
        """Train in this phase from now on.

        Raises:
            ValueError: as :meth:`check_phase`.
        """
        self.check_phase(phase)
        self.activate_losses(phase.losses)
        self._trains = phase.trains

    def forward_train(
        self,
        inputs: Tensor,
        data_samples: DataSample | None = None,
        well_lit: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The active terms as `loss_NAME`, and perhaps `psnr`.

        Raises:
            ValueError: the phase trains the discriminator, and there are no well-lit photos, or
                photos of which it is not known whether they are RGB.
        """
        if self._trains == "generator":
            return super().forward_train(inputs, data_samples)
        check_well_lit(well_lit, data_samples, "discriminator")
        real = self.discriminator(well_lit)
        fake = self.discriminator(result_of(self.generator, inputs))
        values = {}
        for name in self.active_losses:
            loss = self.losses[name]
            both = loss(real, True, is_disc=True) + loss(fake, False, is_disc=True)
            values[f"loss_{name}"] = both / 2
        self._check_finite(values, data_samples)
        return values

    def _network_term(self, name: str, enhanced: Tensor, reference: Tensor) -> Tensor:
        loss = self.losses[name]
        if isinstance(loss, GANLoss):
            return loss(self.discriminator(enhanced), True)
        return super()._network_term(name, enhanced, reference)
