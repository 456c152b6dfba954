"""Strangers' text must come out harmless, whatever it is."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts import safe

quick = settings(max_examples=80, deadline=None)
nasty = st.text(st.characters(exclude_categories=()), max_size=80) | st.text(
    "aé日本。.ｶﾞ☕#@\"'*_~`<>&; \n\r\t\x00\x1b\u202e\u2066\ud800\udc00😀\u200d\ufe0f:/-=+|www", max_size=80
)
HOSTILE = [
    "<!channel> <@U1> <https://evil.example|click>",
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil.example")',
    "Subject\r\nBcc: all@example.com",
    "\u202egnp.exe",
    "x" * 100_000,
    "\ud800 alone \udfff",
    "a\x00b\x1b[31mred",
    "javascript:alert(1)",
]


@quick
@given(nasty)
@example("\u202e\ud800")
def test_a_line_is_one_printable_line(text):
    told = safe.line(text, 50)
    assert len(told) <= 50
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", told)
    told.encode("utf-8")


@quick
@given(nasty)
@example("javascript:alert(1)")
@example("see https://evil.example/a?b and www.evil.example or a@b.example")
def test_a_quote_holds_nothing_that_programs_turn_into_a_link(text):
    told = safe.quote(text)
    assert "://" not in told
    assert "www." not in told
    assert not re.search(r"\w\.[a-z]{2,}", told)
    assert not re.search(r"@[A-Za-z]", told)
    assert not re.search(r"(javascript|data|vbscript|mailto):", told, re.IGNORECASE)


def test_a_quote_reads_as_before():
    told = safe.quote("新しい豆、最高！ https://shop.example/beans?x=1 @narumi 3.5点")
    assert told.replace(safe.JOINER, "") == "新しい豆、最高！ [shop.example] @narumi 3.5点"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_short_and_safe_everywhere(text):
    assert len(safe.quote(text)) < 700
    assert not re.search("[\r\n]", safe.header(text))
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", safe.slack(safe.quote(text)))
    assert safe.csv_cell(text)[:1] not in "=+-@\t"
    assert "\x1b" not in safe.terminal(text)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://", "https://a b.example/",
        "https://user:pw@evil.example/", "https://evil.example/\"><script>", "https://evil.example/\n",
        "//evil.example", "https://[::1", "https://evil.example:port/", "https://e.example/\u202ex", "", None,
        "https://a.example/" + "x" * 3000,
    ],
)  # fmt: skip
def test_only_clickable_addresses_become_links(url):
    assert safe.http_url(url) is None


@pytest.mark.parametrize("url", ["https://x.com/a/status/1", "http://mstdn.jp/@taro/1", "https://例え.example/パス"])
def test_ordinary_addresses_stay(url):
    assert safe.http_url(url) == url


def test_shortening_never_leaves_half_an_emoji():
    family = "👩\u200d👩\u200d👧"
    for limit in range(2, 30):
        told = safe.shorten("ab " + family * 5, limit)
        assert len(told) <= limit
        assert not told.rstrip("…").endswith("\u200d")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(1)", "＝1", "|calc"])
def test_no_cell_is_a_formula(cell):
    assert safe.csv_cell(cell) == f"'{cell}"
    assert safe.csv_cell("普通") == "普通"
