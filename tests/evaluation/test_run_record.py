"""tools/test.py and what it leaves, end to end on a few small photos."""

import csv
import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torchvision.models import squeezenet1_1

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.datasets.shadows import smooth_noise
from rave_mm.datasets.synthetic_backlight import synthetic_backlight
from rave_mm.evaluation.lpips_weights import BACKBONES
from rave_mm.evaluation.protocols import PROTOCOLS
from rave_mm.evaluation.run_record import short_names
from rave_mm.networks.light_map_unet import LightMapUNet
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.processes import run_in_processes, run_tool
from tests.tools.loading import TOOLS, load_tool

ROOT = Path(__file__).parents[2]
TOOL = TOOLS / "test.py"
CONFIG = "demo/rave_demo_paper_network.py"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run tools/test.py here; its exit status."""
    module = load_tool("test")
    monkeypatch.setattr(sys, "argv", ["test.py", *map(str, arguments)])
    try:
        module.main()
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
    return 0


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with three pairs, a checkpoint, and no internet."""

    def fetch(*arguments: object, **settings: object) -> None:
        raise URLError("no internet in tests")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    for name in ("RAVE_MM_WEIGHTS", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder in ("resize_input", "resize_gt"):
        (tmp_path / "data/demo/test" / folder).mkdir(parents=True)
    for name in ("c", "a", "b"):
        noise = np.stack([smooth_noise(100, 200, 5, rng) for _ in range(3)], -1)
        noise += rng.normal(0, 0.2, noise.shape)
        photo = np.clip((180, 140, 90) + 40 * noise, 0, 255).astype(np.uint8)
        write_photo(tmp_path / f"data/demo/test/resize_gt/{name}.png", photo)
        backlit = synthetic_backlight(photo, rng)
        write_photo(tmp_path / f"data/demo/test/resize_input/{name}.png", backlit)
    generator = LightMapUNet(start="identity").state_dict()
    weights = {f"generator.{k}": v + 0.01 * torch.randn_like(v) for k, v in generator.items()}
    torch.save(weights, tmp_path / "weights.pth")
    return tmp_path


def read(folder: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """report.json and the lines of photos.csv."""
    with (folder / "photos.csv").open(encoding="utf-8") as file:
        return json.loads((folder / "report.json").read_text()), list(csv.DictReader(file))


def test_what_a_run_leaves(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--metrics", "PSNR", "SSIM", "NIQE", "--out", "figures.json")
    assert run(monkeypatch, CONFIG, "weights.pth", "--work-dir", "run", *arguments) == 0
    record, lines = read(work / "run")
    assert record["protocol"] == "standard" and record["not_computed"] == {}
    assert list(record["figures"]) == ["PSNR-RGB", "SSIM-RGB", "NIQE-gray"]
    assert [line["name"] for line in lines] == ["a.png", "b.png", "c.png"]
    for name, figure in record["figures"].items():
        for kind, column in (
            ("result", name),
            ("input", f"input/{name}"),
            ("gain", f"gain/{name}"),
        ):
            mean = sum(float(line[column]) for line in lines) / 3
            assert figure[kind] == pytest.approx(mean, abs=2e-6), column
    assert record["figures"]["NIQE-gray"]["better"] == "lower"
    truth, backlit = (
        read_photo(work / f"data/demo/test/{folder}/b.png")
        for folder in ("resize_gt", "resize_input")
    )
    wanted = peak_signal_noise_ratio(truth, backlit, data_range=255)
    assert float(lines[1]["input/PSNR-RGB"]) == pytest.approx(wanted, abs=1e-5)

    photos = record["photos"]
    assert photos["count"] == 3 and photos["equal"] == []
    assert photos["list_sha256"] == hashlib.sha256(b"a.png\nb.png\nc.png\n").hexdigest()
    content = (work / "weights.pth").read_bytes()
    assert record["checkpoint"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["versions"]["mmagic"] and record["date"] and record["processes"] == 1
    assert record["metrics"][0] == {"type": "PhotoPSNR", "colour": "RGB"}
    assert set(record["seconds"]["metrics"]) == set(record["figures"])

    page = (work / "run/report.html").read_text()
    assert page.count("data:image/jpeg") == 9
    worst = min(lines, key=lambda line: float(line["gain/PSNR-RGB"]))["name"]
    assert page.partition("<figure class=photo>")[2].startswith(f"<figcaption>{worst}")
    figures = json.loads((work / "figures.json").read_text())
    assert set(figures) == {
        f"{i}{n}" for n in ("PSNR", "SSIM", "NIQE-gray") for i in ("", "input/")
    }
    assert figures["PSNR"] == record["figures"]["PSNR-RGB"]["result"]


def test_what_cannot_be_computed_is_told_and_the_rest_is(
    work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also by a protocol that is chosen, of photos of which two are equal."""
    for folder in ("resize_input", "resize_gt"):
        shutil.copy(*(work / f"data/demo/test/{folder}/{name}.png" for name in ("a", "z")))
    arguments = ("--protocol", "rave-paper", "--gt-mean", "--work-dir", "run")
    assert run(monkeypatch, CONFIG, "weights.pth", *arguments) == 3
    record, lines = read(work / "run")
    assert record["protocol"] == "rave-paper"
    gray = ("PSNR-swapped-gray", "SSIM-swapped-gray-uniform7")
    assert list(record["figures"]) == [*gray, *(f"{name}-GTmean" for name in gray)]
    missing = record["not_computed"]["LPIPS-alex-imagenet-short1024"]
    assert "alexnet-owt-7be5be79.pth are not on this machine" in missing["reason"]
    place = work / "RAVE_MM_WEIGHTS/alexnet-owt-7be5be79.pth"
    assert missing["remedy"].endswith(f"put it at {place}")
    assert record["photos"]["equal"] == [["a.png", "z.png"]] and len(lines) == 4
    log = next((work / "run").glob("*/*.log")).read_text()
    told = log.index("LPIPS-alex-imagenet-short1024 cannot be computed")
    assert told < log.index("Load checkpoint from") < log.index("protocol rave-paper, 4 photos")
    assert "a.png and z.png are of equal content" in log
    assert "alexnet-owt-7be5be79.pth" in (work / "run/report.html").read_text()


def test_photos_without_ground_truth(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "data/demo/test/resize_input").rename(work / "data/Backlit300")
    options = ("--cfg-options", "test_dataloader.num_workers=0")
    options += ("test_dataloader.persistent_workers=False", "test_dataloader.batch_size=1")
    arguments = ("rave/rave_backlit300.py", "weights.pth", *options)
    assert run(monkeypatch, *arguments, "--work-dir", "run") == 3  # MUSIQ's package is not there
    record, lines = read(work / "run")
    assert list(record["figures"]) == ["NIQE-gray"] and len(lines) == 3
    assert set(record["not_computed"]) == {"MUSIQ-koniq"}
    log = next((work / "run").glob("*/*.log")).read_text()
    assert "Cannot find key" not in log
    assert len(list((work / "run").glob("*/vis_data/vis_image/*.png"))) == 3

    named = ("--protocol", "clip-lit-paper", "--work-dir", "named")
    assert run(monkeypatch, *arguments, *named) == 3
    record, _ = read(work / "named")
    without_truth = ("PSNR-RGB-8bit", "SSIM-RGB-8bit", "LPIPS-alex-8bit")
    assert list(record["not_computed"]) == [*without_truth, "MUSIQ-koniq-8bit"]
    reasons = [record["not_computed"][name]["reason"] for name in without_truth]
    assert reasons == ["there is no ground truth"] * 3

    assert run(monkeypatch, *arguments, "--work-dir", "none", "--metrics", "PSNR", "FID") == 3
    record, lines = read(work / "none")
    assert record["figures"] == {} and record["photos"]["count"] == 3
    assert lines == [{"name": name} for name in ("a.png", "b.png", "c.png")]
    log = next((work / "none").glob("*/*.log")).read_text()
    assert "protocol standard, 3 photos" in log
    page = (work / "none/report.html").read_text()
    assert "None of the 3 photos is shown, since no figure could be computed." in page
    assert record["not_computed"]["PSNR-RGB"]["reason"] == "there is no ground truth"


def test_wrong_names_are_refused(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, CONFIG, "weights.pth", "--protocol", "paper") == 2
    told = capsys.readouterr().err
    assert all(protocol in told for protocol in PROTOCOLS)
    with pytest.raises(ValueError, match="metric: got 'LPIPS-resnet', expected some of PSNR-RGB"):
        run(monkeypatch, CONFIG, "weights.pth", "--metrics", "LPIPS-resnet")


def test_a_cut_photo_is_named(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = work / "data/demo/test/resize_input/b.jpg"
    photo = read_photo(path.with_suffix(".png"))
    path.with_suffix(".png").unlink()
    write_photo(path, photo)
    path.write_bytes(path.read_bytes()[:-900])
    arguments = (CONFIG, "weights.pth", "--metrics", "PSNR", "--work-dir", "run")
    assert run(monkeypatch, *arguments) == 2
    assert re.search(r"1 cannot be read:\n.*b\.jpg: .*cut short", capsys.readouterr().err)


def test_names_of_photos() -> None:
    assert short_names(["x/a.png", "x/b.png"]) == {"x/a.png": "a.png", "x/b.png": "b.png"}
    assert short_names(["x/a.png", "y/a.png"]) == {n: n for n in ("x/a.png", "y/a.png")}


@pytest.mark.slow
def test_two_processes_give_the_same_figures(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three photos for two processes: the sampler gives one of them twice."""
    (work / "RAVE_MM_WEIGHTS").mkdir()
    backbone = squeezenet1_1(weights=None).state_dict()  # seeded, and quicker than alex
    torch.save(backbone, work / "RAVE_MM_WEIGHTS" / BACKBONES["squeeze"])
    arguments = [CONFIG, "weights.pth", "--gt-mean"]
    arguments += ["--metrics", "PSNR", "SSIM", "NIQE", "LPIPS-squeeze"]
    with_launcher = [*arguments, "--launcher", "pytorch", "--work-dir", "two"]
    run_in_processes(2, run_tool, "test", *with_launcher)
    assert run(monkeypatch, *arguments, "--work-dir", "one") == 0
    (one, lines_one), (two, lines_two) = read(work / "one"), read(work / "two")
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["figures"] == two["figures"] and len(one["figures"]) == 7
    assert one["figures"]["LPIPS-squeeze"]["result"] > 0
    assert lines_one == lines_two and one["photos"] == two["photos"]
    pages = [(work / name / "report.html").read_text() for name in ("one", "two")]
    photos = [page.partition("<h2>Photos")[2].partition("<h2>What")[0] for page in pages]
    assert photos[0] == photos[1]
