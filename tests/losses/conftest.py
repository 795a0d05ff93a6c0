import pytest

from rave_mm.losses.residual_guidance_loss import ResidualGuidanceLoss
from tests.losses.known_residual import bundled_residual


@pytest.fixture
def guidance() -> ResidualGuidanceLoss:
    loss = ResidualGuidanceLoss()
    loss.set_residual(bundled_residual())
    return loss
