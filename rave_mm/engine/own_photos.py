"""Training on two folders of one's own: which config that is, and which of its settings."""

from pathlib import Path

from rave_mm.clip.weights import MissingWeightsError, find_weights
from rave_mm.runtime.setting_error import SettingError

_OPENAI_CLIPS = ("ViT-B-32-quickgelu", "RN101-quickgelu")
_WITH_OPENAI = "rave/rave_own_photos.py"
_WITH_BUNDLED = "rave/rave_own_photos_bundled_clip.py"


def config_of_own_photos(backlit: Path, well_lit: Path) -> tuple[str, list[str], str]:
    """Choose a config by whether the weights of OpenAI's CLIP are to be had.

    Args:
        backlit: A folder of backlit photos.
        well_lit: A folder of well-lit ones, of other scenes or the same.

    Returns:
        The config's name, its settings as `--cfg-options` takes them, and which CLIP guides, as a
        sentence.

    Raises:
        SettingError: A folder is not there.
    """
    for name, folder in (("--backlit", backlit), ("--well-lit", well_lit)):
        if not folder.is_dir():
            raise SettingError(f"{name}: got {folder}, expected a folder of photos")
    settings = [
        f"train_dataloader.dataset.backlit={backlit}",
        f"model.losses.guidance.residual.backlit={backlit}",
        f"model.losses.guidance.residual.well_lit={well_lit}",
    ]
    try:
        for model in _OPENAI_CLIPS:
            find_weights(model, "openai")
    except MissingWeightsError as error:
        told = f"The bundled CLIP guides, since OpenAI's is not to be had: {error}"
        return _WITH_BUNDLED, settings, told
    return _WITH_OPENAI, settings, "OpenAI's CLIP guides (ViT-B/32, and RN101 for the identity)"
