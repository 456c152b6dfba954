"""Which posts belong to a topic: the query of the configuration on folded text, the same for every network."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from config import Topic
from store.records import Account, Post
from store.text import fold

# Scripts without spaces between words: a keyword in them is found anywhere; in others at word boundaries.
# Hangul is among them, for particles follow its words without a space.
_SCRIPTS = "\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e01-\u0e5b\uac00-\ud7a3"
_UNSPACED = re.compile(f"[{_SCRIPTS}]")
_LETTER = rf"[^\W_{_SCRIPTS}]"  # of a script with spaces: in 抹茶latteがうまい the word latte stands alone


@dataclass(frozen=True, slots=True)
class Match:
    """That a post belongs to a topic; `own`: it is by one of the topic's own accounts."""

    topic: str
    own: bool


def account_key(name: str) -> str:
    """A configured account (`x:handle`, `@user@host`) as it is compared: lower case, without a leading @."""
    return name.lower().removeprefix("@").replace("x:@", "x:")


def keys_of(account: Account | None, author_id: str | None) -> set[str]:
    """Every form under which an account may stand in a configuration."""
    keys = {author_id.lower(), author_id.lower().removeprefix("acct:")} if author_id else set()
    if account and account.handle:
        handle = account.handle.lower()
        keys.add(f"x:{handle}" if account.network == "x" else handle)
    return keys


def _pattern(words: Sequence[str]) -> re.Pattern[str] | None:
    """One expression that finds any of the folded words."""
    parts = []
    for word in sorted({fold(w) for w in words}, key=len, reverse=True):
        if not word:
            continue
        spaced = not _UNSPACED.search(word)
        before = f"(?<!{_LETTER})" if spaced and word[0].isalnum() else ""
        after = f"(?!{_LETTER})" if spaced and word[-1].isalnum() else ""
        parts.append(before + re.escape(word).replace(r"\ ", r"\s+") + after)
    return re.compile("|".join(parts)) if parts else None


class Matcher:
    """A topic's query, compiled."""

    def __init__(self, topic: Topic) -> None:
        """Compile the query of `topic`."""
        self.topic = topic.slug
        self.words = _pattern((*topic.keywords, *topic.phrases))
        self.exclude = _pattern(topic.exclude)
        self.tags = frozenset(fold(tag) for tag in topic.hashtags)
        self.accounts = frozenset(account_key(a) for a in topic.accounts)
        self.own = frozenset(account_key(a) for a in topic.own_accounts)
        self.languages = frozenset(topic.languages)
        self.networks = frozenset(topic.sources)

    def match(self, post: Post, folded: str, tags: set[str], keys: set[str]) -> Match | None:
        """Whether the post belongs here; `folded` is its text, `tags` its folded hashtags, `keys` its author's."""
        if post.network not in self.networks:
            return None
        own = not keys.isdisjoint(self.own)
        if not own:
            if self.languages and post.lang not in self.languages:
                return None
            if self.exclude and self.exclude.search(folded):
                return None
            if not self._wanted(post, folded, tags, keys):
                return None
        return Match(self.topic, own)

    def _wanted(self, post: Post, folded: str, tags: set[str], keys: set[str]) -> bool:
        if self.words and self.words.search(folded):
            return True
        if not tags.isdisjoint(self.tags):
            return True
        if not self.accounts and not self.own:
            return False
        addressed = {account_key(m) for m in post.mentions}
        return not (keys | addressed).isdisjoint(self.accounts | self.own)


def searchable(post: Post) -> str:
    """The folded text of a post, its content warning included: what is matched and what is searched."""
    return fold(f"{post.spoiler}\n{post.text}" if post.spoiler else post.text)


class Matchers:
    """Every topic's query."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        """Compile them all."""
        self.all = [Matcher(topic) for topic in topics]

    def match(self, post: Post, author: Account | None, folded: str | None = None) -> list[Match]:
        """The topics that a post belongs to; what only came along with another post belongs to none.

        `folded`: `searchable` of the post, from whoever has it already.
        """
        if post.reference or not self.all:
            return []
        folded = searchable(post) if folded is None else folded
        tags = {fold(tag) for tag in post.hashtags}
        keys = keys_of(author, post.author_id)
        found = (matcher.match(post, folded, tags, keys) for matcher in self.all)
        return [match for match in found if match]


def query_of(topic: Topic) -> str:
    """The part of a topic that decides what matches, as JSON; a change of it makes a new version."""
    names = ("keywords", "phrases", "hashtags", "accounts", "exclude", "languages", "own_accounts", "sources")
    return json.dumps({name: list(getattr(topic, name)) for name in names}, ensure_ascii=False)
