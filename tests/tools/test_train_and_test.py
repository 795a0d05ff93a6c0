"""tools/train.py and tools/test.py end to end.

Train, resume, test, on a set of a few tiny photos.
"""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmagic.registry import HOOKS
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.runner import Runner

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm import config_path
from rave_mm.engine.stop_hook import StopHook
from rave_mm.enhancers.backlit_enhancer import BacklitEnhancer
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.photos.reading import read_photo
from rave_mm.runtime.folder_in_use import only_run_in
from tests.tools.tiny_run import CONFIG, logs, options, run


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


def test_a_killed_training_goes_on_and_is_not_written_over(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed while it wrote iter_3.pth, and `last_checkpoint` is empty."""
    directory = work / "run"
    run(monkeypatch, "train", CONFIG, "--work-dir", directory, *options(2))
    whole = (directory / "iter_2.pth").read_bytes()
    (directory / "iter_3.pth").write_bytes(whole[:1000])
    (directory / "last_checkpoint").write_text("")
    with pytest.raises(SystemExit, match=r"tools/train\.py: .* holds iter_3\.pth of an earlier"):
        run(monkeypatch, "train", CONFIG, "--work-dir", directory, *options(4))
    assert (directory / "iter_2.pth").read_bytes() == whole
    run(monkeypatch, "train", CONFIG, "--resume", "--work-dir", directory, *options(4))
    assert [line["step"] for line in logs(directory) if "loss" in line] == [1, 2, 3, 4]
    text = sorted(directory.glob("*/*.log"))[-1].read_text()
    assert f"{directory / 'iter_3.pth'} is passed over: UnknownCheckpointError" in text
    assert f"--resume: training goes on from {directory / 'iter_2.pth'}" in text
    assert "changed since then: train_cfg.phases.0.iterations: 2 before, 4 now" in text
    assert text.count("changed since") == 1


def test_the_one_checkpoint_that_is_kept_is_there_until_the_next_one_is(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir, seen = work / "run", []

    def look(self: StopHook, runner: Runner, *_: Any, **__: Any) -> None:
        noted = run_dir / "last_checkpoint"
        seen.append(sorted(path.name for path in run_dir.glob("iter_*.pth")))
        if noted.is_file():
            assert (run_dir / Path(noted.read_text()).name).is_file()

    monkeypatch.setattr(StopHook, "after_train_iter", look)
    kept = [*options(6), "default_hooks.checkpoint.max_keep_ckpts=1"]
    run(monkeypatch, "train", CONFIG, "--work-dir", run_dir, *kept)
    assert sorted(path.name for path in run_dir.glob("iter_*.pth")) == ["iter_6.pth"]
    assert ["iter_2.pth", "iter_4.pth"] in seen, "the one before goes last"


def test_settings_that_a_place_was_counted_by(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = (CONFIG, "--work-dir", work / "run")
    run(monkeypatch, "train", *where, *options(2))
    changed = [*options(4), "randomness.seed=1", "optim_wrapper.optimizer.lr=3e-4"]
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "train", *where, "--resume", *changed)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "randomness.seed: 0 before, 1 now\n" in told and "--resume-anyway" in told
    assert "optimizer.lr" not in told
    assert not (work / "run/iter_4.pth").exists()
    run(monkeypatch, "train", *where, "--resume-anyway", *changed)
    assert (work / "run/iter_4.pth").is_file()
    log = sorted((work / "run").glob("*/*.log"))[-1].read_text()
    assert "changed since then: randomness.seed: 0 before, 1 now" in log
    assert "changed since then: optim_wrapper.optimizer.lr" in log


def test_losses_of_another_channel_order_are_told_without_a_hook_in_the_config(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [*options(2), "model.losses.identity.channel_order=bgr"]
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *wrong)
    assert ended.value.code == 2
    assert "got channel_order='bgr', but the model's data_preprocessor" in capsys.readouterr().err


def test_a_second_training_in_the_same_directory_is_refused(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "run").mkdir()
    with only_run_in(work / "run"):
        for more in ((), ("--resume",)):
            with pytest.raises(SystemExit, match=f"run is in use by process {os.getpid()}"):
                run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *more, *options(2))
    assert list((work / "run").iterdir()) == []


def test_a_step_that_ruins_the_weights_is_not_saved(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = [*options(4), "optim_wrapper.optimizer.lr=1e9"]
    with pytest.raises(SystemExit, match=r"^tools/train\.py: .* iteration 1.* None was written"):
        run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *wild)
    assert not list((work / "run").glob("*.pth"))


def test_a_misspelt_metric_is_told_before_training(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [*options(2), "default_hooks.checkpoint.save_best=PSNRR"]
    told = r"save_best: got 'PSNRR', but validation gives PSNR, SSIM, input/PSNR.*mean PSNR\?"
    with pytest.raises(SystemExit, match=told):
        run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *wrong)
    assert not any("loss" in line for line in logs(work / "run"))


def test_an_empty_folder_is_told_in_a_line(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "empty").mkdir()
    empty = [*options(2), f"train_dataloader.dataset.backlit={work / 'empty'}"]
    with pytest.raises(
        SystemExit,
        match=r"^tools/train\.py: train_dataloader\.dataset: no photo.*empty: found noth",
    ):
        run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *empty)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_asked_to_stop_saves_first(
    work: Path, monkeypatch: pytest.MonkeyPatch, asked: signal.Signals
) -> None:
    """And goes on, so that its weights are those of a training that was not stopped."""
    run(monkeypatch, "train", CONFIG, "--work-dir", work / "whole", *options(6))
    step = BacklitEnhancer.train_step

    def interrupted(self: BacklitEnhancer, *arguments: Any, **settings: Any) -> Any:
        steps.append(len(steps))
        if len(steps) == 3:
            os.kill(os.getpid(), asked)
        return step(self, *arguments, **settings)

    steps: list[int] = []
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(BacklitEnhancer, "train_step", interrupted)
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", *options(6))
    assert ended.value.code == 128 + asked and len(steps) == 3
    assert (work / "run/last_checkpoint").read_text().endswith("iter_3.pth")
    text = next((work / "run").glob("*/*.log")).read_text()
    assert f"{work / 'run/iter_3.pth'} is saved, and --resume goes on from it" in text
    assert handlers == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    run(monkeypatch, "train", CONFIG, "--work-dir", work / "run", "--resume", *options(6))
    ours, whole = (
        torch.load(work / name / "iter_6.pth", weights_only=False)["state_dict"]
        for name in ("run", "whole")
    )
    assert all(
        torch.equal(ours[name], whole[name]) for name in whole if not name.endswith("provenance")
    )


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


def test_a_checkpoint_may_be_an_address(
    work: Path, weights: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{serve(work)}/{weights.name}"
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
