from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, nn

import rave_mm.register  # noqa: F401 - registers what the tests build
from rave_mm.engine.schedule import read_schedule
from rave_mm.enhancers.adversarial_enhancer import AdversarialEnhancer
from rave_mm.photos.writing import write_photo
from tests.enhancers.batches import PREPROCESSOR, Phase, unpaired_batch

CONFIG = Path(rave_mm.__file__).parent.parent / "configs/clip_lit/ablations/adversarial.py"
LOSSES = {
    "reconstruction": {"type": "CLIPIdentityLoss", "layer_weights": (1.0,) * 5},
    "identity": {"type": "CLIPIdentityLoss"},
    "adversarial": {"type": "GANLoss", "gan_type": "lsgan", "loss_weight": 10.0},
    "discrimination": {"type": "GANLoss", "gan_type": "vanilla", "loss_weight": 10.0},
}


ENHANCEMENT = Phase("enhancement", "generator", ("adversarial",))
DISCRIMINATION = Phase("discrimination", "discriminator", ("discrimination", "adversarial"))


class Brightness(nn.Module):
    """Stands for a discriminator: its score is a picture's mean, times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.weight * pictures.mean((1, 2, 3))


class Twice(nn.Module):
    """Stands for the network: the light map is 1 / 2, everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.5))
        self.modes: list[bool] = []

    def forward(self, photos: Tensor) -> Tensor:
        self.modes.append(self.training)
        return self.level.expand(len(photos), 1, *photos.shape[2:])


def build(**changes: Any) -> AdversarialEnhancer:
    settings: dict[str, Any] = {
        "type": "AdversarialEnhancer",
        "generator": {"type": "LightMapUNet", "start": "identity"},
        "discriminator": {"type": "PatchDiscriminator", "in_channels": 3, "base_channels": 4},
        "losses": LOSSES,
        "data_preprocessor": PREPROCESSOR,
    }
    return MODELS.build(settings | changes)


@pytest.fixture
def model() -> AdversarialEnhancer:
    built = build()
    built.generator, built.discriminator = Twice(), Brightness()
    return built


@pytest.fixture
def photos() -> dict[str, Tensor]:
    """The results are 0.4 and 0.6 bright, the well-lit photos 0.8 and 1."""
    brightness = {"img": (0.2, 0.3), "ref": (0.8, 1.0)}
    return {
        key: torch.tensor(values).view(2, 1, 1, 1).expand(2, 3, 8, 8)
        for key, values in brightness.items()
    }


def has_gradient(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def test_registered() -> None:
    assert MODELS.get("AdversarialEnhancer") is AdversarialEnhancer
    assert type(build().losses["adversarial"]) is MODELS.get("GANLoss")


def test_the_networks_loss(model: AdversarialEnhancer, photos: dict[str, Tensor]) -> None:
    """Its results pass for real: 10 * mean((D(y) - 1)^2). Well-lit photos are not looked at."""
    model.start_phase(ENHANCEMENT)
    for inputs in (photos, photos["img"]):
        terms = model(inputs, mode="loss")
        assert set(terms) == {"loss_adversarial"}
        wanted = torch.tensor(10 * (0.6**2 + 0.4**2) / 2)
        torch.testing.assert_close(terms["loss_adversarial"], wanted, atol=1e-4, rtol=0)


def test_the_discriminators_losses(model: AdversarialEnhancer, photos: dict[str, Tensor]) -> None:
    """Half for well-lit photos, half for results, without the loss's weight."""
    model.start_phase(DISCRIMINATION)
    terms = model(photos, mode="loss")
    assert set(terms) == {"loss_discrimination", "loss_adversarial"}
    squares = (0.2**2 + 0.0**2) / 2, (0.4**2 + 0.6**2) / 2
    entropies = (
        float(np.mean([np.log1p(np.exp(-score)) for score in (0.8, 1.0)])),
        float(np.mean([np.log1p(np.exp(score)) for score in (0.4, 0.6)])),
    )
    for name, (real, fake) in (("adversarial", squares), ("discrimination", entropies)):
        wanted = torch.tensor((real + fake) / 2)
        torch.testing.assert_close(terms[f"loss_{name}"], wanted, atol=1e-4, rtol=0)


def test_the_gradients_of_each_phase(model: AdversarialEnhancer, photos: dict[str, Tensor]) -> None:
    model.start_phase(DISCRIMINATION)
    torch.stack(list(model(photos, mode="loss").values())).sum().backward()
    assert has_gradient(model.discriminator) and not has_gradient(model.generator)
    model.zero_grad()
    model.start_phase(ENHANCEMENT)
    model.discriminator.requires_grad_(False)  # as PhasedTrainLoop does
    model(photos, mode="loss")["loss_adversarial"].backward()
    assert has_gradient(model.generator) and not has_gradient(model.discriminator)
    # Brighter results are nearer to real, and smaller light maps give them.
    assert model.generator.level.grad > 0


def test_the_network_is_asked_as_in_a_test_and_left_as_it_was(
    model: AdversarialEnhancer, photos: dict[str, Tensor]
) -> None:
    model.train()
    model.start_phase(DISCRIMINATION)
    model(photos, mode="loss")
    assert model.generator.modes == [False] and model.generator.training


@pytest.mark.parametrize(
    ("phase", "message"),
    [
        (
            Phase("p", "discriminator", ("adversarial", "identity")),
            "'identity' teaches the generator, but the phase trains the discriminator, which takes",
        ),
        (
            Phase("p", "pair", ("adversarial",)),
            "trains='pair', expected 'generator' or 'discriminator'",
        ),
        (Phase("p", "generator", ("gan",)), r"losses: got \['gan'\], expected some of"),
        (Phase("p", "discriminator", ()), r"losses: got \[\], expected some of"),
    ],
)
def test_a_phase_that_cannot_be_is_refused(
    phase: Phase, message: str, model: AdversarialEnhancer
) -> None:
    with pytest.raises(ValueError, match=message):
        model.check_phase(phase)
    with pytest.raises(ValueError, match=message):
        model.start_phase(phase)
    assert model.active_losses == tuple(LOSSES)


def test_a_loss_that_needs_masks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"losses\.soft: got gan_type='smgan'.*needs a mask"):
        build(losses={"soft": {"type": "GANLoss", "gan_type": "smgan"}})


def test_without_losses_it_is_for_inference(photos: dict[str, Tensor]) -> None:
    model = build(losses=None)
    assert model(photos["img"]).shape == (2, 3, 8, 8)
    with pytest.raises(RuntimeError, match="AdversarialEnhancer was built without losses"):
        model(photos, mode="loss")


@pytest.mark.parametrize(
    ("phase", "rate"),
    [(DISCRIMINATION, 1e-2), (ENHANCEMENT, 1e-4)],
    ids=["discriminator", "generator"],
)
def test_training_lowers_the_loss_of_each_phase(
    phase: Phase, rate: float, photos: dict[str, Tensor]
) -> None:
    model = build(discriminator=Config.fromfile(CONFIG).model.discriminator)
    model.init_weights()
    if phase is ENHANCEMENT:  # the config's knows nothing yet
        model.discriminator = Brightness()
    model.start_phase(phase)
    optimizer = torch.optim.Adam(getattr(model, phase.trains).parameters(), rate)
    values = []
    for _ in range(10):
        optimizer.zero_grad()
        total = torch.stack(list(model(photos, mode="loss").values())).sum()
        total.backward()
        optimizer.step()
        values.append(total.item())
    assert values[-1] < 0.9 * values[0], values


def test_the_config_has_as_many_iterations_as_clip_lits() -> None:
    lengths = []
    for path in (CONFIG, CONFIG.parent.parent / "clip_lit_baid_div2k.py"):
        schedule = read_schedule(Config.fromfile(path).train_cfg.phases)
        lengths.append(schedule.iterations)
    assert lengths[0] == lengths[1]


def make_photos(folder: Path) -> None:
    """Backlit photos that are dark blue, and well-lit ones that are orange; with some noise."""
    random = np.random.default_rng(0)
    for name, colour in (("backlit", (40, 50, 90)), ("well-lit", (230, 150, 70))):
        (folder / name).mkdir()
        for photo in ("a", "b"):
            pixels = np.uint8(colour) + random.integers(0, 20, (40, 50, 3), dtype=np.uint8)
            write_photo(folder / name / f"{photo}.png", pixels)


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        ({}, "got backlit photos alone, expected well-lit ones.*to teach the discriminator: load"),
        ({"keys": ["img", "ref"]}, "do not tell their channel order, so MMagic took them for BGR"),
    ],
)
def test_a_batch_without_well_lit_photos_or_their_order_is_refused(
    pack: dict[str, Any], message: str, model: AdversarialEnhancer, tmp_path: Path
) -> None:
    make_photos(tmp_path)
    batch = unpaired_batch(
        tmp_path,
        [
            {"type": "LoadPhoto", "key": "img"},
            {"type": "LoadPhoto", "key": "ref"},
            {"type": "PackInputs", **pack},
        ],
    )
    model.start_phase(DISCRIMINATION)
    wrapper = OptimWrapper(torch.optim.Adam(model.discriminator.parameters(), 1e-3))
    with pytest.raises(ValueError, match=message):
        model.train_step(batch, wrapper)


def test_a_loss_that_is_not_finite_stops_training(
    model: AdversarialEnhancer, photos: dict[str, Tensor]
) -> None:
    model.discriminator.weight.data.fill_(torch.nan)
    model.start_phase(DISCRIMINATION)
    with pytest.raises(FloatingPointError, match=r"not finite \(loss_discrimination nan, loss_adv"):
        model(photos, mode="loss")


class Noter(Hook):
    """Notes the losses of each iteration, and the weights before it."""

    def __init__(self) -> None:
        self.losses: list[dict[str, float]] = []
        self.weights: list[dict[str, Tensor]] = []

    def before_train_iter(self, runner: Runner, **_: Any) -> None:
        self.weights.append({name: p.clone() for name, p in runner.model.named_parameters()})

    def after_train_iter(self, runner: Runner, outputs: dict[str, Tensor], **_: Any) -> None:
        self.losses.append({name: value.item() for name, value in outputs.items()})


def shorten(folder: Path, turn: int, rounds: int) -> Config:
    """The config, with the bundled CLIP and small crops of four photos; a smaller discriminator."""
    make_photos(folder)
    config = Config.fromfile(CONFIG)
    for name in ("reconstruction", "identity"):
        config.model.losses[name].update(clip=None, loss_weight=1.0)
    config.model.discriminator.update(max_channels=16, num_convs=2)
    prompts = config.train_cfg.loaders.prompts
    prompts.dataset.well_lit = str(folder / "well-lit")
    for loader in (config.train_dataloader, prompts):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.backlit = str(folder / "backlit")
        for transform in loader.dataset.pipeline:
            if "size" in transform:
                transform.size = 24
    first, rest = config.train_cfg.phases
    first.update(iterations=turn, restart=None)
    rest.rounds = rounds
    for phase in rest.phases:
        phase.iterations = turn
    for loop in ("val", "test"):
        config.update({f"{loop}_cfg": None, f"{loop}_dataloader": None, f"{loop}_evaluator": None})
    config.update(work_dir=str(folder), custom_hooks=[], experiment_name=folder.name)
    return config


@pytest.mark.parametrize(
    "network", [{"type": "LightMapUNet"}, {"type": "SmallViewLightMapNet", "side": 24}]
)
def test_the_config_trains_in_turns(tmp_path: Path, network: dict[str, Any]) -> None:
    config = shorten(tmp_path, turn=2, rounds=2)
    config.model.generator = network
    runner = Runner.from_cfg(config)
    noter = Noter()
    runner.register_hook(noter)
    runner.train()
    turns = ("reconstruction", *("discrimination", "guidance") * 2)
    own = [f"loss_{turn}" for turn in turns for _ in range(2)]
    assert [name in losses for name, losses in zip(own, noter.losses, strict=True)] == [True] * 10
    assert all(np.isfinite(list(losses.values())).all() for losses in noter.losses)
    weights = [*noter.weights, dict(runner.model.named_parameters())]
    learned = [
        {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
        for before, after in zip(weights, weights[1:], strict=False)
    ]
    network, discriminator = [{"generator"}] * 2, [{"discriminator"}] * 2
    assert learned == network + 2 * (discriminator + network)
    assert isinstance(runner.optim_wrapper, OptimWrapperDict)
