"""Where pytest finds the fixtures of all tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Load `tests.fixtures`, and with it MMagic, where tests run.

    Not in the process of pytest-xdist that only hands them out: its workers start when it is ready.
    """
    hands_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if not hands_out:
        config.pluginmanager.import_plugin("tests.fixtures")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no process is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
