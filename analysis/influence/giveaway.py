"""Posts that ask to be reposted for a prize: their reshares say what the prize is worth, not who moves whom."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

_REPOST = re.compile(
    r"リツイート|リポスト|(?<![a-z])rts?(?![a-z])|引用rt|再投稿|ブースト"
    r"|(?<![a-z])(?:re-?(?:tweet|post)|boost)(?:s|ed|ing)?(?![a-z])",
)
_HINTS = re.compile("[リrブ再tpb](?:ツイ|ポス|t|投稿|ース|weet|ost|oost)")  # cheap, and in whatever _REPOST finds
_PRIZE = re.compile(
    r"プレゼント|プレキャン|懸賞|抽選|抽せん|当選|当たる|当たります|応募|キャンペーン|ギフト券|ギフト"
    r"|give-?\s?away|sweepstakes?|(?<![a-z])raffles?(?![a-z])|(?<![a-z])prizes?(?![a-z])"
    r"|(?:to|chance to|could|can) win(?![a-z])|enter to win|(?<![a-z])winners?(?![a-z])|to enter(?![a-z])",
)


_ASKED = re.compile(
    r"フォロー\s*(?:と|して|&|\+|x|×|、|・|かつ|および|and)\s*(?:この投稿を|この(?:ツイート|ポスト)を)?\s*(?:引用)?(?:rt|リツイート|リポスト)"
    r"|follow\s*(?:me|us|@\w+)?\s*(?:&|\+|and|,)\s*(?:like\s*(?:&|\+|and|,)\s*)?(?:rt|retweet|repost|boost)(?![a-z])"
)
_APART = "\0"  # between texts that are looked at together


def is_giveaway(text: str) -> bool:
    """Whether a post (Japanese or English) asks for a repost and offers a prize, or asks to follow and repost.

    >>> is_giveaway("フォロー&リポストで10名様にプレゼント！"), is_giveaway("リポストありがとう")
    (True, False)
    """
    return bool(giveaways([text]))


def giveaways(texts: Sequence[str]) -> list[int]:
    """Positions of the giveaways among some texts, ascending; only those with a hint are read closely."""
    plain = _plain(_APART.join(texts))
    if plain.count(_APART) != len(texts) - 1:
        return [place for place, text in enumerate(texts) if _asks(_plain(text))]
    ends = list(accumulate(len(text) + 1 for text in plain.split(_APART)))
    hinted = sorted({bisect_right(ends, hint.start()) for hint in _HINTS.finditer(plain)})
    return [place for place in hinted if _asks(plain[ends[place - 1] if place else 0 : ends[place] - 1])]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _asks(plain: str) -> bool:
    return bool(_REPOST.search(plain)) and bool(_PRIZE.search(plain) or _ASKED.search(plain))
