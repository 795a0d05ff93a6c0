from pathlib import Path

import pytest

from tests.datasets.photo_sets.packaged import Listed, list_three_photographs


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listed:
    return list_three_photographs(tmp_path, monkeypatch)
