"""The words of a post, for describing groups of posts: simple, by script, without a dictionary."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from analysis.communities.describe import telling
from store.text import fold

_LINK = re.compile(r"https?://\S+")
_ADDRESS = re.compile(r"[@#][\w@.]+")
_WORD = re.compile("[\u4e00-\u9fff\u3005]{2,6}|[\u30a1-\u30fa\u30fc]{3,}|[a-z\u00df-\u024f][a-z\u00df-\u024f'’]{2,}")
_COMMON = frozenset(
    """the and for are but not you all any can had her was one our out has him his how its may new now old see two way
    who did get let put say she too use that with have this will your from they know want been good much some time very
    when come here just like long make many more only over such take than them well were what into about there their
    would could should also then it's i'm don't didn't can't isn't wasn't got going really still even back because
    after before today every who's that's there's i've you're they're we're she's he's won't doesn't
    自分 今日 明日 昨日 今回 本当 時間 感じ 場合 最近 普通 一番 全部 全然 多分 結構 何度 今年 今週 先週 来週 毎日 毎朝
    """.split()
)


def words(text: str) -> set[str]:
    """The distinct words of a text, folded: kanji and katakana runs, words of Latin letters; no common ones.

    Links, mentions and hashtags are left out. Hiragana carry grammar more than meaning and are left out too.
    """
    plain = _ADDRESS.sub(" ", _LINK.sub(" ", fold(text)))
    return {w for w in _WORD.findall(plain) if w not in _COMMON}


def rising(now: Iterable[str], before: Iterable[str], most: int = 6) -> list[str]:
    """The words that set the posts of `now` apart from those of `before`, the most telling first.

    Each post counts once for a word; the measure is that of `communities.describe.telling`.
    """
    inside: Counter[str] = Counter(w for text in now for w in words(text))
    outside: Counter[str] = Counter(w for text in before for w in words(text))
    return list(telling(inside, outside, most))
