"""The brand of the story and the moments that matter; invented, nobody's trademark."""

from __future__ import annotations

from datetime import UTC, datetime

NAME_JA = "ミナツバ"
NAME_EN = "Minatsuba"
HASHTAG = "ミナツバ"
HASHTAG_EN = "Minatsuba"
HANDLE_JA = "minatsuba_jp"
HANDLE_EN = "minatsuba_en"
INSTANCES = ("mastodon.sandbox", "kissa.sandbox")
BRAND_INSTANCE = INSTANCES[0]
HANDLE_MASTODON = "minatsuba"

BEGINS = datetime(2026, 10, 5, tzinfo=UTC)
LIVE_FROM = datetime(2026, 10, 16, tzinfo=UTC)
ENDS = datetime(2026, 10, 19, tzinfo=UTC)

FALSE_START_AT = datetime(2026, 10, 16, 3, 5, 20, tzinfo=UTC)
VIRAL_AT = datetime(2026, 10, 16, 11, 12, 40, tzinfo=UTC)
CRISIS_AT = datetime(2026, 10, 18, 1, 8, 10, tzinfo=UTC)
