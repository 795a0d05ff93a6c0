"""Static metadata of rave_mm; imports nothing of the package and fetches nothing.

`configs/`, `tools/`, `requirements/` and the index of models lie beside the package in a clone.
OpenMMLab's tools look for them in `PACKAGE/.mim`, so that is where a build puts them: copies in a
wheel, links to the clone in an editable install.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# MMEngine wants the index before it looks for a config, and `mim search` reads it.
SHIPPED = ("configs", "tools", "requirements", "model-index.yml")

# What enhancing a photo takes. `tox -e core-oldest,core-newest` tests both ends of each range.
CORE = [
    "numpy>=1.24.4,<3",
    "onnxruntime>=1.20.1,<2",
    "pillow>=11.3,<14",
    "pyvips>=3.0,<4",
    "pyvips-binary>=8.18.3,<9",
    "tqdm>=4.64.1,<5",
    "typing_extensions>=4.6,<5",
]
# Training, and what else runs PyTorch, takes the versions that were tested: MMagic fits few.
EXTRAS = {
    "train": ["train"],
    "demo": ["train", "demo"],
    "metrics": ["train", "metrics"],
    "export": ["train", "export"],
    "raw": ["raw"],
    "ray": ["ray"],
    "web": ["web"],
    "tests": ["train", "demo", "tests"],
}


def requirements(name: str) -> list[str]:
    """Read `requirements/NAME.txt` without its comments."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def extras() -> dict[str, list[str]]:
    """What each extra brings; `all` is all but the tests'."""
    found = {
        extra: [line for name in names for line in requirements(name)]
        for extra, names in EXTRAS.items()
    }
    for extra, names in EXTRAS.items():
        if "train" in names:
            found[extra].append("numpy<2")  # MMagic's own tools ask for np.bool8
    found["all"] = sorted({line for extra in found.keys() - {"tests"} for line in found[extra]})
    return found


def version() -> str:
    source = (ROOT / "rave_mm" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    if found is None:
        raise ValueError('rave_mm/__init__.py has no line like __version__ = "1.2.3"')
    return found[1]


class BuildWithShippedFolders(build_py):
    """Also puts the folders beside the package into `rave_mm/.mim`."""

    def run(self) -> None:
        super().run()
        mim = Path(ROOT if self.editable_mode else self.build_lib, "rave_mm", ".mim")
        shutil.rmtree(mim, ignore_errors=True)  # rmtree does not follow links
        mim.mkdir(parents=True)
        for name in SHIPPED:
            source = ROOT / name
            if self.editable_mode:
                (mim / name).symlink_to(Path("..", "..", name), target_is_directory=source.is_dir())
            elif source.is_dir():
                shutil.copytree(source, mim / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, mim / name)


setup(
    name="rave_mm",
    version=version(),
    description="RAVE and CLIP-LIT for MMagic: CLIP-guided enhancement of backlit photographs",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8")
    if (ROOT / "README.md").is_file()
    else "",
    long_description_content_type="text/markdown",
    author="The developers of rave_mm",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=["rave_mm", "rave_mm.*"]),
    package_data={
        "rave_mm": [
            "py.typed",
            "clip/lighting_clip/*",
            "inference/bundled_enhancer.onnx",
            "inference/bundled_enhancer.pth",
            "evaluation/before_after/*",
            "web/lighting_guide.onnx",
            "web/pages/*",
            "datasets/photo_sets/photographs.json",
        ]
    },
    include_package_data=False,
    install_requires=CORE,
    extras_require=extras(),
    entry_points={"console_scripts": ["rave-mm = rave_mm.__main__:run"]},
    cmdclass={"build_py": BuildWithShippedFolders},
    classifiers=[
        "Development Status :: 5 - Production/Stable",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
