"""tools/train.py and tools/test.py end to end.

Train, resume, test, on a set of a few tiny photos.
"""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmagic.registry import HOOKS
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.optim import AmpOptimWrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm import config_path
from rave_mm.datasets.synthetic_backlight import smooth_noise, synthetic_backlight
from rave_mm.image_files import read_photo, write_photo
from rave_mm.models.light_map_unet import LightMapUNet
from tests.tools.loading import TOOLS, load_tool

ROOT = Path(__file__).parents[2]
CONFIG = "demo/rave_demo.py"


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    load_tool(name).main()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a demo set of three training and two test photos."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, ground_truth, count in (
        ("train/backlit", "train/well-lit", 3),
        ("test/resize_input", "test/resize_gt", 2),
    ):
        (tmp_path / "data/demo" / folder).mkdir(parents=True)
        (tmp_path / "data/demo" / ground_truth).mkdir(parents=True)
        for index in range(count):
            noise = np.stack([smooth_noise(40, 56, 5, rng) for _ in range(3)], -1)
            photo = np.clip((180, 140, 90) + 40 * noise, 0, 255).astype(np.uint8)
            write_photo(tmp_path / "data/demo" / ground_truth / f"{index}.png", photo)
            write_photo(
                tmp_path / "data/demo" / folder / f"{index}.png", synthetic_backlight(photo, rng)
            )
    return tmp_path


def options(iterations: int) -> list[str]:
    return [
        "--cfg-options",
        f"train_cfg.phases.0.iterations={iterations}",
        "train_cfg.val_interval=2",
        "default_hooks.checkpoint.interval=2",
        "default_hooks.logger.interval=1",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
        "train_dataloader.batch_size=2",
        "train_dataloader.dataset.pipeline.1.crop_size=32",
        "param_scheduler=[]",
        "custom_hooks.0.interval.val=1",
    ]


def logs(work_dir: Path) -> list[dict[str, float]]:
    """What the runs in a work directory wrote, in their order."""
    return [
        json.loads(line)
        for file in sorted(work_dir.glob("*/vis_data/scalars.json"))
        for line in file.read_text().splitlines()
    ]


def test_train_resume_and_test(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *options(2))
    assert (work / "run/iter_2.pth").is_file()
    run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", "--resume", *options(4))
    assert (work / "run/last_checkpoint").read_text().endswith("iter_4.pth")

    lines = logs(work / "run")
    steps = [line["step"] for line in lines if "loss_guidance" in line]
    assert steps == [1, 2, 3, 4]
    assert all(
        {"loss", "loss_guidance", "loss_identity"} <= line.keys()
        for line in lines
        if "loss" in line
    )
    assert [line["step"] for line in lines if "PSNR" in line] == [2, 4]
    assert list((work / "run").glob("best_PSNR_iter_*.pth"))
    assert list((work / "run").glob("*/vis_data/events.out.tfevents.*"))
    picture = read_photo(next((work / "run").glob("*/vis_data/vis_image/0_*.png")))
    assert picture.shape == (40, 3 * 56, 3)
    red, green, blue = picture.reshape(-1, 3).mean(0)
    assert red > green > blue, "the pictures' channels are swapped"

    saved = torch.load(work / "run/iter_4.pth", weights_only=False)["state_dict"]
    assert saved["losses.guidance.vector"].norm().item() == pytest.approx(1, abs=1e-5)

    run(
        monkeypatch,
        "test",
        CONFIG,
        work / "run/iter_4.pth",
        "--work-dir",
        work / "tested",
        "--out",
        work / "figures.json",
    )
    figures = json.loads((work / "figures.json").read_text())
    assert set(figures) == {"PSNR", "SSIM", "input/PSNR", "input/SSIM"}
    assert figures["PSNR"] == pytest.approx(lines[-1]["PSNR"], abs=1e-3)


@pytest.fixture
def weights(work: Path) -> Path:
    """A checkpoint that holds weights and nothing else."""
    generator = LightMapUNet(start="identity").state_dict()
    torch.save(
        {f"generator.{name}": value for name, value in generator.items()}, work / "weights.pth"
    )
    return work / "weights.pth"


def test_resume_looks_in_the_work_directory_whatever_load_from_says(
    work: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started from weights, resumed, and resumed again where the directory has moved to."""
    arguments = (CONFIG, "--resume", "--work-dir")
    run(monkeypatch, "train", *arguments, work / "run", *options(2), f"load_from={weights}")
    first = [line["step"] for line in logs(work / "run") if "loss" in line]
    (work / "run").rename(work / "moved")
    run(monkeypatch, "train", *arguments, work / "moved", *options(4), f"load_from={weights}")
    assert first == [1, 2]
    assert [line["step"] for line in logs(work / "moved") if "loss" in line] == [1, 2, 3, 4]
    text = [log.read_text() for log in sorted((work / "moved").glob("*/*.log"))]
    assert f"--resume: no checkpoint in {work / 'run'} yet" in text[0]
    assert f"--resume: training goes on from {work / 'moved/iter_2.pth'}" in text[-1]


def test_mixed_precision_leaves_gradients_unscaled(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config({"optim_wrapper": {"type": "OptimWrapper"}})
    load_tool("train").use_mixed_precision(config)
    settings = config.optim_wrapper.to_dict()
    assert settings.pop("type") == "AmpOptimWrapper"
    # As on a machine with a GPU, where the scaler does not switch itself off.
    monkeypatch.setattr(amp_optimizer_wrapper, "is_cuda_available", lambda: True)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    parameter = torch.nn.Parameter(torch.ones(2))
    wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD([parameter], lr=0.5), **settings)
    assert wrapper.cast_dtype is torch.bfloat16
    assert not wrapper.loss_scaler.is_enabled()
    wrapper.backward((parameter * torch.tensor([2.0, 3e38])).sum())
    assert parameter.grad is not None
    torch.testing.assert_close(parameter.grad, torch.tensor([2.0, 3e38]))
    wrapper.step()
    torch.testing.assert_close(parameter.detach(), torch.tensor([0.0, -1.5e38]))


def test_mixed_precision_is_for_each_of_several_optimizers() -> None:
    one = {"type": "OptimWrapper", "optimizer": {"type": "Adam"}, "clip_grad": {"max_norm": 1}}
    two = {"constructor": "MultiOptimWrapperConstructor", "generator": one, "pair": {**one}}
    config = Config({"optim_wrapper": two})
    load_tool("train").use_mixed_precision(config)
    mixed = {"type": "AmpOptimWrapper", "dtype": "bfloat16", "loss_scale": {"enabled": False}}
    assert config.optim_wrapper.to_dict() == {
        "constructor": "MultiOptimWrapperConstructor",
        "generator": {**one, **mixed},
        "pair": {**one, **mixed},
    }
    config.optim_wrapper.pair.type = "ApexOptimWrapper"
    with pytest.raises(ValueError, match="--amp: got optim_wrapper of type ApexOptimWrapper"):
        load_tool("train").use_mixed_precision(config)


def test_mixed_precision_needs_a_gpu(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        run(monkeypatch, "train", CONFIG, "--amp")
    assert "--amp needs a GPU" in capsys.readouterr().err


def test_a_published_checkpoint_is_tested_as_it_is(
    work: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the training photos nor a CLIP is needed, only the test photos."""
    (work / "data/demo/train").rename(work / "elsewhere")
    run(
        monkeypatch,
        "test",
        CONFIG,
        reference / "rave_unpaired.pth",
        "--work-dir",
        work / "tested",
        "--out",
        work / "figures.json",
    )
    figures = json.loads((work / "figures.json").read_text())
    assert figures["PSNR"] > figures["input/PSNR"] + 1


def test_a_checkpoint_of_something_else_is_refused(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"fc.weight": torch.zeros(2)}, work / "other.pth")
    with pytest.raises(SystemExit, match=r"(?s)^tools/test\.py: .*other\.pth.*fc\.weight"):
        run(monkeypatch, "test", CONFIG, work / "other.pth", "--work-dir", work / "tested")


def test_a_missing_checkpoint_is_told(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "test", CONFIG, "nowhere.pth")
    assert "no checkpoint nowhere.pth; tools/train.py writes them" in capsys.readouterr().err


@pytest.fixture
def server(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the working directory."""
    monkeypatch.setenv("TORCH_HOME", str(work / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(work))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_a_checkpoint_may_be_an_address(
    work: Path, weights: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{server}/{weights.name}"
    arguments = ("--work-dir", work / "tested", "--out", work / "figures.json")
    run(monkeypatch, "test", CONFIG, address, *arguments)
    figures = json.loads((work / "figures.json").read_text())
    assert figures["PSNR"] == pytest.approx(figures["input/PSNR"], abs=0.1)


def test_help_says_how_to_pad_as_the_published_code_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "test", "--help")
    option = "model.generator.padding_mode=reflect"
    assert f"--cfg-options {option}" in capsys.readouterr().out
    config = Config.fromfile(config_path("rave/rave_baid_paired.py"))
    assert config.model.generator.padding_mode == "zeros"


def test_few_photos_are_shown_in_a_validation_and_all_in_a_test() -> None:
    class Shown:
        iter = 500

        def __init__(self) -> None:
            self.visualizer, self.photos = self, list[int]()

        def add_datasample(self, photo: int, step: int) -> None:
            self.photos.append(photo)

    config = Config.fromfile(config_path("rave/rave_baid_paired.py"))
    hook = HOOKS.build(config.custom_hooks[0])
    validation, test = Shown(), Shown()
    for index in range(368):
        hook.after_val_iter(validation, index, None, [index])
        hook.after_test_iter(test, index, None, [index])
    assert validation.photos == list(range(45, 368, 46))
    assert test.photos == list(range(368))


def test_a_base_of_a_package_that_is_not_installed_is_told(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "mine.py").write_text('_base_ = "rave_mm::rave/rave_baid_paired.py"')
    monkeypatch.setitem(MODULE2PACKAGE, "rave_mm", "json")  # a package without configs
    with pytest.raises(SystemExit, match=r"mine\.py has a base .* not installed: .* its path"):
        run(monkeypatch, "train", work / "mine.py")


EACH_RANK = """
import os
import torch
from mmagic.registry import HOOKS
from mmengine.hooks import Hook

@HOOKS.register_module()
class SaveEachRank(Hook):
    def after_train(self, runner):
        torch.save(runner.model.module.generator.state_dict(), f"rank{os.environ['RANK']}.pth")
"""

TWO_PHASES = f"""
_base_ = {str(config_path(CONFIG))!r}
custom_imports = dict(imports=["rave_mm.register", "each_rank"])
custom_hooks = [dict(type="SaveEachRank")]
train_cfg = dict(phases=[
    dict(name="first", iterations=2, losses=["identity"]),
    dict(name="second", iterations=2, losses=["guidance", "identity"]),
])
"""


def run_two_processes(work: Path, name: str, *arguments: object) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", 2]
    command += ["--master-port", port, TOOLS / f"{name}.py", *arguments, "--launcher", "pytorch"]
    settings = {"PYTHONPATH": f"{ROOT}:{work}", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_processes_without_a_gpu(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "each_rank.py").write_text(EACH_RANK)
    (work / "mine.py").write_text(TWO_PHASES)
    run_two_processes(work, "train", "mine.py", "--work-dir", "run", *options(2)[:-1])
    first, second = (torch.load(work / f"rank{rank}.pth") for rank in (0, 1))
    start = LightMapUNet(start="identity").state_dict()
    assert any(not torch.equal(first[name], start[name]) for name in first)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert [line["step"] for line in logs(work / "run") if "loss_guidance" in line] == [3, 4]

    checkpoint = work / "run/iter_4.pth"
    run_two_processes(work, "test", CONFIG, checkpoint, "--work-dir", "two", "--out", "two.json")
    arguments = ("--work-dir", "one", "--out", "one.json")
    run(monkeypatch, "test", CONFIG, checkpoint, *arguments)
    one, two = (json.loads((work / f"{count}.json").read_text()) for count in ("one", "two"))
    assert two == pytest.approx(one, abs=1e-4)


def test_without_a_gpu_several_processes_need_torchrun(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="--launcher: got slurm without a GPU, expected pytorch"):
        run(monkeypatch, "train", CONFIG, "--launcher", "slurm")


def test_a_dry_run_prints_and_stops(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", "--dry-run", *options(2))
    *told, batch, end = capsys.readouterr().out.split("\n")
    assert told == [
        "schedule of 2 iterations:",
        "        0 -       2  1 guided: trains generator with guidance + identity on train",
        "phase 1, guided:",
        "  generator: 278,790 trainable parameters",
        "  a batch of train:",
    ]
    assert batch.startswith("    inputs: 2 x (3, 32, 32), uint8 in [")
    assert end == ""
    assert not (work / "run").exists()
    assert not (work / "cache/rave_mm").exists()


def test_missing_photos_are_told_before_training(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "data/demo/train/well-lit").rename(work / "elsewhere")
    with pytest.raises(SystemExit, match=r"^tools/train\.py: .*well-lit"):
        run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *options(2))
