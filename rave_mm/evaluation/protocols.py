"""Protocols: named sets of metrics, each of which says what it does to pictures."""

from collections.abc import Sequence
from typing import Any

from mmagic.registry import METRICS
from mmengine.config import Config

from rave_mm import config_path
from rave_mm.evaluation.photo_metric import PhotoMetric

PROTOCOLS = ("standard", "rave-paper", "clip-lit-paper")


def read_protocol(name: str) -> Config:
    """Read ``configs/_base_/protocols/NAME.py``.

    Returns:
        A config with ``test_evaluator``, the metrics of the protocol, and ``on_request``, those
        that it has beside.

    Raises:
        ValueError: There is no such protocol.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: got {name!r}, expected one of {', '.join(PROTOCOLS)}")
    return Config.fromfile(config_path(f"_base_/protocols/{name.replace('-', '_')}.py"))


def choose_metrics(
    protocol: Config, wanted: Sequence[str] | None = None, gt_mean: bool = False
) -> list[dict[str, Any]]:
    """The configs of a protocol's metrics.

    Args:
        protocol: As :func:`read_protocol` gives it.
        wanted: Names of metrics (``LPIPS-vgg``), beginnings of names for the first metric of the
            protocol that has it (``PSNR``, ``LPIPS``), or ``all``. None for those that the
            protocol has without a request.
        gt_mean: Whether each metric that knows the ground truth stands there a second time, of
            pictures scaled to its mean.

    Raises:
        ValueError: A name that the protocol does not have; or ``gt_mean``, and none of the metrics
            has a figure of pictures scaled so.
    """
    usual = list(protocol.test_evaluator.metrics)
    configs = {_name(config): config for config in [*usual, *protocol.on_request]}
    if wanted is None:
        names = [_name(config) for config in usual]
    elif "all" in wanted:
        names = list(configs)
    else:
        names = [_find(one, list(configs)) for one in wanted]
    chosen = [dict(configs[name]) for name in dict.fromkeys(names)]
    if gt_mean:
        # FID knows the ground truth, but is not of pairs.
        scaled = [config for config in chosen if _build(config).needs_truth]
        scaled = [config for config in scaled if _build(config).per_photo]
        if not scaled:
            raise ValueError(
                f"--gt-mean: got {', '.join(map(_name, chosen))}, expected a metric that compares "
                "each photo with its ground truth. Leave --gt-mean out, or ask for one, as "
                "--metrics PSNR SSIM LPIPS"
            )
        chosen += [{**config, "gt_mean": True} for config in scaled]
    return chosen


def _build(config: dict[str, Any]) -> PhotoMetric:
    metric = METRICS.build(dict(config))
    assert isinstance(metric, PhotoMetric)
    return metric


def _name(config: dict[str, Any]) -> str:
    return _build(config).name


def _find(wanted: str, names: Sequence[str]) -> str:
    for name in names:
        if name == wanted or name.startswith(f"{wanted}-"):
            return name
    raise ValueError(f"metric: got {wanted!r}, expected some of {', '.join(names)}, or all")
