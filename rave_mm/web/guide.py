"""How well lit the CLIP that guides the training finds a picture, without PyTorch."""

from pathlib import Path

import numpy as np
from PIL import Image

from rave_mm.inference.small_view import FloatArray

LIGHTING_GUIDE = Path(__file__).with_name("lighting_guide.onnx")
"""The bundled CLIP with the residual vector of the demo's photographs."""


class Guide:
    """Scores light along RAVE's residual vector: 0 as backlit photographs, 1 as well-lit ones.

    Pictures are prepared as CLIP's own photographs are: bicubic to its size, and the middle.

    Args:
        path: What ``tools/residual.py export`` wrote.

    Raises:
        ValueError: The file is something else.
    """

    def __init__(self, path: Path = LIGHTING_GUIDE) -> None:
        import onnxruntime

        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            told = session.get_modelmeta().custom_metadata_map
            self.side = int(told["side"])
            self.clip = told["clip"]
        except Exception as error:  # onnxruntime has no common class for what it raises
            raise ValueError(
                f"{path} is no guide ({str(error).splitlines()[0]}); expected what "
                "`rave-mm residual export` wrote"
            ) from error
        self._session = session

    def score(self, srgb: FloatArray) -> float:
        """How well lit a picture is.

        Args:
            srgb: (h, w, 3) in [0, 1].

        Returns:
            0 for a mean backlit photograph, 1 for a mean well-lit one; below and above for others.
        """
        image = Image.fromarray((srgb * 255 + 0.5).astype(np.uint8))
        scale = self.side / min(image.size)
        width, height = (max(self.side, round(length * scale)) for length in image.size)
        small = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = round((width - self.side) / 2), round((height - self.side) / 2)
        middle = small.crop((left, top, left + self.side, top + self.side))
        photo = np.asarray(middle, np.float32).transpose(2, 0, 1)[None] / 255
        (score,) = self._session.run(None, {"photo": photo})
        return float(score[0])
