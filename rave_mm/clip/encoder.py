"""A CLIP that is asked and never taught."""

import functools
from collections.abc import Sequence
from typing import Any

import open_clip
import torch
from torch import Tensor
from torch.nn.functional import normalize

from rave_mm.clip.bundled import BUNDLED
from rave_mm.clip.fingerprint import fingerprint
from rave_mm.clip.image_tower import FrozenImageTower
from rave_mm.clip.prompts import TextTower, encode_prompts, find_text_tower


class FrozenCLIP(FrozenImageTower):
    """An open_clip model, or an image encoder, for embeddings of pictures and of texts.

    Args:
        model, pretrained, precision, antialias: as in :class:`FrozenImageTower`.
    """

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Unit embeddings of texts, (N, D), float32, on the device of the model.

        Raises:
            TypeError: there is no text tower.
        """
        if not hasattr(self._model, "encode_text"):
            raise TypeError(f"{self.name}: it has no text tower; name a CLIP that has one")
        tokens = self._tokenizer(list(texts)).to(self._device)
        return normalize(self._model.encode_text(tokens).float(), dim=-1)

    @torch.no_grad()
    def token_embeddings(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts as :meth:`embed_prompts` takes them.

        Returns:
            Token embeddings (K, L, width), with L the context length: start token, text, end token,
            padding; and the position of each end token (K,), int64. Both are on the device of the
            model.

        Raises:
            TypeError: no text tower, or one with another tokenizer than CLIP's.
            ValueError: a text that is longer than the context.
        """
        tower = self._tower_of_known_tokens()
        room = self._model.context_length - 2
        for text in texts:
            count = len(self._tokenizer.encode(text))
            if count > room:
                raise ValueError(
                    f"got a text of {count} tokens, expected at most {room}, the context of "
                    f"{self.name} less its start and end token: {text!r}"
                )
        tokens = self._tokenizer(list(texts)).to(self._device)
        return tower.token_embedding(tokens), tokens.argmax(1)  # the end token is the highest

    @torch.no_grad()
    def embed_tokens(self, tokens: Tensor) -> Tensor:
        """Unit embeddings of texts of one token each: start token, token, end token.

        They are those of :meth:`embed_texts`, at a fraction of the cost: CLIP reads a text at its
        end token, which sees nothing behind it, so the padding is left out.

        Args:
            tokens: (K,) int64, each from 0 to the number of tokens less one; the CLIP goes to their
                device.

        Returns:
            (K, D), float32.

        Raises:
            TypeError: no text tower, or one with another tokenizer than CLIP's.
        """
        tower = self._tower_of_known_tokens()
        start, end = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        rows = tokens[:, None].repeat(1, 3)
        rows[:, 0], rows[:, 2] = start, end
        # Of the end token itself the first one ends the text.
        position = torch.where(tokens == end, 1, 2)
        with self._at_precision(tokens):
            embedding = tower.token_embedding(rows)
        return self.embed_prompts(embedding, position)

    @property
    def vocabulary(self) -> list[str]:
        """CLIP's tokens, by their number; one that does not end a word has a hyphen behind it."""
        tokenizer = self._tokenizer
        names = []
        for number in range(tokenizer.vocab_size):
            token = tokenizer.decoder[number]
            special = number in (tokenizer.sot_token_id, tokenizer.eot_token_id)
            word = token if special else tokenizer.decode([number]).rstrip(" ")
            names.append(word if special or token.endswith("</w>") else f"{word}-")
        return names

    @functools.cached_property
    def text_fingerprint(self) -> str:
        """A hash of the text tower.

        Raises:
            TypeError: no text tower that takes token embeddings.
        """
        return fingerprint(self.text_tower, without="visual")

    def embed_prompts(self, embedding: Tensor, end: Tensor) -> Tensor:
        """Unit embeddings of prompts that are given as token embeddings.

        Gradients reach `embedding`, though the CLIP is frozen.

        Args:
            embedding: (K, L, width), L at most the context length; as :meth:`token_embeddings`.
            end: the position of each end token, (K,) int64, on the device of `embedding`.

        Returns:
            (K, D), float32.

        Raises:
            TypeError: no text tower.
            ValueError: a shape that does not fit the text tower.
        """
        tower = self.text_tower
        with self._at_precision(embedding):
            features = encode_prompts(tower, embedding, end)
        return normalize(features.float(), dim=-1)

    @property
    def text_tower(self) -> TextTower:
        """What holds the parts of the text tower, for :meth:`embed_prompts`.

        Raises:
            TypeError: there is none that takes token embeddings.
        """
        return find_text_tower(self._model, self.name)

    def _tower_of_known_tokens(self) -> TextTower:
        tower = self.text_tower
        words, known = tower.token_embedding.num_embeddings, self._tokenizer.vocab_size
        if words != known:
            raise TypeError(
                f"{self.name}: its text tower knows {words} tokens, CLIP's tokenizer {known}, so "
                "texts cannot be told to it; name another CLIP, or start from a file"
            )
        return tower

    @functools.cached_property
    def _tokenizer(self) -> Any:
        return open_clip.SimpleTokenizer(context_length=self._model.context_length)


def load_clip(
    model: str = BUNDLED,
    pretrained: str | None = None,
    precision: str = "float32",
    antialias: bool = False,
) -> FrozenCLIP:
    """The :class:`FrozenCLIP` of these settings; loaded once, however many losses use it."""
    return _shared_clip(model, pretrained, precision, antialias)


# Apart from `load_clip`, because a cache tells settings apart by how they are spelled.
_shared_clip = functools.cache(FrozenCLIP)
