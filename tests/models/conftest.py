import pytest

import rave_mm.register  # noqa: F401 - MMagic imports only after its cures
from rave_mm.models.residual_guidance_loss import ResidualGuidanceLoss
from tests.models.known_residual import bundled_residual


@pytest.fixture
def guidance() -> ResidualGuidanceLoss:
    loss = ResidualGuidanceLoss()
    loss.set_residual(bundled_residual())
    return loss
