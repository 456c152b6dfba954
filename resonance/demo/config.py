"""The configuration of the demo, written as a user would write it."""

from __future__ import annotations

from pathlib import Path

from config import Settings, load
from sandbox.network import Sandbox
from sandbox.story import brand

TOML = """\
# What the demo watched. The addresses are those of its loopback network, which ended with it.
database = "resonance.sqlite"

[[topics]]
slug = "minatsuba"
name = "{ja} / {en}"
keywords = ["{ja}", "{en}"]
hashtags = ["{tag}", "{tag_en}"]
own_accounts = ["x:{handle_ja}", "x:{handle_en}", "{handle_mastodon}@{host}"]
timezone = "Asia/Tokyo"
alert_language = "{language}"

[x]
bearer_token = "{x_token}"
base_url = "{x_url}"
daily_budget_usd = 20

[[mastodon]]
url = "{mastodon_url}"

[[channels]]
type = "slack"
name = "slack"
webhook_url = "{webhook}"

[[channels]]
type = "email"
name = "mail"
host = "{smtp_host}"
port = {smtp_port}
security = "none"
sender = "Resonance <resonance@demo.sandbox>"
recipients = ["social-team@demo.sandbox"]
"""


def write_config(folder: Path, sandbox: Sandbox, language: str) -> Settings:
    """Write resonance.toml into the folder and read it back."""
    assert sandbox.slack is not None and sandbox.smtp is not None
    path = folder / "resonance.toml"
    text = TOML.format(
        ja=brand.NAME_JA,
        en=brand.NAME_EN,
        tag=brand.HASHTAG,
        tag_en=brand.HASHTAG_EN,
        handle_ja=brand.HANDLE_JA,
        handle_en=brand.HANDLE_EN,
        handle_mastodon=brand.HANDLE_MASTODON,
        host=brand.BRAND_INSTANCE,
        language=language,
        x_token=sandbox.x_token,
        x_url=sandbox.x_url,
        mastodon_url=sandbox.mastodon_url,
        webhook=sandbox.slack.webhook_url,
        smtp_host=sandbox.smtp.host,
        smtp_port=sandbox.smtp.port,
    )
    path.write_text(text, encoding="utf-8")
    return load(path)
