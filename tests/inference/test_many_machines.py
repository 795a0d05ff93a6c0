"""Ray enhances a folder with two workers, and starts one again that was killed; or a bucket."""

import builtins
import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from moto.server import ThreadedMotoServer
from PIL import Image
from pyarrow import fs

import rave_mm
from rave_mm.inference.many_machines import EnhanceWorker, photo_rows
from rave_mm.photos.reading import read_photo
from rave_mm.photos.writing import write_photo
from tests.code_blocks import ROOT, blocks

COUNT = 6


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Ray of this machine; the folder that its workers run in."""
    own_print, folder = builtins.print, tmp_path_factory.mktemp("ray")
    # Workers import this test, whose folder they do not know.
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patching:
        patching.chdir(folder)
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=10**8,
            runtime_env={"env_vars": {"PYTHONPATH": path}},
            _temp_dir=str(folder),
        )
        yield folder
        ray.shutdown()
    builtins.print = own_print  # Ray's progress bars have put another in its place


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos, one below another folder, a file that is none, and one that is damaged."""
    folder = tmp_path / "photos"
    for index in range(COUNT):
        ramp = np.linspace(5, 200 + index, 90)[None, :, None] * np.array([1, 0.9, 0.8])
        name = f"{index}.png" if index else "below/0.png"
        write_photo(folder / name, np.repeat(ramp, 60, axis=0).astype(np.uint8))
    (folder / "notes.txt").write_text("no photo")
    (folder / "damaged.png").write_bytes((folder / "1.png").read_bytes()[:200])
    return folder


@pytest.fixture
def bucket(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket of this machine's own object store (S3), which has the photos."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "anyone",
        "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_DEFAULT_REGION": "us-east-1",
        "no_proxy": host,
    }.items():
        monkeypatch.setenv(name, value)
    store, _ = fs.FileSystem.from_uri("s3://bucket?allow_bucket_creation=true")
    store.create_dir("bucket")
    fs.copy_files(str(photos), "s3://bucket/photos")
    yield "s3://bucket"
    server.stop()


class KilledOnce(EnhanceWorker):
    """A worker that is killed, as for want of memory, when it first comes to one photo."""

    def __init__(self, out: str, mark: str) -> None:
        super().__init__(out)
        self.mark = Path(mark)

    def __call__(self, row: dict[str, str]) -> dict[str, Any]:
        if row["name"] == "3.png" and not self.mark.exists():
            self.mark.touch()
            os._exit(9)
        return super().__call__(row)


@pytest.mark.slow
def test_a_folder_with_two_workers_one_of_which_is_killed(
    cluster: Path, photos: Path, tmp_path: Path
) -> None:
    out, mark = tmp_path / "bright", tmp_path / "was_killed"
    arguments = {"out": str(out), "mark": str(mark)}
    rows = ray.data.from_items(photo_rows(str(photos)), override_num_blocks=4)
    done = rows.map(KilledOnce, fn_constructor_kwargs=arguments, concurrency=2).take_all()
    assert mark.exists()
    status = {row["name"]: row["status"] for row in done}
    assert status.pop("damaged.png") == "failed" and len(done) == COUNT + 1
    assert set(status.values()) <= {"done", "skipped"} and len(status) == COUNT
    for name in status:
        wanted = rave_mm.enhance(read_photo(photos / name))
        assert np.abs(read_photo(out / name).astype(int) - wanted).max() <= 1
    assert not list(out.rglob(".*")), "nothing is left half-written"


@pytest.mark.slow
def test_the_lines_of_the_docs(cluster: Path, photos: Path) -> None:
    (lines,) = (block.code for block in blocks("docs/scale.md") if block.kind == "python")
    shutil.copytree(photos, cluster / "my/photos")
    exec(lines, {})
    assert len(list((cluster / "bright").rglob("*.png"))) == COUNT
    report = "".join(path.read_text() for path in (cluster / "report").iterdir())
    assert report.count("done") == COUNT and "damaged or cut short" in report


def test_what_is_there_is_skipped_and_what_fails_is_told(photos: Path, tmp_path: Path) -> None:
    """Without Ray: a worker is a function of rows."""
    worker, rows = EnhanceWorker(str(tmp_path / "bright"), strength=0.5), photo_rows(str(photos))
    first, second = ({row["name"]: worker(row) for row in rows} for _ in range(2))
    assert first["below/0.png"]["status"] == "done" and second["below/0.png"]["status"] == "skipped"
    assert first["below/0.png"]["result"] == f"{tmp_path}/bright/below/0.png"
    assert 0 <= first["1.png"]["newly_clipped"] < 1
    assert second["damaged.png"]["status"] == "failed"
    assert "damaged or cut short" in second["damaged.png"]["reason"]
    assert worker({"photo": f"{photos}/gone.png", "name": "gone.png"})["status"] == "failed"


def test_photos_of_an_object_store(bucket: str, photos: Path) -> None:
    rows = photo_rows(f"{bucket}/photos/")
    assert [row["name"] for row in rows] == [row["name"] for row in photo_rows(str(photos))]
    worker = EnhanceWorker(f"{bucket}/bright")
    first, second = ({row["name"]: worker(row) for row in rows} for _ in range(2))
    assert first["below/0.png"]["result"] == f"{bucket}/bright/below/0.png"
    store, _ = fs.FileSystem.from_uri(bucket)
    for name, told in first.items():
        if name == "damaged.png":
            assert told["status"] == "failed" and "damaged or cut short" in told["reason"]
            continue
        assert (told["status"], second[name]["status"]) == ("done", "skipped")
        with store.open_input_stream(f"bucket/bright/{name}") as stream:
            result = np.array(Image.open(BytesIO(stream.read())))
        wanted = rave_mm.enhance(read_photo(photos / name))
        assert np.abs(result.astype(int) - wanted).max() <= 1
    gone = worker({"photo": f"{bucket}/photos/gone.png", "name": "gone.png"})
    assert gone["status"] == "failed" and "bucket/photos/gone.png" in gone["reason"]


def test_a_photo_under_a_wrong_name(photos: Path, tmp_path: Path) -> None:
    """Its result has the extension of what it holds, and is found again."""
    (photos / "1.png").rename(photos / "wrong.jpg")
    worker = EnhanceWorker(str(tmp_path / "bright"))
    row = {"photo": f"{photos}/wrong.jpg", "name": "wrong.jpg"}
    told = [worker(row) for _ in range(2)]
    assert [each["status"] for each in told] == ["done", "skipped"]
    assert told[0]["result"] == told[1]["result"] == f"{tmp_path}/bright/wrong.png"


@pytest.mark.parametrize("folder", ["", "gone"], ids=["empty", "none"])
def test_a_folder_without_photos_is_told(tmp_path: Path, folder: str) -> None:
    with pytest.raises(ValueError, match=f"no photo below {tmp_path / folder}"):
        photo_rows(str(tmp_path / folder))
