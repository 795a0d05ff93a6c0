from pathlib import Path
from typing import Any

import pytest
import torch

from rave_mm.losses.pair_files import fingerprint_bytes, fingerprint_text, read_pair, write_pair

KEYS = ("embedding", "embedding_prompt")


@pytest.mark.parametrize("key", ["embedding_prompt", "module.embedding_prompt", "pair.embedding"])
@pytest.mark.parametrize("nested", [False, True], ids=["bare", "checkpoint"])
def test_every_layout_is_read(key: str, nested: bool, tmp_path: Path) -> None:
    values = torch.randn(2, 5, 4)
    content: dict[str, Any] = {key: values.double(), "generator.weight": torch.ones(3)}
    torch.save({"state_dict": content, "meta": {"iter": 3}} if nested else content, tmp_path / "p")
    stored = read_pair(tmp_path / "p", KEYS)
    torch.testing.assert_close(stored.values, values)
    assert stored.end is None and fingerprint_text(stored.fingerprint) == ""


def test_what_is_written_is_read(tmp_path: Path) -> None:
    end, fingerprint = torch.tensor([3, 4]), fingerprint_bytes("0123456789abcdef")
    write_pair(
        tmp_path / "new/p.pth",
        {"embedding": torch.ones(2, 5, 4), "end": end, "fingerprint": fingerprint, "clip": "c"},
    )
    stored = read_pair(tmp_path / "new/p.pth", KEYS)
    assert stored.end is not None and torch.equal(stored.end, end)
    assert fingerprint_text(stored.fingerprint) == "0123456789abcdef"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["p.pth"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"module.weight": torch.ones(1)},
            r"no pair: expected one of the keys embedding, .*found "
            r"module\.weight",
        ),
        ({f"w{i}": torch.ones(1) for i in range(9)}, r"found w0, .*w7, \.\.\. \(9\)"),
        ({"embedding": torch.ones(1), "embedding_prompt": torch.ones(1)}, "holds several pairs"),
        ({"embedding": "two"}, "no pair.*found embedding"),
        ([torch.ones(1)], "no pair.*found no keys"),
        ({}, "no pair.*found no keys"),
    ],
)
def test_a_file_without_one_pair_tells_its_keys(content: Any, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "p.pth")
    with pytest.raises(ValueError, match=message):
        read_pair(tmp_path / "p.pth", KEYS)


@pytest.mark.parametrize("content", [b"", b"not tensors at all"])
def test_a_file_of_something_else(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"p\.pth: cut off, or no file that PyTorch wrote"):
        read_pair(tmp_path / "p.pth", KEYS)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_pair(tmp_path / "p.pth", KEYS)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"embedding": Path("p")}, tmp_path / "p.pth")
    with pytest.raises(ValueError, match="Nothing of it was run"):
        read_pair(tmp_path / "p.pth", KEYS)
