"""Ablation: an adversarial loss in place of the CLIP-Enhance loss.

A discriminator learns in turns with the network, not a pair, from the same photos. As many
iterations as CLIP-LIT has, were none of its phases prolonged.
"""

_base_ = "../clip_lit_baid_div2k.py"

_losses = _base_.model.losses
model = dict(
    _delete_=True,
    type="AdversarialEnhancer",
    generator=_base_.model.generator,
    # It judges patches of 93 pixels. What is normalised are its weights: were it its features, they
    # would not tell how bright a picture is.
    discriminator=dict(
        type="MultiLayerDiscriminator",
        in_channels=3,
        max_channels=256,
        num_convs=3,
        act_cfg=dict(type="LeakyReLU", negative_slope=0.2),
        with_out_convs=True,
        with_spectral_norm=True,
    ),
    losses=dict(
        reconstruction=_losses.reconstruction,
        # 0 for a result that passes for well-lit, 1 for one that does not, as S: hence its weight.
        guidance=dict(type="GANLoss", gan_type="lsgan", loss_weight=320.0),
        identity=_losses.identity,
        discrimination=dict(type="GANLoss", gan_type="lsgan"),
    ),
    data_preprocessor=_base_.model.data_preprocessor,
)
# Short turns, so that neither runs away; of 50, since the log has a line for every 50 iterations:
# each turn has its own.
train_cfg = dict(
    phases=[
        _base_.train_cfg.phases[1],
        dict(
            rounds=483,
            phases=[
                dict(
                    name="discrimination",
                    iterations=50,
                    losses=["discrimination"],
                    trains="discriminator",
                    loader="prompts",
                ),
                dict(name="enhancement", iterations=50, losses=["guidance", "identity"]),
            ],
        ),
    ]
)
optim_wrapper = dict(
    _delete_=True,
    constructor="MultiOptimWrapperConstructor",
    generator=_base_.optim_wrapper.generator,
    discriminator=dict(
        type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.5, 0.999))
    ),
)
