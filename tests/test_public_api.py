"""The names that programs of others rely on, and what they take: a change here breaks those."""

import inspect
import subprocess
import sys

import pytest

import rave_mm

TAKES = {
    "CLIPEnhanceLoss": "pair **settings",
    "CLIPIdentityLoss": "layer_weights clip loss_weight channel_order value_range "
    "compare_with_input",
    "FrozenCLIP": "model pretrained precision antialias",
    "LightMapUNet": "padding_mode start init_cfg",
    "PhotoEnhancer": "checkpoint device padding_mode max_memory light_map_side precision",
    "ResidualGuidanceLoss": "residual clip loss_weight channel_order value_range",
    "ResidualVector": "vector target provenance",
    "ShippedEnhancer": "light_map_side",
    "SmallViewLightMapNet": "side widths init_cfg",
    "apply_light_map": "image light_map eps",
    "config_path": "name",
    "enhance": "photos strength **settings",
}


def test_every_public_name_is_listed_here() -> None:
    assert {*rave_mm.__all__} == {*TAKES, "__version__"}
    assert {*dir(rave_mm)} == {*rave_mm.__all__}


@pytest.mark.parametrize("name", TAKES)
def test_what_each_takes(name: str) -> None:
    found = [
        f"**{each.name}" if each.kind == each.VAR_KEYWORD else each.name
        for each in inspect.signature(getattr(rave_mm, name)).parameters.values()
    ]
    assert " ".join(found) == TAKES[name]


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'enhanced'"):
        _ = rave_mm.enhanced


def test_importing_the_package_imports_nothing_else() -> None:
    program = """
import sys
before = set(sys.modules)
import rave_mm
found = {name.partition(".")[0] for name in set(sys.modules) - before}
assert found <= {"rave_mm", "difflib", "importlib", *sys.stdlib_module_names}, found
for name in ("torch", "mmengine"):
    sys.modules[name] = None
try:
    rave_mm.FrozenCLIP
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rave_mm.FrozenCLIP takes PyTorch, but " in done.stdout
    assert "pip install 'rave_mm[train]' && pip install --no-deps mmagic==1.2.0" in done.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["en"], ["enhance"]),
        (["enhance", "--light"], ["--light-map-side"]),
        (["train", "clip_lit/clip_lit_baid_p"], ["clip_lit/clip_lit_baid_paired.py"]),
        (["export-onnx", "x.pth", "--p"], ["--padding-mode"]),
    ],
)
def test_bash_completes(words: list[str], completed: list[str]) -> None:
    """Tools, their options, and configs."""
    line = " ".join(["rave-mm", *words])
    program = f"""
        rave-mm() {{ {sys.executable} -m rave_mm "$@"; }}
        source <(rave-mm --completion)
        COMP_WORDS=({line}); COMP_CWORD={len(words)}; _rave_mm; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == completed
