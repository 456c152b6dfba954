import math
from datetime import UTC, datetime, timedelta

from config import parse
from sandbox.receivers import SLACK_TOKEN
from store.records import Signal, iso

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def settings_of(slack=None, smtp=None, *, language="ja", extra="", topic="", url=None, timeout=5):
    """Settings with one topic and the channels that are given."""
    text = f"""
[[topics]]
slug = "coffee"
name = "{"鳴海珈琲" if language == "ja" else "Narumi Coffee"}"
keywords = ["coffee"]
alert_language = "{language}"
{topic}
{extra}
"""
    if slack or url:
        text += f"""
[[channels]]
type = "slack"
name = "team"
webhook_url = "{url or slack.webhook_url}"
timeout = {timeout}
"""
    if smtp:
        text += f"""
[[channels]]
type = "email"
name = "mail"
host = "{smtp.host}"
port = {smtp.port}
security = "none"
sender = "Resonance <resonance@example.com>"
recipients = ["social@example.com", "二人目 <pr@example.com>"]
timeout = {timeout}
"""
    return parse(text)


def series(now=NOW, rows=96, step=15, level=6.0, last=(14.0, 31.0, 48.0)):
    """A day of counts with an ordinary rhythm that ends in a spike."""
    told = []
    for n in range(rows):
        expected = level * (1 + 0.6 * math.sin(n / rows * 2 * math.pi))
        observed = last[n - rows + len(last)] if n >= rows - len(last) else round(expected + 2 * math.sin(n * 1.7), 1)
        at = iso(now - timedelta(minutes=step * (rows - 1 - n)))
        told.append((at, max(0.0, observed), expected, max(0.0, expected - 4), expected + 6))
    return tuple(told)


def signal(rule="volume_spike", **changes):
    """A spike of 48 posts where 6 were expected, as a detector would tell it at NOW."""
    given = {
        "rule": rule,
        "topic": "coffee",
        "subject": "coffee",
        "active": True,
        "raised": True,
        "began_at": NOW - timedelta(minutes=30),
        "observed": 48.0,
        "expected": 6.2,
        "low": 2.0,
        "high": 14.0,
        "confidence": 0.993,
        "series": series(),
        "facts": {"direction": "up", "posts": 48, "negative": 12, "words": ["限定", "行列"], "coverage": 1.0},
    }
    return Signal(**{**given, **changes})


def surge(**changes):
    """The share of negative posts at 46% where 12% were expected."""
    given = {
        "observed": 0.46,
        "expected": 0.12,
        "low": 0.05,
        "high": 0.2,
        "severity": "critical",
        "facts": {
            "direction": "up",
            "posts": 48,
            "negative": 22,
            "words": ["異物", "返金"],
            "communities": ["関西の常連"],
        },
        "series": tuple(
            (t, None if o is None else min(1.0, o / 105), e / 50, lo / 50, hi / 50) for t, o, e, lo, hi in series()
        ),
    }
    return signal("negative_surge", **{**given, **changes})


def add_post(store, post_id, text, *, author="hanako", url="https://x.com/hanako/status/1", at=None, reshares=None):
    """A post as the collector would have stored it."""
    moment = iso(at or NOW - timedelta(minutes=20))
    with store.write() as db:
        db.execute(
            "INSERT OR IGNORE INTO accounts (id, network, handle, first_seen, observed_at) VALUES (?, 'x', ?, ?, ?)",
            (f"x:{author}", author, moment, moment),
        )
        db.execute(
            "INSERT INTO posts (id, network, author_id, text, text_hash, created_at, first_seen, url) "
            "VALUES (?, 'x', ?, ?, 'h', ?, ?, ?)",
            (post_id, f"x:{author}", text, moment, moment, url),
        )
        if reshares is not None:
            db.execute(
                "INSERT INTO metrics (post_id, observed_at, observer, reshares) VALUES (?, ?, 'x', ?)",
                (post_id, moment, reshares),
            )
    return post_id


def bot_settings(slack, *, extra="", smtp=None, timeout=5, api=None, channel="", **given):
    """Settings whose channel `team` is a Slack bot; `channel` adds keys to it."""
    text = f"""
[[channels]]
type = "slack"
name = "team"
bot_token = "{SLACK_TOKEN}"
channel = "C0TEAM"
api_url = "{api or slack.api_url}"
timeout = {timeout}
{channel}
"""
    return settings_of(smtp=smtp, extra=extra + text, **given)
