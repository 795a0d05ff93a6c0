"""RAVE (arXiv 2404.01889): a light-map U-Net, guided by a residual vector in CLIP space."""

_guidance_clip = dict(model="ViT-B-32-quickgelu", pretrained="openai")
_identity_clip = dict(model="RN101-quickgelu", pretrained="openai")

model = dict(
    type="BacklitEnhancer",
    generator=dict(type="LightMapUNet", start="normal", padding_mode="zeros"),
    losses=dict(
        reconstruction=dict(
            type="CLIPIdentityLoss",
            clip=_identity_clip,
            layer_weights=(1.0, 1.0, 1.0, 1.0, 1.0),
            loss_weight=25.0,
        ),
        guidance=dict(type="ResidualGuidanceLoss", clip=_guidance_clip, loss_weight=6 * 320.0),
        identity=dict(
            type="CLIPIdentityLoss",
            clip=_identity_clip,
            layer_weights=(1.0, 1.0, 1.0, 1.0, 0.5),
            loss_weight=0.9 * 25,
        ),
    ),
    data_preprocessor=dict(
        type="DataPreprocessor",
        mean=[0.0, 0.0, 0.0],
        std=[255.0, 255.0, 255.0],
        output_channel_order="RGB",
    ),
)
