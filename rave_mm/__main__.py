"""Run a tool of this package from anywhere: `python -m rave_mm TOOL [ARGUMENTS]`."""

import ast
import difflib
import runpy
import sys
from pathlib import Path

from rave_mm import _shipped


def _tools() -> dict[str, Path]:
    """Map each tool's name to its file."""
    return {path.stem: path for path in sorted(_shipped("tools").glob("[!_]*.py"))}


def _summary(path: Path) -> str:
    """Read the first line of a tool's docstring without running the tool."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def _usage(tools: dict[str, Path]) -> str:
    width = max(map(len, tools), default=0)
    lines = [f"  {name:<{width}}  {_summary(path)}" for name, path in tools.items()]
    return "\n".join(["usage: python -m rave_mm TOOL [ARGUMENTS]", "", "tools:", *lines])


def main(arguments: list[str]) -> int:
    """Run the tool that the first argument names with the arguments that follow.

    Args:
        arguments: The command line without the program. Empty, `-h` or `--help` prints the list
            of tools; `TOOL --help` is the tool's own help.

    Returns:
        The exit status: 0, or 2 when there is no such tool. A tool that ends by itself with
        another status raises SystemExit.
    """
    tools = _tools()
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage(tools))
        return 0
    name = arguments[0].removesuffix(".py").replace("-", "_")
    if name not in tools:
        close = difflib.get_close_matches(name, tools, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        print(f"no tool {arguments[0]!r}.{hint}\n\n{_usage(tools)}", file=sys.stderr)
        return 2
    tool = tools[name]
    sys.argv = [str(tool), *arguments[1:]]
    # What Python does for `python tools/train.py`: tools may import their neighbours.
    sys.path.insert(0, str(tool.parent))
    runpy.run_path(str(tool), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
