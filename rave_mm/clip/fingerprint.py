"""A short name for all that decides what a tower of CLIP says."""

import hashlib

from torch import nn


def fingerprint(tower: nn.Module, *settings: object, without: str | None = None) -> str:
    """A hash of a tower's weights and of the kinds of its layers.

    The weights alone would not do: those of ViT-B-32 and ViT-B-32-quickgelu can be the same, but
    their activations, which have none, are not, and so their embeddings are others.

    Args:
        tower: the module.
        settings: what else decides, as what is done to an image before it; hashed as its `repr`.
        without: the name of a part that is left out.

    Returns:
        16 hexadecimal digits.
    """

    def counts(name: str) -> bool:
        return without is None or not f"{name}.".startswith(f"{without}.")

    layers = [type(layer).__name__ for name, layer in tower.named_modules() if counts(name)]
    digest = hashlib.sha256(repr((settings, layers)).encode())
    for name, tensor in sorted(tower.state_dict().items()):
        if counts(name):
            digest.update(name.encode())
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
