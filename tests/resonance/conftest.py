"""The embedded model is loaded once for all of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.sentiment.scorer import Scorer, load
from tests.resonance.house import House, house


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    return load(threads=1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as found:
        yield found
