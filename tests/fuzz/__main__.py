"""Changes files at random, and sees whether a reader does anything but read or refuse them.

    python -m tests.fuzz --minutes 10

Small good files are changed (bytes, pieces, ends) and read in a process of their own. A crash, a
read that does not end, an exception other than the reader's own, or values that are no picture are
findings: the file is kept. Seeded, so that a run can be repeated.
"""

import argparse
import multiprocessing
import random
import resource
import sys
import time
from collections import Counter
from multiprocessing.context import ForkProcess
from pathlib import Path

import torch
from tqdm import tqdm

from tests.fuzz.readers import READERS, Reader
from tests.fuzz.seeds import write_seeds

PATIENCE = 20.0  # seconds for one file
MEMORY = 6 * 10**9
BATCH = 200


def changed(content: bytes, rng: random.Random) -> bytes:
    """A file with one to eight changes, most of them small."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        place = rng.randrange(len(data))
        kind = rng.randrange(7)
        if kind == 0:
            data[place] = rng.randrange(256)
        elif kind == 1:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 2:  # sizes and counts
            number = rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))
            width = rng.choice((1, 2, 4))
            order = rng.choice(("little", "big"))
            data[place : place + width] = (number & (256**width - 1)).to_bytes(width, order)
        elif kind == 3:
            del data[place : place + rng.randrange(1, 40)]
        elif kind == 4:
            data[place:place] = rng.randbytes(rng.randrange(1, 40))
        elif kind == 5:
            piece = data[place : place + rng.randrange(1, 200)]
            other = rng.randrange(len(data))
            data[other : other + len(piece)] = piece
        elif rng.random() < 0.3:
            del data[place:]
    return bytes(data)


def read_many(reader: Reader, files: list[tuple[Path, bytes]], report: Path) -> None:
    """Read files one after another; the report has a line for each, begun before it is read."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with report.open("w", buffering=1) as lines:
        for path, content in files:
            path.write_bytes(content)
            lines.write(f"{path.name} ")
            lines.flush()
            lines.write(f"{reader.try_to_read(path)}\n")
            path.unlink()


def watch(process: ForkProcess, report: Path) -> str:
    """Wait until all is read; what is wrong where it ends otherwise."""
    size, since = -1, time.monotonic()
    while process.is_alive():
        process.join(0.2)
        now = report.stat().st_size if report.is_file() else 0
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            process.kill()
            process.join()
            return f"does not end within {PATIENCE:.0f} s"
    return "" if process.exitcode == 0 else f"crashes (exit code {process.exitcode})"


def fuzz(reader: Reader, minutes: float, seed: int, out: Path) -> tuple[Counter[str], list[str]]:
    """Fuzz a reader.

    Returns:
        How many files were read and how many refused, and a line for each finding.
    """
    folder = out / reader.name
    folder.mkdir(parents=True, exist_ok=True)
    seeds = write_seeds(reader.name, folder / "seeds")
    counted: Counter[str] = Counter()
    findings: list[str] = []
    rng, end, report = random.Random(seed), time.monotonic() + 60 * minutes, folder / "report"
    number = 0
    while time.monotonic() < end:
        files = []
        for _ in range(BATCH):
            chosen = rng.choice(seeds)
            files.append((folder / f"{number}{chosen.suffix}", changed(chosen.read_bytes(), rng)))
            number += 1
        report.unlink(missing_ok=True)
        process = multiprocessing.get_context("fork").Process(
            target=read_many, args=(reader, files, report)
        )
        process.start()
        wrong = watch(process, report)
        contents = {path.name: content for path, content in files}
        for line in report.read_text().splitlines():
            name, _, told = line.partition(" ")
            if told in ("read", "refused"):
                counted[told] += 1
                continue
            kept = out / "findings" / f"{reader.name}-{seed}-{name}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(contents[name])
            findings.append(f"{kept}: {told or wrong}")
            tqdm.write(findings[-1])
            with (out / "findings.txt").open("a") as lines:
                lines.write(f"{findings[-1]}\n")
    return counted, findings


def main() -> int:
    """Fuzz readers, and print what came of it; 1 if anything was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [reader.name for reader in READERS]
    parser.add_argument("--minutes", type=float, default=10, help="for each reader (default: 10)")
    parser.add_argument("--readers", nargs="+", choices=names, default=names, help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/fuzz"))
    given = parser.parse_args()
    found = 0
    torch.set_num_threads(1)  # a process that is forked has no part in PyTorch's threads
    for reader in READERS:
        if reader.name not in given.readers:
            continue
        counted, findings = fuzz(reader, given.minutes, given.seed, given.out)
        found += len(findings)
        print(
            f"{reader.name}: {sum(counted.values())} changed files, {counted['read']} read, "
            f"{counted['refused']} refused, {len(findings)} findings",
            flush=True,
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
