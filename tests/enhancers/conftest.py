import pytest


@pytest.fixture(autouse=True)
def _scope(mmagic_scope: None) -> None:
    """Every test here builds what it needs from MMagic's registries."""
