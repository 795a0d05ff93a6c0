"""How long RAVE's training step takes: the published way, and this project's with each network."""

import statistics
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import open_clip
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import Tensor
from torch.nn.functional import normalize

import rave_mm.register  # noqa: F401 - the components that the config names
from rave_mm import config_path
from rave_mm.benchmark.published_step import PlainTower, published_loss
from rave_mm.benchmark.step_cost import (
    Work,
    counted_work,
    shortest_time,
    spent_time,
    taken_memory,
)
from rave_mm.clip.cuda_graph import CALLS_BEFORE
from rave_mm.clip.encoder import load_clip
from rave_mm.direction.residual_vector import Provenance, ResidualVector
from rave_mm.engine.mixed_precision import cpu_has_bfloat16

CONFIG = "rave/rave_baid_paired.py"
PUBLISHED = "published, float32"
NETWORKS: dict[str, dict[str, Any]] = {
    "paper's network": {"type": "LightMapUNet", "start": "identity"},
    "small view": {"type": "SmallViewLightMapNet"},
}
_GUIDE, _KEEPER = "ViT-B-32-quickgelu", "RN101-quickgelu"
_TARGET = 0.2


@dataclass
class Way:
    """One way of taking a training step.

    Attributes:
        name: What to call it.
        loss: The loss of the batch, with nothing learned from it.
        step: A whole step, the optimizer's included.
    """

    name: str
    loss: Callable[[], Tensor]
    step: Callable[[], object]


@contextmanager
def random_clips() -> Iterator[dict[str, dict[str, str]]]:
    """CLIPs of the paper's sizes with random weights, which cost as much as OpenAI's.

    Yields:
        The settings of a loss's `clip`: of the `guidance`, and of the `identity` loss.
    """
    with TemporaryDirectory() as folder:
        settings = {}
        for term, model in (("guidance", _GUIDE), ("identity", _KEEPER)):
            torch.manual_seed(0)
            path = Path(folder) / f"{term}.pt"
            torch.save(open_clip.create_model(model).state_dict(), path)
            settings[term] = {"model": model, "pretrained": str(path)}
        yield settings


def training_ways(
    clips: dict[str, dict[str, str]],
    size: int,
    batch: int,
    device: torch.device,
    compiled: bool = False,
    names: Collection[str] = (),
) -> Iterator[Way]:
    """The ways to be compared, one after another, on the same photographs and weights.

    Args:
        clips: What :func:`random_clips` gives.
        size: Height and width of the photographs.
        batch: How many there are.
        device: Where.
        compiled: Also this project's with a network that is compiled by `torch.compile`.
        names: Of the ways that are wanted; all where none is named.
    """
    generator = torch.Generator().manual_seed(0)
    photos = torch.randint(0, 160, (batch, 3, size, size), generator=generator, dtype=torch.uint8)
    told = {"img_channel_order": "rgb", "img_color_type": "color"}
    samples = [DataSample(metainfo={"img_path": f"{i}.png", **told}) for i in range(batch)]
    init_default_scope("mmagic")
    config = Config.fromfile(config_path(CONFIG))
    torch.backends.cudnn.benchmark = config.env_cfg.cudnn_benchmark  # as the Runner sets it
    guide = load_clip(clips["guidance"]["model"], clips["guidance"]["pretrained"])
    vector = normalize(torch.randn(guide.dimension, generator=generator), dim=0)
    origin = Provenance(guide.name, guide.fingerprint, "", "", 1, 1, 0, "mean", "")
    residual = ResidualVector(vector, _TARGET, origin)

    def model_of(network: dict[str, Any]) -> Any:
        settings = config.model.to_dict()
        losses = {name: settings["losses"][name] for name in clips}
        for name, clip in clips.items():
            losses[name]["clip"] = clip
        losses["guidance"]["residual"] = None
        torch.manual_seed(0)
        model = MODELS.build({**settings, "generator": network, "losses": losses})
        model.losses["guidance"].set_residual(residual)
        return model.to(device).train()

    def ours(name: str, network: dict[str, Any], precision: str, compile_it: bool) -> Way:
        model = model_of(network)
        if compile_it:
            model.generator.compile()
        wrapper = {
            "type": "OptimWrapper" if precision == "float32" else "BFloat16OptimWrapper",
            "optimizer": config.optim_wrapper.optimizer.to_dict(),
        }
        optimizer = build_optim_wrapper(model, wrapper)

        def data() -> dict[str, Any]:
            return {"inputs": list(photos), "data_samples": [sample.clone() for sample in samples]}

        def loss() -> Tensor:
            with torch.no_grad(), optimizer.optim_context(model):
                prepared = model.data_preprocessor(data(), training=True)
                values = model(**prepared, mode="loss")
            return sum(values.values())

        # As MMEngine's Runner has it where several processes train.
        trained = MMDistributedDataParallel(model) if get_world_size() > 1 else model
        return Way(name, loss, lambda: trained.train_step(data(), optimizer))

    if not names or PUBLISHED in names:
        yield _published(model_of, photos, clips, config, residual, device)
    for network_name, network in NETWORKS.items():
        for precision in _precisions(device):
            for compile_it in (False, True) if compiled else (False,):
                name = f"{network_name}, {precision}" + (", compiled" if compile_it else "")
                if not names or name in names:
                    yield ours(name, network, precision, compile_it)


def _precisions(device: torch.device) -> tuple[str, ...]:
    # As `tools/train.py --amp`.
    fast = device.type == "cuda" or cpu_has_bfloat16()
    return ("float32", "bfloat16") if fast else ("float32",)


def _published(
    model_of: Callable[[dict[str, Any]], Any],
    photos: Tensor,
    clips: dict[str, dict[str, str]],
    config: Config,
    residual: ResidualVector,
    device: torch.device,
) -> Way:
    model = model_of(NETWORKS["paper's network"])
    network, settings = model.generator, config.model.losses
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-5, weight_decay=1e-3)
    batch = photos.float() / 255
    guide, keeper = (
        PlainTower.of(clips[term]["model"], clips[term]["pretrained"], device)
        for term in ("guidance", "identity")
    )
    guidance = (residual.vector.to(device), residual.target, settings.guidance.loss_weight)
    identity = (settings.identity.layer_weights, settings.identity.loss_weight)

    def loss() -> Tensor:
        return published_loss(network, batch.to(device), guide, guidance, keeper, identity)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.1)
        optimizer.step()

    return Way(PUBLISHED, torch.no_grad()(loss), step)


def measure(
    size: int, batch: int, steps: int, device: torch.device, compiled: bool = False
) -> list[dict[str, Any]]:
    """Time each way in turns, in this process.

    Returns:
        A row for each way: `way`, the `loss` before the first step, `seconds` (the median of
        `steps`), `ratio` (how many times as fast as the published way), `peak_memory` in bytes
        beyond the weights, `operations` and `bytes` of a step, and `floor`, the seconds below
        which no step of so many operations and bytes comes on this machine.
    """
    rows: list[dict[str, Any]] = []
    with random_clips() as clips:
        ways = list(training_ways(clips, size, batch, device, compiled))
        for way in ways:
            loss = float(way.loss())
            way.step()  # what is tuned or compiled on first use is nobody's cost
            work = Work() if "compiled" in way.name else counted_work(way.step)
            rows.append(
                {
                    "way": way.name,
                    "loss": loss,
                    "peak_memory": taken_memory(way.step, device),
                    "floor": shortest_time(work, device) or None,
                    "operations": work.operations.total(),
                    "bytes": work.bytes,
                }
            )
            if device.type == "cuda":
                for _ in range(CALLS_BEFORE + 1):  # then the CLIPs are CUDA graphs
                    way.step()
        seconds = [[spent_time(way.step, device) for way in ways] for _ in range(steps)]
    for row, found in zip(rows, zip(*seconds, strict=True), strict=True):
        row["seconds"] = statistics.median(found)
        row["ratio"] = statistics.median(seconds_of[0] for seconds_of in seconds) / row["seconds"]
    return rows
