"""Posts that ask to be reposted for a prize: their reshares say what the prize is worth, not who moves whom."""

from __future__ import annotations

import re
import unicodedata

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


def is_giveaway(text: str) -> bool:
    """Whether a post (Japanese or English) asks for a repost and offers a prize, or asks to follow and repost.

    >>> is_giveaway("フォロー&リポストで10名様にプレゼント！"), is_giveaway("リポストありがとう")
    (True, False)
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    if not _HINTS.search(plain) or not _REPOST.search(plain):
        return False
    if _PRIZE.search(plain):
        return True
    return bool(_ASKED.search(plain))


_ASKED = re.compile(
    r"フォロー\s*(?:と|して|&|\+|x|×|、|・|かつ|および|and)\s*(?:この投稿を|この(?:ツイート|ポスト)を)?\s*(?:引用)?(?:rt|リツイート|リポスト)"
    r"|follow\s*(?:me|us|@\w+)?\s*(?:&|\+|and|,)\s*(?:like\s*(?:&|\+|and|,)\s*)?(?:rt|retweet|repost|boost)(?![a-z])"
)
