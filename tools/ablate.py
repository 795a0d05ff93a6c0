"""Train and test a config over a grid of settings and seeds, and put the figures into one table.

    python tools/ablate.py demo/ablations/weight.py
    python tools/ablate.py demo/rave_demo.py --vary optim_wrapper.optimizer.lr=1e-4,2e-4 --seeds 0 1

The grid is the config's `ablation` (docs/residual.md), or --vary. A run is trained by
tools/train.py and its last checkpoint tested by tools/test.py. What is finished is not run again,
also when another grid asks for it; what was interrupted goes on where it stopped, and a test that
could not compute a metric is made again. A run of other settings, another bundled CLIP, other
photographs or another file that the config names is another run; for other code, begin in another
WORK_DIR.

Into WORK_DIR/NAME go runs.csv, table.md and figure.png, into WORK_DIR/runs what each run leaves.
The exit status is 1 if a run failed, or a metric could not be computed; its log says why.
"""

import argparse
import itertools
import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rave_mm.engine.arguments import add_settings
from rave_mm.runtime.command import as_typed


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="a config file, or the name of one of this package")
    parser.add_argument(
        "--vary",
        nargs="+",
        default=(),
        metavar="KEY=VALUE,VALUE",
        help="settings to vary, one axis each, in place of the config's; a list as ['a','b']",
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        help="in place of the grid's, for its seed_keys (default of both: 0, randomness.seed)",
    )
    add_settings(parser, "for every run")
    parser.add_argument(
        "--devices", nargs="+", default=[], help="GPUs by number, a run at a time on each"
    )
    parser.add_argument(
        "--work-dir",
        type=Path,
        default=Path("work_dirs/ablations"),
        help="where everything goes (default: work_dirs/ablations)",
    )
    parser.add_argument(
        "--name", help="of the folder of the table (default: by the config and what is varied)"
    )
    parser.add_argument("--dry-run", action="store_true", help="list the runs and stop")
    given = parser.parse_args(arguments)
    given.launcher, given.local_rank = "none", 0
    return given


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

from rave_mm import config_path
from rave_mm.ablation.grid import Run, plan_runs, read_grid
from rave_mm.ablation.results import Result, draw_results, runs_csv, settings_table
from rave_mm.engine.command_line import NOT_COMPUTED, load_config
from rave_mm.runtime.whole_files import replacing, write_whole

TOOLS = Path(__file__).resolve().parent


def finished(run: Run, folder: Path) -> Result | None:
    """What a run found, if it was finished before."""
    try:
        record = json.loads((folder / "result.json").read_text())
    except FileNotFoundError:
        return None
    return Result(run.labels, run.seed, run.key, record["figures"], record["seconds"])


def execute(run: Run, folder: Path, device: str | None) -> Result:
    """Train and test a run; what it prints goes to `log.txt`.

    It is finished when all its figures could be computed.
    """
    started = time.time()
    config, figures = folder / "config.py", folder / "figures.json"
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(config) as unfinished:
        unfinished.write_text(run.config.pretty_text, encoding="utf-8")
    environment = dict(os.environ)
    if device is not None:
        environment["CUDA_VISIBLE_DEVICES"] = device

    def tool(name: str, *arguments: str | Path) -> int:
        command = [sys.executable, str(TOOLS / f"{name}.py"), str(config), *map(str, arguments)]
        with (folder / "log.txt").open("a", encoding="utf-8") as log:
            done = subprocess.run(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
            )
        return done.returncode

    failed = Result(run.labels, run.seed, run.key, None)
    train = folder / "train"
    if tool("train", "--work-dir", train, "--resume") != 0:
        return failed
    checkpoint = train / Path((train / "last_checkpoint").read_text().strip()).name
    status = tool("test", checkpoint, "--work-dir", folder / "test", "--out", figures)
    if status not in (0, NOT_COMPUTED):
        return failed
    record = {"figures": json.loads(figures.read_text()), "seconds": time.time() - started}
    if status == 0:
        write_whole(folder / "result.json", json.dumps(record, indent=2) + "\n")
    return Result(run.labels, run.seed, run.key, complete=status == 0, **record)


def execute_all(runs: Sequence[Run], folder: Path, devices: Sequence[str]) -> list[Result]:
    """Run each on the next device that is free, or one after another where none is named.

    Settings that come to the same are run once; what is finished is not run again.
    """
    different = {run.key: run for run in runs}
    free: queue.Queue[str | None] = queue.Queue()
    for device in devices or (None,):
        free.put(device)

    def one(number: int, run: Run) -> Result:
        place, log = f"[{number}/{len(different)}] {run.name}", folder / run.key / "log.txt"
        device = free.get()
        try:
            result = finished(run, folder / run.key)
            if result is None:
                print(f"{place}: runs, see {log}", flush=True)
                result = execute(run, folder / run.key, device)
        finally:
            free.put(device)
        if result.figures is None:
            told = f"failed: {log}"
        else:
            told = ", ".join(f"{k} {v:.3f}" for k, v in result.figures.items() if "/" not in k)
            told += f" ({result.seconds / 60:.1f} minutes)"
            if not result.complete:
                told += f"; a metric could not be computed, see {log}"
        print(f"{place}: {told}", flush=True)
        return result

    with ThreadPoolExecutor(max(len(devices), 1)) as pool:
        results = pool.map(one, itertools.count(1), different.values())
        found = dict(zip(different, results, strict=True))
    return [replace(found[run.key], labels=run.labels, seed=run.seed) for run in runs]


def default_name(config: Path, vary: Sequence[str]) -> str:
    """As `demo-weight` for `demo/ablations/weight.py`: grids of two sets do not share a table."""
    root = config_path("demo/rave_demo").parents[1]
    path = config.resolve().with_suffix("")
    parts = path.relative_to(root).parts if path.is_relative_to(root) else (path.name,)
    varied = [argument.partition("=")[0].rpartition(".")[2] for argument in vary]
    return "-".join([*(part for part in parts if part != "ablations"), *varied])


def main(given: argparse.Namespace | None = None) -> None:
    given = given or parse_arguments()
    config = load_config(given)
    grid = read_grid(config, given.vary, given.seeds)
    runs = list(plan_runs(config, grid))
    runs_folder = given.work_dir / "runs"
    if given.dry_run:
        for run in runs:
            state = "finished" if finished(run, runs_folder / run.key) else "to do"
            print(f"{run.key}  {state:9} {run.name}")
        return
    results = execute_all(runs, runs_folder, given.devices)
    name = given.name or default_name(Path(config.filename), given.vary)
    axes, folder = list(grid.axes), given.work_dir / name
    table = settings_table(axes, results)
    write_whole(folder / "runs.csv", runs_csv(axes, results))
    write_whole(folder / "table.md", table)
    print(f"\n{table}\ntable   {folder / 'table.md'}\nruns    {folder / 'runs.csv'}")
    if any(result.figures for result in results):
        draw_results(axes, results, folder / "figure.png")
        print(f"figure  {folder / 'figure.png'}")
    if any(result.figures is None or not result.complete for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main(given)
