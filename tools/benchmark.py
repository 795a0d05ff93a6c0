"""Measure speed and memory: `python tools/benchmark.py enhancing`, or `training`.

Without a command, enhancing is measured. The ratio of times within one run is what can be compared
between machines.
"""

import argparse
import sys
from pathlib import Path

from rave_mm.runtime.compat import apply, silence_import_noise

silence_import_noise()
apply()

# E402: these import MMEngine and MMagic, which must be silenced and cured before.
from rave_mm.benchmark import enhancing_command, training_command  # noqa: E402

COMMANDS = {"enhancing": enhancing_command, "training": training_command}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for name, command in COMMANDS.items():
        described = commands.add_parser(
            name,
            help=(command.__doc__ or "").partition(": ")[2].partition(".")[0],
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(described)
        described.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
        described.add_argument("--work-dir", type=Path, default=Path("work_dirs/benchmark"))
        described.set_defaults(run=command.run)
    given = sys.argv[1:]
    if not given or given[0] not in (*COMMANDS, "-h", "--help"):
        given = ["enhancing", *given]
    arguments = parser.parse_args(given)
    arguments.run(arguments)


if __name__ == "__main__":
    main()
