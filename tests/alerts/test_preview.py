"""The picture of a Slack message shows all of it, and nothing of it runs."""

import re
from html import unescape

import pytest

from alerts import preview, slack
from alerts.compose import compose
from alerts.incidents import apply
from alerts.read import incident
from tests.alerts.alert_cases import NOW, add_post, settings_of, surge


def texts(value):
    if isinstance(value, dict):
        return [v for k, v in value.items() if k == "text" and isinstance(v, str)] + [
            t for v in value.values() if isinstance(v, dict | list) for t in texts(v)
        ]
    return [t for item in value for t in texts(item)] if isinstance(value, list) else []


def test_every_text_is_on_the_page_and_harmless(store):
    add_post(store, "x:1", "<script>alert(1)</script> <!channel> 炎上")
    config = settings_of()
    apply(store, config, [surge(evidence=(("x:1", 1.0),))], NOW)
    bodies = slack.payloads(compose(config, incident(store, 1), "opened", NOW))
    page = preview.page(bodies, at="18:30")
    shown = unescape(re.sub(r"<[^>]*>", "", page))
    for text in texts(bodies[0]["blocks"]):
        assert re.sub("[🔴🟢🔵⚪]", "", text) in shown
    assert "<script" not in page
    assert re.findall(r'href="([^"]*)"', page) == ["https://x.com/hanako/status/1"]


def test_a_message_without_blocks_is_its_text():
    assert "a &lt; b" in preview.page([{"text": "a < b"}])


def test_an_unknown_block_is_an_error_not_a_hole():
    with pytest.raises(ValueError, match="video"):
        preview.page([{"blocks": [{"type": "video"}]}])
