"""What CLIP-LIT and CLIP-LIT-Latent learn beside the network, and its files.

A pair is two vectors in CLIP space: row 0 negative (backlit), row 1 positive (well-lit). CLIP-LIT
(arXiv 2303.17569) encodes them from two learned prompts, CLIP-LIT-Latent (RAVE, arXiv 2404.01889,
section 3.2) learns them themselves.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmagic.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import normalize

from rave_mm.clip.encoder import FrozenCLIP, load_clip
from rave_mm.clip.sizes import clip_sizes
from rave_mm.losses.pair_files import (
    FINGERPRINT_BYTES,
    SUFFIXES,
    StoredPair,
    fingerprint_bytes,
    fingerprint_text,
    read_pair,
    write_pair,
)
from rave_mm.runtime.first_process import first_process_first

OWN_LAYOUT = "rave_mm"
#: The tokens of the papers' prompts between start and end.
PUBLISHED_LENGTH = 16
# Of random token embeddings; what CLIP's own had before its training.
_RANDOM_STD = 0.02


class Pair(BaseModule):
    """What both pairs share: the CLIP, files, and the check that they belong together.

    The parameter has its shape when the module is built, for which open_clip's description of the
    CLIP is enough; its weights are loaded when training starts (`init_weights`) or at the first
    call, and the start is written into the parameter then. So an optimizer and DDP, which are built
    before, find a parameter, and testing a checkpoint needs no CLIP weights. (Only
    `clip=dict(model="openai", ...)` is loaded at once: its sizes are in its weights.) Random
    starts are drawn when the module is built, from PyTorch's global generator.

    A checkpoint carries the pair and the fingerprint of its CLIP; with another CLIP it is refused.
    """

    #: Key of the parameter by layout of file.
    keys: ClassVar[Mapping[str, str]]
    fingerprint: Tensor

    def __init__(self, clip: Mapping[str, Any] | None, start: str, starts: Sequence[str]) -> None:
        super().__init__()
        self.start_file = None if start in starts else Path(start)
        if self.start_file is not None and self.start_file.suffix not in SUFFIXES:
            raise ValueError(
                f"start: got {start!r}, expected {', '.join(map(repr, starts))}, or a file "
                f"({', '.join(SUFFIXES)})"
            )
        self.clip_settings = dict(clip or {})
        # Zeros: not known.
        self.register_buffer("fingerprint", torch.zeros(FINGERPRINT_BYTES, dtype=torch.uint8))
        self._has_begun = self._fits_clip = False

    @property
    def clip(self) -> FrozenCLIP:
        """The CLIP, shared with every loss of the same settings."""
        return load_clip(**self.clip_settings)

    @property
    def values(self) -> nn.Parameter:
        """What is learned."""
        return getattr(self, self.keys[OWN_LAYOUT])

    def init_weights(self) -> None:
        """Start, so that what is missing is told before training does."""
        super().init_weights()
        with first_process_first():
            self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        if self.start_file is not None:
            self._take(read_pair(self.start_file, list(self.keys.values())))
        else:
            self._take_start()
        self.fingerprint.copy_(fingerprint_bytes(self.clip.fingerprint))
        self._has_begun = self._fits_clip = True

    def _take_start(self) -> None:
        """Write the start, where it is no file, into what is learned."""

    def _take(self, stored: StoredPair) -> None:
        """Write a file's pair into what is learned."""
        self._check_shape(stored.values, f"{self.start_file} holds a pair")
        self._check_clip(stored.fingerprint, f"the pair in {self.start_file}")
        self.values.copy_(stored.values)

    def _make_ready(self) -> None:
        if not self._has_begun:
            self._begin()
        if not self._fits_clip:
            self._check_clip(self.fingerprint, "the checkpoint's pair")
            self._fits_clip = True

    def _check_shape(self, values: Tensor, what: str) -> None:
        if values.shape != self.values.shape:
            raise ValueError(
                f"{what} of shape {tuple(values.shape)}, which fits {_fitting(values.shape)}; "
                f"expected {tuple(self.values.shape)}, for {_fitting(self.values.shape)}: name the "
                "CLIP that it was learned with"
            )

    def _check_clip(self, fingerprint: Tensor, what: str) -> None:
        theirs, clip = fingerprint_text(fingerprint), self.clip
        if theirs and theirs != clip.fingerprint:
            raise ValueError(
                f"{what} was learned with another CLIP ({theirs}) than {clip.name} "
                f"({clip.fingerprint}); name that CLIP, or start anew"
            )

    def export(self, path: str | Path, layout: str = OWN_LAYOUT) -> None:
        """Write the pair to a file; nothing is left half-written.

        Args:
            path: ends in .pth or .pt.
            layout: "rave_mm", with where it comes from; or a published layout, whose files do
                not tell where a prompt ends.

        Raises:
            ValueError: another suffix or layout, or one whose readers would take the prompts for
                others.
        """
        path = Path(path)
        if path.suffix not in SUFFIXES or layout not in self.keys:
            raise ValueError(
                f"got {path} in layout {layout!r}, expected a name that ends in "
                f"{' or '.join(SUFFIXES)}, and one of {', '.join(self.keys)}"
            )
        self._make_ready()
        content: dict[str, Any] = {f"module.{self.keys[layout]}": self.values.detach().cpu()}
        if layout == OWN_LAYOUT:
            content = {name: value.cpu() for name, value in self.state_dict().items()}
            content["clip"] = self.clip.name
            content["date"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        else:
            self._check_published()
        write_pair(path, content)

    def _check_published(self) -> None:
        """Refuse what published code would misread."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        values = state_dict.get(f"{prefix}{self.keys[OWN_LAYOUT]}")
        if values is not None:
            self._check_shape(values, "the checkpoint holds a pair")
            self._has_begun, self._fits_clip = True, False
        super()._load_from_state_dict(state_dict, prefix, *args)


@MODELS.register_module()
class PromptPair(Pair):
    """CLIP-LIT's prompt pair: learned token embeddings, read through CLIP's text tower.

    A prompt is start token, what `start` says, end token, padding; all of it is learned.

    Args:
        clip: settings of :func:`rave_mm.clip.encoder.load_clip`; None for the bundled CLIP.
        start: "X", the papers': `length` times "X"; "random": `length` random tokens, and `words`
            behind them if given; "words": `words` alone; or a file (.pth, .pt): what
            :meth:`export` wrote, CLIP-LIT's `init_prompt_pair.pth`, RAVE's, or a checkpoint.
        length: tokens between start and end. It is also where published files, which do not tell,
            are taken to end.
        words: (backlit, well-lit), such as ("low light", "normal light").

    Raises:
        TypeError: the CLIP has no text tower that takes prompts; told now or when training starts.
        ValueError: settings that contradict one another; a prompt that is longer than the context;
            a file that holds no such pair, or one of another CLIP.
    """

    keys = {
        OWN_LAYOUT: "embedding",
        "clip_lit": "embedding_prompt",
        "rave": "prompt_embedding",
    }
    end: Tensor

    def __init__(
        self,
        clip: Mapping[str, Any] | None = None,
        start: str = "X",
        length: int = PUBLISHED_LENGTH,
        words: Sequence[str] | None = None,
    ) -> None:
        super().__init__(clip, start, ("X", "random", "words"))
        if (start == "words" and words is None) or (words and start not in ("random", "words")):
            raise ValueError(
                f"got start={start!r} with words={words}; expected words with start='words', and "
                "with no other start but 'random'"
            )
        if words is not None and (isinstance(words, str) or len(words) != 2):
            raise ValueError(f"words: got {words!r}, expected two texts: (backlit, well-lit)")
        sizes = clip_sizes(**self.clip_settings).prompt
        if sizes is None:
            raise TypeError(
                f"{self.clip_settings}: this CLIP has no text tower that takes token embeddings, "
                "which a PromptPair needs; name another CLIP, or use a LatentPair"
            )
        if not 1 <= length <= sizes[0] - 2:
            raise ValueError(
                f"length: got {length}, expected 1 to {sizes[0] - 2}, the context of the CLIP less "
                "a start and an end token"
            )
        self.start, self.length, self.words = start, length, words
        random = start == "random"
        self.embedding = nn.Parameter(
            torch.randn(2, *sizes) * _RANDOM_STD if random else torch.zeros(2, *sizes)
        )
        self.register_buffer("end", torch.zeros(2, dtype=torch.int64))

    def forward(self) -> Tensor:
        """The unit vectors (2, D): row 0 negative (backlit), row 1 positive (well-lit)."""
        self._make_ready()
        return self.clip.embed_prompts(self.embedding, self.end)

    def _take_start(self) -> None:
        # An X keeps the place of each random token.
        places = " ".join("X" * self.length) if self.start != "words" else ""
        texts = [f"{places} {word}" for word in self.words or ("", "")]
        begun, end = self.clip.token_embeddings(texts)
        learned = slice(1, 1 + self.length)
        if self.start == "random":
            begun[:, learned] = self.embedding[:, learned].to(begun)
        self.embedding.copy_(begun)
        self.end.copy_(end)

    def _take(self, stored: StoredPair) -> None:
        super()._take(stored)
        self.end.copy_(torch.full((2,), self.length + 1) if stored.end is None else stored.end)

    def _check_published(self) -> None:
        ends = self.end.tolist()
        if ends != [PUBLISHED_LENGTH + 1] * 2:
            raise ValueError(
                f"the prompts end at {ends}, but published code reads them at "
                f"{PUBLISHED_LENGTH + 1}, behind {PUBLISHED_LENGTH} tokens; export them in layout "
                f"{OWN_LAYOUT!r}"
            )


@MODELS.register_module()
class LatentPair(Pair):
    """CLIP-LIT-Latent's pair: two learned vectors in CLIP space. It needs no text tower.

    Args:
        clip: settings of :func:`rave_mm.clip.encoder.load_clip`; None for the bundled CLIP.
        start: "normal", the paper's: standard normal; or a file (.pth, .pt): what :meth:`export`
            wrote, RAVE's, or a checkpoint.

    Raises:
        ValueError: a file that holds no such pair, or one of another CLIP.
    """

    keys = {OWN_LAYOUT: "vectors", "rave": "guidance_embeddings"}

    def __init__(self, clip: Mapping[str, Any] | None = None, start: str = "normal") -> None:
        super().__init__(clip, start, ("normal",))
        self.vectors = nn.Parameter(torch.randn(2, clip_sizes(**self.clip_settings).dimension))

    def forward(self) -> Tensor:
        """The unit vectors (2, D): row 0 negative (backlit), row 1 positive (well-lit)."""
        self._make_ready()
        return normalize(self.vectors.float(), dim=1)


def pair_from_file(path: str | Path, clip: Mapping[str, Any]) -> Pair:
    """The pair of a file, whichever of the two it holds.

    Args:
        path: the file, as for the `start` of either.
        clip: settings of :func:`rave_mm.clip.encoder.load_clip`.
    """
    kinds = {key: kind for kind in (PromptPair, LatentPair) for key in kind.keys.values()}
    stored = read_pair(path, list(kinds))
    kind = PromptPair if stored.values.ndim == 3 else LatentPair
    return kind(clip=clip, start=str(path))


def _fitting(shape: Sequence[int]) -> str:
    """What CLIP a pair of this shape belongs to, in words."""
    if len(shape) == 3:
        return f"a CLIP with a context of {shape[1]} tokens of width {shape[2]}"
    return f"a CLIP with embeddings of {shape[-1]} components"
