"""The image tower of a CLIP that is asked and never taught."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transform import image_transform_v2
from open_clip.transformer import VisionTransformer
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from typing_extensions import Self

from rave_mm.clip.bundled import BUNDLED
from rave_mm.clip.cuda_graph import GraphedFunction
from rave_mm.clip.fingerprint import fingerprint
from rave_mm.clip.frozen_tower import speed_up
from rave_mm.clip.weights import build_clip
from rave_mm.functional import clip_input

PRECISIONS = ("float32", "bfloat16")


class FrozenImageTower:
    """An open_clip model, or an image encoder, for embeddings and feature maps of pictures.

    It is no `nn.Module` on purpose: a model that uses it neither trains it, nor puts it in train
    mode, nor saves it in its checkpoints, nor hands it to an optimizer or to DDP, and a copy of
    the model shares it. Gradients reach what it is asked about, and nothing else.

    Args:
        model: open_clip's name of the architecture, `local-dir:FOLDER`, `hf-hub:OWNER/REPO`,
            "lighting-clip", the bundled one; or `timm:NAME`, an image encoder without a text tower.
        pretrained: open_clip's name of the weights, or their file; None where the model holds its
            own, and to fetch timm's.
        precision: "float32", or "bfloat16" for autocast to it (never float16, which overflows
            here).
        antialias: whether tensors are resized with antialias; the published losses do without.

    Attributes:
        prepare_photo: CLIP's own preprocessing of a PIL photo to (3, S, S) on the CPU. For OpenAI's
            models it is bicubic to a short side of S, centre crop, mean and std.
        fingerprint: A hash of the image tower and of what is done to an image before it.

    Raises:
        ValueError: an unknown precision.
        MissingWeightsError: no weights to be found; it says where they come from and where to put
            them.
    """

    def __init__(
        self,
        model: str = BUNDLED,
        pretrained: str | None = None,
        precision: str = "float32",
        antialias: bool = False,
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(
                f"precision: got {precision!r}, expected one of {', '.join(PRECISIONS)}"
            )
        self.name = model if pretrained is None else f"{model}/{pretrained}"
        self.precision = precision
        self.antialias = antialias
        self._model: Any  # open_clip has several classes, alike in the names of their parts
        self._model, self._preprocess = build_clip(model, pretrained)
        self._model.requires_grad_(False)
        self.mean = tuple(self._preprocess.mean)
        self.std = tuple(self._preprocess.std)
        size = self._preprocess.size
        self.image_size = size if isinstance(size, int) else size[0]
        self.prepare_photo: Callable[[Image.Image], Tensor] = image_transform_v2(
            self._preprocess, is_train=False
        )
        photo = self._preprocess
        before = (self.image_size, self.mean, self.std, photo.interpolation, photo.resize_mode)
        self.fingerprint = fingerprint(self._model.visual, *before, photo.fill_color)
        speed_up(self._model.visual)  # after its weights were hashed as they are in the file
        # What other towers do may depend on values.
        recordable = isinstance(self._model.visual, ModifiedResNet | VisionTransformer)
        self._encode = GraphedFunction(self._encode_images, recordable)
        self._map = GraphedFunction(self._map_stages, recordable)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @functools.cached_property
    @torch.no_grad()
    def dimension(self) -> int:
        """D, the number of components of an embedding."""
        size = (1, 3, self.image_size, self.image_size)
        return self.embed(torch.zeros(size, device=self._device)).shape[1]

    @property
    def _device(self) -> torch.device:
        return next(self._model.parameters()).device

    def embed(self, images: Tensor) -> Tensor:
        """Unit embeddings `f(x) = E(x)/|E(x)|`.

        Shape:
            images (N, 3, H, W), RGB in [0, 1], any size; returns (N, D), float32.
        """
        return self.embed_prepared(self._prepare(images))

    def embed_prepared(self, images: Tensor) -> Tensor:
        """:meth:`embed` for what `prepare_photo` made: (N, 3, S, S), normalised."""
        (embeddings,) = self._encode(images)
        return normalize(embeddings, dim=-1)

    def _encode_images(self, images: Tensor) -> tuple[Tensor]:
        with self._at_precision(images):
            return (self._model.encode_image(images).float(),)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """The five feature maps of the identity loss.

        They are taken after the stem's average pool, and after each stage.

        Shape:
            images (N, 3, H, W), RGB in [0, 1], any size; returns five tensors (N, C_l, H_l, W_l),
            float32.

        Raises:
            TypeError: the image tower has no :attr:`stages`.
        """
        _ = self.stages
        return list(self._map(self._prepare(images)))

    def _map_stages(self, x: Tensor) -> tuple[Tensor, ...]:
        maps = []
        with self._at_precision(x):
            for stage in self.stages:
                x = stage(x)
                maps.append(x.float())
        return tuple(maps)

    @property
    def visual(self) -> torch.nn.Module:
        """The image tower: prepared photos (N, 3, S, S) to embeddings that are not normalised."""
        return self._model.visual

    @property
    def stages(self) -> tuple[Callable[[Tensor], Tensor], ...]:
        """The stem and the four stages of the image tower, for :meth:`feature_maps`.

        Raises:
            TypeError: the image tower is no ModifiedResNet.
        """
        tower = self._model.visual
        if not isinstance(tower, ModifiedResNet):
            raise TypeError(
                f"{self.name}: its image tower is a {type(tower).__name__}, but the identity loss "
                "needs the stages of a ModifiedResNet; name such a CLIP, as "
                "model='RN101-quickgelu', pretrained='openai'"
            )
        return tower.stem, tower.layer1, tower.layer2, tower.layer3, tower.layer4

    def _prepare(self, images: Tensor) -> Tensor:
        return clip_input(
            images.float(), self.image_size, self.mean, self.std, antialias=self.antialias
        ).contiguous(memory_format=torch.channels_last)

    @contextmanager
    def _at_precision(self, tensor: Tensor) -> Iterator[None]:
        """Go where the tensor is; the precision holds inside any autocast of the training."""
        if self._device != tensor.device:
            self._model.to(tensor.device)
            self._encode.forget()
            self._map.forget()
        enabled = self.precision == "bfloat16"
        with torch.autocast(tensor.device.type, dtype=torch.bfloat16, enabled=enabled):
            yield
