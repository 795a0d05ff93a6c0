"""A list of photographs of a pip package, which a test may change."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rave_mm.datasets.photo_sets import sources
from rave_mm.photos.writing import write_photo


def photograph(name: str, package: str = "fake", **splits: str) -> dict[str, Any]:
    scene = splits.pop("scene", name)
    uses = {"demo": None, "clip": None, "enhancer": None, **splits}
    return {"id": name, "package": package, "file": f"{name}.png", "scene": scene, **uses}


@dataclass
class Listed:
    file: Path
    packages: dict[str, Any]
    photographs: list[dict[str, Any]]

    def save(self) -> None:
        self.file.write_text(
            json.dumps({"packages": self.packages, "photographs": self.photographs})
        )

    def add_debian_photograph(self) -> None:
        self.packages["wallpapers"] = {"kind": "debian", "licence": "GPL", "credit": "somebody"}
        entry = photograph("hill", "wallpapers", clip="train")
        self.photographs.append({**entry, "file": "usr/share/hill.png"})
        self.save()


def list_three_photographs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Listed:
    package = folder / "site" / "fakephotos"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    rng = np.random.default_rng(0)
    for name, dtype in (("a", np.uint8), ("b", np.uint8), ("c", np.uint16)):
        top = np.iinfo(dtype).max
        write_photo(package / f"{name}.png", rng.integers(0, top, (40, 64, 3), dtype=dtype))
    monkeypatch.syspath_prepend(str(folder / "site"))
    monkeypatch.setattr(sources, "PHOTOGRAPHS", folder / "photographs.json")
    pip = {"kind": "pypi", "requirement": "fake-photos==1.0", "module": "fakephotos"}
    listed = Listed(
        folder / "photographs.json",
        {"fake": {**pip, "licence": "CC0", "credit": "nobody"}},
        [
            photograph("a", demo="train", clip="train", enhancer="train"),
            photograph("b", demo="train", clip="test", enhancer="val"),
            photograph("c", demo="test", enhancer="test"),
        ],
    )
    listed.save()
    return listed


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
