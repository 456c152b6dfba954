"""A store in a temporary folder, and posts to put into it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store import Store
from store.records import Post

NOW = datetime(2026, 10, 16, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "t.sqlite")
    yield opened
    opened.close()


def post(number: int, text: str = "抹茶ラテおいしい", **more: object) -> Post:
    values: dict[str, object] = {
        "id": f"x:{number}",
        "network": "x",
        "author_id": "x:9",
        "text": text,
        "created_at": NOW - timedelta(minutes=5),
        "source": "x",
        "native_id": str(number),
        "lang": "ja",
    }
    return Post(**{**values, **more})  # type: ignore[arg-type]
