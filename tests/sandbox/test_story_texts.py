"""What people say: filled slots, no real brand, the hard cases, and sentences that do not repeat like a machine's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sandbox.story import brand
from sandbox.story.people import read_toml
from sandbox.story.stage import Stage
from sandbox.story.texts import Writer, names_brand
from sandbox.world import Post
from tests.sandbox.story_told import told

REAL_BRANDS = (
    *("スターバックス", "スタバ", "ドトール", "タリーズ", "コメダ", "サントリー", "伊藤園", "キリン", "ネスカフェ"),
    *("ブルーボトル", "セブンイレブン", "ローソン", "ファミマ", "ナナズグリーン", "辻利", "一保堂", "アサヒ飲料"),
    *(
        "starbucks",
        "costa coffee",
        "nespresso",
        "ippodo",
        "blue bottle",
        "oatly",
        "coca-cola",
        "pepsi",
        "itoen",
        "ito en",
    ),
    *("amazon", "rakuten", "instagram", "tiktok", "mcdonald", "pret a manger", "tim hortons", "doutor", "tully"),
)
KANA = re.compile(r"[぀-ヿ一-鿿]")


@pytest.fixture(scope="module")
def stage() -> Stage:
    return told(7)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def texts(stage: Stage) -> list[str]:
    return [post.text for post in stage.world.posts.values()]


@pytest.mark.parametrize("name", ["texts_ja.toml", "texts_en.toml", "people.toml", "specials.toml"])
def test_no_real_brand_in_any_bank(name: str) -> None:
    whole = "\n".join(strings(read_toml(name))).casefold()
    assert [real for real in REAL_BRANDS if real.casefold() in whole] == []


def test_addresses_lead_nowhere(stage: Stage) -> None:
    hosts = {host for text in texts(stage) for host in re.findall(r"https?://([^/\s\"]+)", text)}
    assert hosts
    assert hosts <= {"example.com", "example.org", "example.net"}


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_banks_have_known_slots_only(lang: str) -> None:
    bank = read_toml(f"texts_{lang}.toml")
    slots = set(bank["slots"]) | {"k"}
    used = {slot for text in strings(bank) for slot in re.findall(r"\{(\w*)\}", text)}
    assert used <= slots


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_banks_hold_no_sentence_twice(lang: str) -> None:
    counts = Counter(text for text in strings(read_toml(f"texts_{lang}.toml")["everyday"]) if len(text) > 20)
    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("mood", ["negative", "neutral", "positive"])
def test_ordinary_sentences_name_the_brand(lang: str, mood: str) -> None:
    bank = read_toml(f"texts_{lang}.toml")
    assert all("{b}" in text for text in bank["everyday"][mood])
    assert len(bank["everyday"][mood]) >= 20


def test_no_slot_is_left(stage: Stage) -> None:
    assert [text for text in texts(stage) if re.search(r"\{\w+\}", text)] == []


def test_languages_are_what_they_say(stage: Stage) -> None:
    for post in stage.world.posts.values():
        bare = re.sub(r"#\S+|@\S+", "", post.text)
        if post.lang == "en":
            assert not KANA.search(bare), post.text
        elif len(bare) > 25 and "[bot]" not in bare:
            assert KANA.search(bare), post.text


def test_most_posts_name_the_brand_and_some_do_not(stage: Stage) -> None:
    own = [post for post in stage.world.posts.values() if not post.reply_to and not post.quote_of]
    silent = [post for post in own if not names_brand(post.text)]
    assert 10 <= len(silent) <= 60
    assert len(own) > 600


def test_names_brand_in_every_spelling() -> None:
    assert all(names_brand(text) for text in ("ミナツバ公式", "ﾐﾅﾂﾊﾞ最高", "MINATSUBA", "#minatsuba!"))
    assert not names_brand("みんなのつばさ, minerals")


def special(stage: Stage, part: str) -> Post:
    found = [post for post in stage.world.posts.values() if part in post.text]
    assert len(found) == 1, part
    return found[0]


@pytest.mark.parametrize(
    "part", ["<script>", "<!channel>", "=HYPERLINK(", "\u202e", "\u200b", "?a=1&b=2", ":sleepy_server:"]
)
def test_hard_cases(stage: Stage, part: str) -> None:
    post = special(stage, part)
    assert names_brand(post.text)
    assert post.visibility == "public"


def test_long_posts_in_both_languages(stage: Stage) -> None:
    lengths = {post.lang: len(post.text) for post in stage.world.posts.values() if len(post.text) > 300}
    assert set(lengths) == {"ja", "en"}


def test_content_warnings_and_emoji(stage: Stage) -> None:
    warned = [post for post in stage.world.posts.values() if post.spoiler]
    assert len(warned) == 2
    assert all(post.network == "mastodon" for post in warned)
    shortcodes = {code for text in texts(stage) for code in re.findall(r":([a-z_]+):", text)}
    assert shortcodes == set(stage.world.emojis)


def test_visibilities(stage: Stage) -> None:
    kinds = Counter(post.visibility for post in stage.world.posts.values())
    assert {"public", "unlisted", "private", "direct"} == set(kinds)
    assert all(post.visibility == "public" for post in stage.world.posts.values() if post.network == "x")


def test_edits_deletions_and_late_arrivals(stage: Stage) -> None:
    posts = stage.world.posts.values()
    edited = [post for post in posts if post.edits]
    assert len(edited) == 1
    assert edited[0].edits[0].at > edited[0].created_at >= brand.LIVE_FROM
    removed = [post for post in posts if post.deleted_at]
    assert len(removed) == 1
    assert removed[0].deleted_at is not None
    assert removed[0].deleted_at > removed[0].created_at
    assert sum(post.indexed_after.total_seconds() > 0 for post in posts) > 20
    assert any(post.federated_after.total_seconds() >= 3600 for post in posts)


def test_deck_deals_every_card_before_any_again() -> None:
    writer = Writer(np.random.default_rng(3))
    size = len(writer.banks["ja"]["everyday"]["neutral"])
    first = [writer.draw("ja", "everyday", "neutral") for _ in range(size)]
    assert len(set(first)) == size
    assert writer.draw("ja", "everyday", "neutral") in first


def test_once_does_not_repeat_while_it_can() -> None:
    writer = Writer(np.random.default_rng(3))
    said = [writer.everyday("en", "fans", "positive") for _ in range(120)]
    assert len(set(said)) == 120


def test_once_still_answers_when_everything_was_said() -> None:
    writer = Writer(np.random.default_rng(3))
    bank = len(writer.banks["ja"]["false_start"]["replies"])
    assert len([writer.once("ja", "false_start", "replies") for _ in range(bank + 3)]) == bank + 3


def test_sentences_are_joined_with_one_stop() -> None:
    writer = Writer(np.random.default_rng(3))
    assert writer._joined("en", "Lovely place", "Cheers!") == "Lovely place. Cheers!"
    assert writer._joined("en", "Lovely place!", "Cheers!") == "Lovely place! Cheers!"
    assert writer._joined("ja", "好き", "通います。") == "好き。通います。"
    assert writer._joined("ja", "好き✨", "通います。") == "好き✨通います。"


def test_most_fediverse_posts_carry_the_hashtag(stage: Stage) -> None:
    """Tag timelines are the only way to find them without a login."""
    own = [post for post in stage.world.posts.values() if post.network == "mastodon" and not post.reply_to]
    tagged = [post for post in own if re.search(f"#({brand.HASHTAG}|{brand.HASHTAG_EN})", post.text)]
    assert 0.6 < len(tagged) / len(own) < 0.95
