"""Image encoders that have no text tower: all that RAVE and a latent pair need.

timm has those of SigLIP, MobileCLIP, DINOv2 and others. What they were taught decides how well
light shows in their embeddings: look at it before you rely on it.
"""

from typing import Any

import timm
from open_clip.transform import PreprocessCfg
from timm.data.config import resolve_model_data_config
from torch import Tensor, nn

#: What such a model's name begins with.
TIMM = "timm:"


class ImageEncoder(nn.Module):
    """An image tower in the place of a CLIP: it has `visual` and `encode_image` and nothing else.

    Args:
        visual: pictures (N, 3, S, S) to embeddings (N, D).
    """

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def encode_image(self, images: Tensor) -> Tensor:
        """Embeddings (N, D), not normalised, of pictures (N, 3, S, S) that are."""
        return self.visual(images)


def build_image_encoder(name: str, pretrained: str | None) -> tuple[ImageEncoder, PreprocessCfg]:
    """Build an encoder of timm with its weights, less the classifier.

    Args:
        name: timm's, with its tag, such as "vit_base_patch16_siglip_224.webli".
        pretrained: the file of its weights; None to fetch what the tag names.

    Returns:
        The encoder, and how photos are prepared for it: as its own configuration says, but for
        timm's margin (`crop_pct`), which would hide the border of a photo.

    Raises:
        ValueError: timm does not know the name, or photos would not be square.
        OSError, RuntimeError: the weights could not be fetched, or do not fit.
    """
    if not timm.is_model(name):
        similar = timm.list_models(f"*{name.partition('.')[0].partition('_')[0]}*")[:8]
        raise ValueError(
            f"got the model {TIMM}{name}, which timm does not know; expected one of "
            f"timm.list_models(){' as ' + ', '.join(similar) if similar else ''}"
        )
    overlay: dict[str, Any] | None = None if pretrained is None else {"file": pretrained}
    network = timm.create_model(
        name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
    )
    told = resolve_model_data_config(network)
    height, width = told["input_size"][1:]
    if height != width:
        raise ValueError(f"{TIMM}{name}: got an encoder of {height}x{width}, expected square")
    preprocess = PreprocessCfg(
        size=height,
        mean=told["mean"],
        std=told["std"],
        interpolation=told["interpolation"],
        resize_mode="squash" if told["crop_mode"] == "squash" else "shortest",
    )
    return ImageEncoder(network), preprocess
