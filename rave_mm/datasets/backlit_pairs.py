"""Backlit photographs with their ground truth, in BAID's layout."""

from collections.abc import Callable, Sequence

from mmagic.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from rave_mm.photos.folders import pair_by_stem


@DATASETS.register_module()
class BacklitPairs(BaseDataset):
    """Pairs of a backlit photograph and its well-lit counterpart, matched by file stem.

    Each item has ``img_path`` and ``gt_path``. BAID has the folders ``train/backlit`` and
    ``train/well-lit``, ``test/resize_input`` and ``test/resize_gt``; LOL-v1's ``low`` and
    ``high`` fit as well. Duplicates named like ``0152(2).jpg`` are left out; their count is
    logged, and they are listed in ``left_out``.

    Args:
        backlit: Folder of backlit photographs, below ``data_root`` unless absolute.
        well_lit: Folder of their counterparts, likewise.
        data_root: Folder in front of both.
        pipeline: Transforms, as for every MMEngine data set.
        test_mode: As for every MMEngine data set; the items are the same.
        metainfo: Meta information, as for every MMEngine data set.
        indices: Use only the first so many, or these, pairs.
        lazy_init: List the folders at first use instead of now.

    Raises:
        FileNotFoundError: A folder is missing.
        ValueError: A photograph has no partner, two share a stem, or a pair differs in size.
            The message names the files.
    """

    METAINFO = {"dataset_type": "backlit_pairs", "task_name": "backlit_enhancement"}

    def __init__(
        self,
        backlit: str,
        well_lit: str,
        data_root: str = "",
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        metainfo: dict | None = None,
        indices: int | Sequence[int] | None = None,
        lazy_init: bool = False,
    ) -> None:
        self.left_out: list[str] = []
        super().__init__(
            metainfo=metainfo,
            data_root=data_root,
            data_prefix={"img": backlit, "gt": well_lit},
            indices=indices,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict]:
        """Pair the folders; returns an item for each pair."""
        listing = pair_by_stem(self.data_prefix["img"], self.data_prefix["gt"])
        self.left_out = [str(path) for path in listing.left_out]
        if self.left_out:
            print_log(
                f"left out {len(self.left_out)} duplicates (first: {self.left_out[0]}) of "
                f"{self.data_prefix['img']} and {self.data_prefix['gt']}; "
                f"{len(listing.pairs)} pairs remain",
                logger="current",
            )
        return [{"img_path": str(img), "gt_path": str(gt)} for img, gt in listing.pairs]
