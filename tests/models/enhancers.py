"""What tests of the models share."""

from dataclasses import dataclass

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
