"""The demo's story: an invented brand's two weeks on two networks, in Japanese and English."""

from __future__ import annotations

from sandbox.story.archives import Archives, write_archives
from sandbox.story.build import build

__all__ = ["Archives", "build", "write_archives"]
