"""Measure speed and memory: `python tools/benchmark.py enhancing`, `training` or `growth`.

Without a command, enhancing is measured. The ratio of times within one run is what can be compared
between machines. See docs/enhance.md and docs/performance.md.

enhancing: each size in three ways: as the published script does it (the whole photo at once), in
exact tiles, and from a small view: of 384 pixels, or for a network that sees small as it does
(which has no tiles). Each measurement has a process of its own.

training: RAVE's training step, the published way and this project's with each network. The
published way is written anew from what it computes, and gives the same loss. The ways take turns in
one process, on random photographs and CLIPs of the paper's sizes with random weights, which cost as
much as OpenAI's.

growth: how cost grows with the work: a training step with size, batch and processes, enhancing with
megapixels, a residual vector with photographs, and reading it with words. A table, a file, and a
plot.
"""

import argparse
import importlib
import sys
from pathlib import Path

from rave_mm.benchmark.arguments import add_enhancing, add_growth, add_training
from rave_mm.runtime.command import as_typed

COMMANDS = {
    "enhancing": (add_enhancing, "time and memory of enhancing, at several sizes"),
    "training": (add_training, "time and memory of RAVE's training step, ours and the published"),
    "growth": (add_growth, "how cost grows with size, batch, processes, photographs, words"),
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=as_typed(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (add_arguments, text) in COMMANDS.items():
        described = commands.add_parser(name, help=text, description=text)
        add_arguments(described)
        described.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
        described.add_argument("--work-dir", type=Path, default=Path("work_dirs/benchmark"))
    given = sys.argv[1:]
    if not given or given[0] not in (*COMMANDS, "-h", "--help"):
        given = ["enhancing", *given]
    return parser.parse_args(given)


def main() -> None:
    arguments = parse_arguments()
    # What these import takes seconds: only now, MMEngine silenced, MMagic cured, and only one.
    from rave_mm.runtime.compat import apply, silence_import_noise

    silence_import_noise()
    apply()
    run = importlib.import_module(f"rave_mm.benchmark.{arguments.command}_command").run
    run(arguments)


if __name__ == "__main__":
    main()
