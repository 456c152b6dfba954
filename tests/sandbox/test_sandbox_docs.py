"""docs/sandbox.md names every path, fault and operator that there is."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from sandbox.faults import FaultKind
from sandbox.mastodon_handlers import ROUTES as MASTODON_ROUTES
from sandbox.x_handlers import ROUTES as X_ROUTES
from sandbox.x_query import OPERATORS

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("path", "limit"), [(path, limit) for path, limit, _, _ in X_ROUTES])
def test_x_paths_with_their_limits(path: str, limit: int) -> None:
    assert f"| `{path}` | {limit} |" in PAGE


@pytest.mark.parametrize("path", [path for path, _ in MASTODON_ROUTES if not path.endswith("/")])
def test_mastodon_paths(path: str) -> None:
    assert f"`{path}`" in PAGE


@pytest.mark.parametrize("kind", typing.get_args(FaultKind))
def test_faults(kind: str) -> None:
    assert f"| `{kind}` |" in PAGE


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_operators(operator: str) -> None:
    assert f"`{operator}:`" in PAGE
