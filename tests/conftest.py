"""Where pytest finds the fixtures of all tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Load `tests.fixtures`, and with it MMagic, where tests run.

    Not in the process of pytest-xdist that only hands them out: its workers start when it is ready.
    """
    hands_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if not hands_out:
        config.pluginmanager.import_plugin("tests.fixtures")
