"""What all tests share: seeds, and the values that the published code computed."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import settings
from mmengine.dataset import base_dataset
from mmengine.registry import DefaultScope
from open_clip.model import CLIP, build_model_from_openai_state_dict
from playwright.sync_api import Browser

import rave_mm.register  # noqa: F401 - MMagic imports only after its cures, in any test
from tests.browser import chromium

# Found again on every machine, however slow it is.
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("repeatable")

_REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "reference"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums round alike on every machine, and the tensors here are too small for threads.

    The same goes for the processes that tests start. Their threads would wait for each other,
    busily, on the cores that another test runs on: that took up to a third of the time.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patching:
        patching.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def _data_sets_collect_no_garbage() -> Iterator[None]:
    """MMEngine does for each one, to save memory: it would look through all tests each time."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(base_dataset, "gc", SimpleNamespace(collect=lambda: None))
        yield


@pytest.fixture(autouse=True)
def _seed() -> None:
    # Not torch.manual_seed: without CUDA, it writes down the whole stack each time.
    torch.default_generator.manual_seed(0)


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    """MMEngine builds from MMagic's registries, as in a run, whatever a test before has left."""
    with DefaultScope.overwrite_default_scope("mmagic"):
        yield


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], str]]:
    """Serves a folder, and gives its address; what is fetched is kept below `tmp_path`."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with contextlib.ExitStack() as serving:

        def start(folder: Path) -> str:
            handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            serving.enter_context(server)
            threading.Thread(target=server.serve_forever).start()
            serving.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, for the tests of a module."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the values that the published code computed, DESIGN section 7."""
    if not _REFERENCE.is_dir():
        pytest.skip(f"the published code's reference values are not here: no folder {_REFERENCE}")
    return _REFERENCE


@pytest.fixture(scope="session")
def reference_losses(reference: Path) -> dict[str, np.ndarray]:
    """Inputs, values and gradients of the published losses."""
    with np.load(reference / "losses.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def tiny_vit(reference: Path) -> CLIP:
    """The small random CLIP behind `reference_losses`: guidance and prompts."""
    return _openai_clip(reference / "clip_vit.pt")


@pytest.fixture(scope="session")
def tiny_resnet(reference: Path) -> CLIP:
    """The small random CLIP behind `reference_losses`: identity."""
    return _openai_clip(reference / "clip_resnet.pt")


def _openai_clip(path: Path) -> CLIP:
    state_dict = torch.load(path, map_location="cpu", weights_only=True)
    model = build_model_from_openai_state_dict(state_dict, cast_dtype=torch.float32)
    return model.float().eval().requires_grad_(False)
