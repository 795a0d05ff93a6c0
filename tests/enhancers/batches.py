"""What tests of the models share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmagic.registry import DATASETS
from mmengine.dataset import pseudo_collate

PREPROCESSOR = {
    "type": "DataPreprocessor",
    "mean": [0.0] * 3,
    "std": [255.0] * 3,
    "output_channel_order": "RGB",
}


@dataclass
class Phase:
    """What a model wants to know of a phase."""

    name: str
    trains: str
    losses: tuple[str, ...]


def unpaired_batch(folder: Path, pipeline: list[dict[str, Any]]) -> Any:
    """The first two of `folder/backlit`, each with one of `folder/well-lit`."""
    dataset = DATASETS.build(
        {
            "type": "UnpairedPhotos",
            "backlit": str(folder / "backlit"),
            "well_lit": str(folder / "well-lit"),
            "pipeline": pipeline,
        }
    )
    return pseudo_collate([dataset[0], dataset[1]])
