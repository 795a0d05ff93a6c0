from collections.abc import Iterator

import pytest
from mmengine.registry import DefaultScope

from rave_mm.models.residual_guidance_loss import ResidualGuidanceLoss
from tests.models.known_residual import bundled_residual


@pytest.fixture(autouse=True)
def _scope() -> Iterator[None]:
    """MMEngine builds the preprocessor, and finds MMagic's in this scope, as the Runner sets it."""
    with DefaultScope.overwrite_default_scope("mmagic"):
        yield


@pytest.fixture
def guidance() -> ResidualGuidanceLoss:
    loss = ResidualGuidanceLoss()
    loss.set_residual(bundled_residual())
    return loss
