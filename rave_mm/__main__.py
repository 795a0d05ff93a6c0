"""Run a tool of this package: `rave-mm TOOL [ARGUMENTS]`, or `python -m rave_mm TOOL`."""

import ast
import difflib
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from rave_mm import _shipped
from rave_mm.runtime.extras import HOW_TO_INSTALL


def _tools() -> dict[str, Path]:
    """Map each tool's name to its file."""
    return {
        path.stem.replace("_", "-"): path for path in sorted(_shipped("tools").glob("[!_]*.py"))
    }


def _summary(path: Path) -> str:
    """Read the first line of a tool's docstring without running the tool."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    # How a clone runs it is of no use to who reads this list.
    return re.sub(r": `python tools/.*", ".", docstring.partition("\n")[0])


COMPLETION = r"""# rave-mm's tools, their options, configs and files: source <(rave-mm --completion)
[ -n "$ZSH_VERSION" ] && autoload -U +X bashcompinit && bashcompinit
_rave_mm() {
  local word=${COMP_WORDS[COMP_CWORD]} tool=${COMP_WORDS[1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "%(tools)s" -- "$word"))
  elif [ "${word:0:1}" = - ]; then
    local options=$(rave-mm "$tool" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+' | sort -u)
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [ "$COMP_CWORD" = 2 ]; then
    case "$tool" in
      train|test|ablate|benchmark-losses) COMPREPLY=($(compgen -W "%(configs)s" -- "$word")) ;;
    esac
  fi
}
complete -o bashdefault -o default -F _rave_mm rave-mm
"""
"""For bash, and for zsh by way of bash's: without it, files are completed and nothing else."""


def _completion(tools: dict[str, Path]) -> str:
    root = _shipped("configs")
    configs = [path.relative_to(root) for path in sorted(root.rglob("*.py"))]
    shown = " ".join(path.as_posix() for path in configs if "_base_" not in path.parts)
    return COMPLETION % {"tools": " ".join(tools), "configs": shown}


def _usage(tools: dict[str, Path]) -> str:
    width = max(map(len, tools), default=0)
    lines = [f"  {name:<{width}}  {_summary(path)}" for name, path in tools.items()]
    return "\n".join(
        [
            "usage: rave-mm TOOL [ARGUMENTS]",
            "       rave-mm TOOL --help",
            "       rave-mm --completion",
            "",
            "tools:",
            *lines,
        ]
    )


def main(arguments: list[str]) -> int:
    """Run the tool that the first argument names with the arguments that follow.

    Args:
        arguments: The command line without the program. Empty, `-h` or `--help` prints the list
            of tools; `TOOL --help` is the tool's own help; `--completion` prints what has bash and
            zsh complete them.

    Returns:
        The exit status: 0, or 2 when there is no such tool. A tool that ends by itself with
        another status raises SystemExit.
    """
    tools = _tools()
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage(tools))
        return 0
    if arguments[0] == "--completion":
        print(_completion(tools))
        return 0
    name = arguments[0].removesuffix(".py").replace("_", "-")
    if name not in tools:
        close = difflib.get_close_matches(name, tools, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        print(f"no tool {arguments[0]!r}.{hint}\n\n{_usage(tools)}", file=sys.stderr)
        return 2
    tool = tools[name]
    sys.argv = [f"rave-mm {name}", *arguments[1:]]  # what the tool calls itself in its help
    # What Python does for `python tools/train.py`: tools may import their neighbours.
    sys.path.insert(0, str(tool.parent))
    _run(tool)
    return 0


def _run(tool: Path) -> None:
    """As `runpy.run_path`, which would put the file's name in place of `sys.argv[0]`."""
    module, main_module = ModuleType("__main__"), sys.modules["__main__"]
    module.__file__ = str(tool)
    sys.modules["__main__"] = module
    try:
        exec(compile(tool.read_bytes(), tool, "exec"), module.__dict__)
    except ModuleNotFoundError as error:
        if all(find_spec(package) for package in ("torch", "mmagic")):
            raise
        sys.exit(f"{sys.argv[0]}: got no {error.name}. {HOW_TO_INSTALL['train']}")
    finally:
        sys.modules["__main__"] = main_module


def run() -> None:
    """The command `rave-mm`."""
    try:
        try:
            status = main(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough, as in `rave-mm | head`. What is left would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


if __name__ == "__main__":
    run()
