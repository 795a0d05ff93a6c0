"""A GAN whose own losses stay: SRGAN. RAVE's are in its pixel loss.

The model logs `loss_pix`, the sum, and `loss_gan`; the sum logs its terms.
"""

_base_ = "esrgan_psnr.py"

model = dict(
    type="SRGAN",
    generator=dict(
        _delete_=True,
        type="MSRResNet",
        in_channels=3,
        out_channels=3,
        mid_channels=16,
        num_blocks=2,
        upscale_factor=4,
    ),
    discriminator=dict(type="ModifiedVGG", in_channels=3, mid_channels=8),
    gan_loss=dict(
        type="GANLoss",
        gan_type="vanilla",
        loss_weight=5e-3,
        real_label_val=1.0,
        fake_label_val=0,
    ),
)
optim_wrapper = dict(
    _delete_=True,
    constructor="MultiOptimWrapperConstructor",
    generator=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3)),
    discriminator=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4)),
)
