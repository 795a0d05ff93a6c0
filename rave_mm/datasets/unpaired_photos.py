"""Two folders of photographs that have nothing to do with each other."""

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from mmagic.registry import DATASETS
from mmengine.dataset import BaseDataset, force_full_init
from mmengine.logging import print_log
from tqdm import tqdm

from rave_mm.photos.errors import PhotoFolderError, UnreadablePhotoError
from rave_mm.photos.folders import check_on_unreadable, list_photos, other_files
from rave_mm.photos.reading import checked_size, read_photo


@DATASETS.register_module()
class UnpairedPhotos(BaseDataset):
    """Backlit photographs, and well-lit ones of other scenes if wanted.

    Its length is the number of backlit photographs. Each item has ``img_path``, and with a
    well-lit folder ``ref_path``: in training a random well-lit photograph, drawn anew each
    time from NumPy's global generator (which MMEngine seeds in every worker); in testing the
    well-lit photographs in turn. Counts, names and extensions of the folders may differ.
    Which folder a photograph lies in decides what it is, never its name.

    The header of every photograph is read when the folders are listed, and whether its file goes to
    its end. Where one is damaged, or damaged ones are to be skipped, all are read whole. Else what
    is damaged inside is found out when its turn comes: the loading transform names it then.

    Args:
        backlit: Folder of backlit photographs, below ``data_root`` unless absolute.
        well_lit: Folder of well-lit photographs, or None to give only ``img_path``.
        data_root: Folder in front of both.
        pipeline: Transforms, as for every MMEngine data set.
        test_mode: Whether ``ref_path`` is in turn instead of random.
        metainfo: Meta information, as for every MMEngine data set.
        indices: Use only the first so many, or these, backlit photographs.
        lazy_init: List the folders at first use instead of now.
        on_unreadable: "error" to name all photographs that cannot be read, "skip" to leave them
            out and log how many.

    Raises:
        FileNotFoundError: A folder is missing.
        PhotoFolderError: A folder has no photograph, or photographs cannot be read.
        ValueError: ``on_unreadable`` is unknown.
    """

    METAINFO = {"dataset_type": "unpaired_photos", "task_name": "backlit_enhancement"}

    def __init__(
        self,
        backlit: str,
        well_lit: str | None = None,
        data_root: str = "",
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        metainfo: dict | None = None,
        indices: int | Sequence[int] | None = None,
        lazy_init: bool = False,
        on_unreadable: str = "error",
    ) -> None:
        check_on_unreadable(on_unreadable)
        self.on_unreadable = on_unreadable
        folders = {"img": backlit} if well_lit is None else {"img": backlit, "ref": well_lit}
        self.well_lit_photos: list[str] = []
        super().__init__(
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=folders,
            indices=indices,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict]:
        """List both folders and check each file; gives an item for each backlit photograph."""
        photos = {key: list_photos(folder) for key, folder in self.data_prefix.items()}
        for folder in self.data_prefix.values():
            if others := other_files(folder):
                print_log(f"{folder}: not read as photographs: {others}", "current")
        paths = list(chain(*photos.values()))
        unreadable = _unreadable(paths, checked_size)
        if unreadable or self.on_unreadable == "skip":
            headed = [path for path in paths if path not in unreadable]
            unreadable |= _unreadable(tqdm(headed, "reading photographs", leave=False), read_photo)
        if unreadable:
            count = f"{len(unreadable)} of {len(paths)} photographs cannot be read"
            kept = {key: [p for p in found if p not in unreadable] for key, found in photos.items()}
            if self.on_unreadable == "error" or not all(kept.values()):
                listing = "\n".join(f"  {path}: {reason}" for path, reason in unreadable.items())
                raise PhotoFolderError(
                    f"{count}:\n{listing}\nReplace or remove them, or say on_unreadable='skip' to "
                    "go on without them, which needs a photograph that can be read in each folder."
                )
            print_log(f"{count} and were skipped", "current", logging.WARNING)
            photos = kept
        self.well_lit_photos = [str(path) for path in photos.get("ref", [])]
        return [{"img_path": str(path)} for path in photos["img"]]

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Give ``img_path``, ``sample_idx`` and, with a well-lit folder, ``ref_path``."""
        info = super().get_data_info(idx)
        if self.well_lit_photos:
            count = len(self.well_lit_photos)
            drawn = info["sample_idx"] % count if self.test_mode else np.random.randint(count)
            info["ref_path"] = self.well_lit_photos[drawn]
        return info


def _unreadable(paths: Iterable[Path], read: Callable[[Path], object]) -> dict[Path, str]:
    """Which files cannot be read this way, and why."""
    reasons = {}
    for path in paths:
        try:
            read(path)
        except UnreadablePhotoError as error:
            reasons[path] = error.reason
    return reasons
