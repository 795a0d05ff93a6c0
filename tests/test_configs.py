"""Every config builds: its model, and its data and loop on a stand-in for the data set."""

from pathlib import Path

import numpy as np
import pytest
from mmagic.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope

import rave_mm
import rave_mm.registry  # noqa: F401 - configs may name bases as rave_mm::
from rave_mm.engine.schedule import read_schedule
from rave_mm.photos.writing import write_photo

ROOT = Path(rave_mm.__file__).parent.parent / "configs"
CONFIGS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.py")
    # Those of other models, configs/mix, train in a test of their own.
    if not {"_base_", "mix"} & set(path.parts)
)


def test_configs_are_found() -> None:
    assert {
        "rave/rave_baid_paired.py",
        "rave/rave_baid_div2k_unpaired.py",
        "rave/rave_lol_v1.py",
        "rave/rave_own_photos.py",
        "rave/rave_own_photos_bundled_clip.py",
        "rave/rave_baid_paired_small_view.py",
        "demo/rave_demo.py",
        "demo/rave_demo_paper_network.py",
        "clip_lit/clip_lit_baid_paired.py",
        "clip_lit/clip_lit_baid_div2k.py",
        "clip_lit_latent/clip_lit_latent_baid_paired.py",
        "clip_lit_latent/clip_lit_latent_baid_div2k.py",
    } <= set(CONFIGS)


def make_photos(folder: Path) -> None:
    for name in ("a", "b"):
        write_photo(folder / f"{name}.png", np.full((30, 40, 3), 90, np.uint8))


@pytest.mark.parametrize("name", CONFIGS)
def test_config_builds(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.fromfile(rave_mm.config_path(name))
    init_default_scope(config.default_scope)
    monkeypatch.chdir(tmp_path)
    model = MODELS.build(config.model)
    loaders = {"train": config.train_dataloader, **config.train_cfg.get("loaders", {})}
    for phase in read_schedule(config.train_cfg.phases).phases:
        model.activate_losses(phase.losses)
        if hasattr(model, "check_phase"):
            model.check_phase(phase)
        assert hasattr(model, phase.trains) and phase.loader in loaders
    train = config.train_dataloader.dataset
    # Two folders of one's own are validated with nothing.
    val = (config.val_dataloader or config.test_dataloader).dataset
    # Each of several that are joined is looked at alone.
    trained = [
        part
        for loader in loaders.values()
        for part in loader.dataset.get("datasets", [loader.dataset])
    ]
    datasets = [val, config.test_dataloader.dataset, *trained]
    folders = {set_[key] for set_ in datasets for key in ("backlit", "well_lit") if key in set_}
    for set_ in datasets:
        folders |= {set_.data_root + prefix for prefix in set_.get("data_prefix", {}).values()}
    residual = config.model.losses.get("guidance", {}).get("residual")
    if residual:
        folders |= {residual.well_lit, residual.backlit}
        assert train.get("backlit", residual.backlit) == residual.backlit
    for folder in folders:
        Path(folder).mkdir(parents=True)
        make_photos(Path(folder))
    for dataset in datasets:
        assert len(DATASETS.build(dataset)) == 2
    for dataset in trained:
        sample = DATASETS.build(dataset)[0]["inputs"]
        sizes = [step.get("size") or step.get("crop_size") for step in dataset.pipeline]
        size = next(filter(None, sizes))
        for photo in sample.values() if isinstance(sample, dict) else [sample]:
            assert photo.shape == (3, size, size)
    whole = DATASETS.build(val)[0]
    assert whole["inputs"].shape == whole["data_samples"].gt_img.shape == (3, 30, 40)
    Evaluator((config.val_evaluator or config.test_evaluator).metrics)


def test_the_papers_config_has_the_papers_numbers() -> None:
    config = Config.fromfile(rave_mm.config_path("rave/rave_baid_paired.py"))
    losses = config.model.losses
    assert losses.guidance.loss_weight == 6 * 320
    assert losses.identity.loss_weight == pytest.approx(0.9 * 25)
    assert losses.reconstruction.loss_weight == 25
    assert losses.identity.layer_weights == (1, 1, 1, 1, 0.5)
    assert losses.guidance.clip == {"model": "ViT-B-32-quickgelu", "pretrained": "openai"}
    assert config.optim_wrapper.optimizer == {"type": "Adam", "lr": 2e-5, "weight_decay": 1e-3}
    assert config.train_dataloader.batch_size == 8
    assert [phase.iterations for phase in config.train_cfg.phases][0] == 1000


def test_a_bias_is_taken_out_by_a_line_of_a_config() -> None:
    paper = Config.fromfile(rave_mm.config_path("rave/rave_baid_paired.py"))
    for name, setting in (("tokens", "remove_tokens"), ("words", "remove_words")):
        config = Config.fromfile(rave_mm.config_path(f"rave/rave_baid_without_{name}.py"))
        residual = dict(config.model.losses.guidance.residual)
        removed = residual.pop(setting)
        assert removed == 15 if name == "tokens" else "asian" in removed
        assert residual == paper.model.losses.guidance.residual


def test_clip_lits_config_has_the_papers_numbers() -> None:
    config = Config.fromfile(rave_mm.config_path("clip_lit/clip_lit_baid_div2k.py"))
    losses = config.model.losses
    assert (losses.guidance.type, losses.guidance.loss_weight) == ("CLIPEnhanceLoss", 320)
    assert losses.identity.loss_weight == pytest.approx(0.9 * 25)
    assert losses.ranking.loss_weight == 200
    schedule = read_schedule(config.train_cfg.phases)
    assert [phase.iterations for phase in schedule.phases] == [8000, 1000, 2100, 1000]
    assert [phase.trains for phase in schedule.phases] == ["pair", "generator", "generator", "pair"]
    prolong = [(phase.prolong.above, phase.prolong.iterations) for phase in schedule.phases[2:]]
    assert prolong == [(90, 60), (60, 100)]
    assert config.train_cfg.loaders.prompts.batch_size == 16
    assert config.optim_wrapper.generator.optimizer.lr == 2e-5
    assert config.optim_wrapper.pair.optimizer.lr == 5e-6
    latent = Config.fromfile(rave_mm.config_path("clip_lit_latent/clip_lit_latent_baid_div2k.py"))
    assert latent.optim_wrapper.pair.optimizer.lr == 5e-4
    assert latent.model.pair.type == "LatentPair"


def test_clip_lits_ablations_differ_in_what_they_are_about() -> None:
    def phases(name: str) -> list[str]:
        config = Config.fromfile(rave_mm.config_path(f"clip_lit/ablations/{name}.py"))
        return [phase.name for phase in read_schedule(config.train_cfg.phases).phases]

    whole = ["initialisation", "reconstruction", "enhancement", "refinement"]
    assert phases("without_earlier_result") == phases("start_random") == whole
    assert phases("without_ranking") == whole[:3]
    assert phases("fixed_prompts") == whole[1:3]
