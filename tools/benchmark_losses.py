"""What each term of a model's LossSum costs: `python tools/benchmark_losses.py mix/nafnet.py`.

Training steps on one batch, with the first term alone, with each other beside it, with all, and
with all while the gradients are looked at. The variants take turns, and the median of each counts.
On a CPU it is the process's own time, which other work on the machine does not count into; on a GPU
it is the clock's. The memory is what a step takes at most, beyond what is held between steps (all
weights, CLIP's too, and the optimizer's state).
"""

import argparse
import copy
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rave_mm.engine.arguments import add_run_arguments
from rave_mm.runtime.command import as_typed


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=as_typed(__doc__))
    add_run_arguments(parser)
    parser.add_argument("--steps", type=int, default=10, help="steps of each variant")
    return parser.parse_args()


if __name__ == "__main__":
    # Before what takes seconds to import: --help and mistakes are told at once.
    given = parse_arguments()

import torch
from mmengine.config import Config
from mmengine.model import ModuleDict, is_model_wrapper

from rave_mm.benchmark.step_cost import spent_time, taken_memory
from rave_mm.engine.command_line import build_runner, load_config
from rave_mm.engine.loss_inputs_hook import LossInputsHook
from rave_mm.losses.loss_sum import LossSum

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def variants(names: list[str]) -> dict[str, tuple[list[str], int]]:
    """Which terms, and how often to look at their gradients, by what to call it."""
    beside = {f"{names[0]} + {name}": ([names[0], name], 0) for name in names[1:]}
    if len(names) == 2:  # these are all
        beside = {}
    return {
        f"{names[0]} alone": (names[:1], 0),
        **beside,
        "all": (names, 0),
        "all, gradients in each step": (names, 1),
    }


def measure(config: Config, steps: int) -> dict[str, tuple[float, float]]:
    """Median seconds, and the MiB, of each variant; the config is changed.

    Raises:
        TypeError: the model's pixel loss is no LossSum.
    """
    with TemporaryDirectory() as folder:
        config.work_dir, config.experiment_name = folder, Path(folder).name
        config.log_level = "WARNING"
        runner = build_runner(config)
        model: Any = runner.model.module if is_model_wrapper(runner.model) else runner.model
        loss = model.pixel_loss
        if not isinstance(loss, LossSum):
            raise TypeError(f"pixel_loss: got a {type(loss).__name__}, expected a LossSum")
        optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        model.init_weights()
        model.train()
        batch = next(iter(runner.build_dataloader(config.train_dataloader, seed=0)))
        for hook in runner.hooks:
            if isinstance(hook, LossInputsHook):
                hook.before_train(runner)
        terms = dict(loss.terms.items())

        def step() -> None:
            model.train_step(copy.deepcopy(batch), optim_wrapper)  # the preprocessor writes into it

        memory: dict[str, float] = {}
        seconds: dict[str, list[float]] = {}
        for turn in range(steps + 1):
            for title, (names, every) in variants(list(terms)).items():
                loss.terms = ModuleDict({name: terms[name] for name in names})
                loss.gradients_every = every
                if turn == 0:
                    step()  # warms up
                    memory[title] = taken_memory(step, DEVICE) / 2**20
                else:
                    seconds.setdefault(title, []).append(spent_time(step, DEVICE))
    return {title: (statistics.median(seconds[title]), memory[title]) for title in seconds}


def main(given: argparse.Namespace | None = None) -> None:
    arguments = given or parse_arguments()
    config = load_config(arguments)
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    figures = measure(config, arguments.steps)
    alone = next(iter(figures.values()))[0]
    print("| terms | ms per step | relative | MiB |")
    print("| --- | --- | --- | --- |")
    for title, (seconds, memory) in figures.items():
        print(f"| {title} | {1000 * seconds:.0f} | {seconds / alone:.2f} | {memory:.0f} |")


if __name__ == "__main__":
    main(given)
