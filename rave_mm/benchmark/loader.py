"""How fast photographs come for training: the loader alone, without a network."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import skimage.data
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

import rave_mm.register  # noqa: F401 - the components that the config names
from rave_mm import config_path
from rave_mm.benchmark.training import CONFIG

_PHOTOS, _SIDE = 32, 1200


def photos_per_second(size: int, batch: int, seconds: float = 10.0) -> dict[str, Any]:
    """Load RAVE's batches as its config does, from JPEG files of 1.4 megapixels.

    Args:
        size: Height and width that photographs are given.
        batch: Of how many photographs.
        seconds: How long to load, at least a batch.

    Returns:
        `photos_per_second`, and the number of `workers`: the config's, or as many as there are
        cores if that is less.
    """
    init_default_scope("mmagic")
    config = Config.fromfile(config_path(CONFIG))
    settings = config.train_dataloader
    settings.batch_size = batch
    settings.num_workers = min(settings.num_workers, len(os.sched_getaffinity(0)))
    for step in settings.dataset.pipeline:
        if step.type == "AugmentBacklit":
            step.size = size
    with TemporaryDirectory() as folder:
        photo = Image.fromarray(skimage.data.astronaut()).resize((_SIDE, _SIDE))
        for number in range(max(_PHOTOS, batch)):
            photo.rotate(number).save(Path(folder, f"{number}.jpg"), quality=92)
        settings.dataset.backlit = folder
        settings.dataset = {"type": "ReplayableDataset", "dataset": settings.dataset}
        loader = iter(Runner.build_dataloader(settings, seed=0))
        next(loader)  # the workers start
        started, loaded = time.perf_counter(), 0
        while not loaded or time.perf_counter() - started < seconds:
            loaded += len(next(loader)["inputs"])
        spent = time.perf_counter() - started
        del loader
    return {"photos_per_second": loaded / spent, "workers": settings.num_workers}
