"""A config is formatted once, and as MMEngine would."""

from typing import Any

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config

from rave_mm.engine.config_text import format_configs_once


@pytest.fixture
def formatted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What yapf is asked to format; MMEngine is as it comes."""
    asked = []
    before = mmengine_config.FormatCode
    yapf = getattr(before, "__wrapped__", before)

    def format_code(text: str, **settings: Any) -> tuple[str, bool]:
        asked.append(text)
        answer: tuple[str, bool] = yapf(text, **settings)
        return answer

    monkeypatch.setattr(mmengine_config, "FormatCode", format_code)
    return asked


def test_a_text_is_formatted_once(formatted: list[str]) -> None:
    config = Config({"model": {"type": "Net", "sizes": list(range(60))}, "seed": 1})
    plain = config.pretty_text
    format_configs_once()
    format_configs_once()
    formatted.clear()
    assert config.pretty_text == config.pretty_text == plain
    assert len(formatted) == 1
    config.seed = 2
    assert config.pretty_text == plain.replace("seed = 1", "seed = 2")
    assert len(formatted) == 2


def test_few_texts_are_kept(formatted: list[str]) -> None:
    format_configs_once()
    configs = [Config({"seed": seed}) for seed in range(9)]
    assert [config.pretty_text for config in configs] == [f"seed = {n}\n" for n in range(9)]
    assert len(formatted) == 9
    assert configs[8].pretty_text == "seed = 8\n" and len(formatted) == 9
    assert configs[0].pretty_text == "seed = 0\n" and len(formatted) == 10
