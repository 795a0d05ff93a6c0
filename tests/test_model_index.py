"""The index of models that OpenMMLab's tools read, and the pages of the config folders."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
METAFILES = [
    ROOT / name for name in yaml.safe_load((ROOT / "model-index.yml").read_text())["Import"]
]
PAGES = sorted((ROOT / "configs").glob("*/README.md"))


def models() -> list[dict]:
    return [model for path in METAFILES for model in yaml.safe_load(path.read_text())["Models"]]


def test_every_metafile_is_imported() -> None:
    assert sorted(METAFILES) == sorted((ROOT / "configs").glob("*/metafile.yml"))


def test_every_config_of_a_method_is_in_the_index() -> None:
    listed = [model["Config"] for model in models()]
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("rave", "clip_lit", "clip_lit_latent", "demo")
        for path in (ROOT / "configs" / folder).glob("*.py")
    }
    # What a command sets the folders of, what is tested alone, and what has a model card.
    found -= {
        "configs/rave/rave_own_photos.py",
        "configs/rave/rave_own_photos_bundled_clip.py",
        "configs/rave/rave_backlit300.py",
        "configs/demo/bundled_enhancer.py",
    }
    assert sorted(listed) == sorted(found)


@pytest.mark.parametrize("path", METAFILES, ids=lambda path: path.parent.name)
def test_a_metafile(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    (collection,) = content["Collections"]
    assert (ROOT / collection["README"]).is_file()
    for model in content["Models"]:
        assert model["Name"] == Path(model["Config"]).stem
        assert model["In Collection"] == collection["Name"]


def test_published_weights_are_of_a_fixed_commit() -> None:
    """An address of a branch would give another file one day."""
    addresses = [model["Weights"] for model in models() if "Weights" in model]
    assert len(addresses) == 6
    for address in addresses:
        assert re.fullmatch(r"https://github\.com/\S+/raw/[0-9a-f]{40}/\S+\.pth", address)


def test_its_figures_are_those_of_the_docs() -> None:
    pages = [*PAGES, ROOT / "docs/demo.md", ROOT / "docs/clip_lit.md"]
    rows = [line for page in pages for line in page.read_text().splitlines() if line[:1] == "|"]
    measured = [model for model in models() if model["Results"][0]["Metrics"]]
    assert len(measured) == 4
    for model in measured:
        figures = model["Results"][0]["Metrics"]
        wanted = {f"{figures['PSNR']:.2f}", f"{figures['SSIM']:.3f}"}
        own = [row for row in rows if f"{model['Name']}.py" in row]
        assert own and all(wanted <= {*re.findall(r"[\d.]+", row)} for row in own), model["Name"]
        elsewhere = [row for row in rows if f"{model['Name']}.py" not in row]
        assert any(wanted <= {*re.findall(r"[\d.]+", row)} for row in elsewhere), model["Name"]


def test_readmes_figures_are_those_of_the_results() -> None:
    """Rounded, for a reader who wants only the size of things."""
    table = (ROOT / "README.md").read_text().split("## Results")[1].split("##")[0]
    results = (ROOT / "docs/results.md").read_text()
    known = [float(number) for number in re.findall(r"(?<![\d.])\d+\.\d+(?!\.?\d)", results)]
    figures = [
        figure
        for row in re.findall(r"^\|(.+)\|$", table, re.MULTILINE)[2:]
        for figure in re.findall(r"\d+\.\d+", "|".join(row.split("|")[1:3]))
    ]
    assert len(figures) >= 12
    for figure in figures:
        digits = len(figure.partition(".")[2])
        assert any(f"{number:.{digits}f}" == figure for number in known), figure


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"]\(([^)#]+)", page.read_text())
    assert links
    for link in links:
        assert "://" in link or (page.parent / link).exists(), link


def test_mmengine_finds_a_config_by_the_index() -> None:
    from mmengine import hub

    import rave_mm.registry  # noqa: F401 - MMEngine then knows the package

    if not (ROOT / "rave_mm/.mim/model-index.yml").is_file():
        pytest.skip("not installed")
    config = hub.get_config("rave_mm::rave/rave_baid_paired.py")
    assert config.model.type == "BacklitEnhancer"
