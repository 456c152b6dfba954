"""Turns the banks of sentences into posts: shuffled decks, small variations, hardly ever the same text twice."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np

from sandbox.story import brand
from sandbox.story.people import one, read_toml

Mood = Literal["negative", "neutral", "positive"]
_NAMED = re.compile("ミナツバ|ﾐﾅﾂﾊﾞ|minatsuba", re.IGNORECASE)
_TAG = {"ja": f" #{brand.HASHTAG}", "en": f" #{brand.HASHTAG_EN}"}
_TAILS: dict[str, tuple[str, ...]] = {
    "positive": ("", "", "", "!", "!!", "✨", " 😭", " 👏", " 🍵", " 💚", " 🙌"),
    "neutral": ("", "", "", "", " 🤔", "…"),
    "negative": ("", "", "", "", "…", " 😡", " 😞", "!", " 💢"),
}
_TRIES = 60


def names_brand(text: str) -> bool:
    """Whether a text names the brand in one of its spellings."""
    return _NAMED.search(text) is not None


class Writer:
    """Writes texts in ja and en; deterministic by its generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.banks: dict[str, dict[str, Any]] = {lang: read_toml(f"texts_{lang}.toml") for lang in ("ja", "en")}
        self.used: set[str] = set()
        self._decks: dict[tuple[str, ...], list[str]] = {}

    def draw(self, lang: str, *path: str) -> str:
        """The next sentence of a bank; every one comes before any comes again."""
        key = (lang, *path)
        if not self._decks.get(key):
            bank: Any = self.banks[lang]
            for name in path:
                bank = bank[name]
            self._decks[key] = [str(bank[i]) for i in self.rng.permutation(len(bank))]
        return self._decks[key].pop()

    def fill(self, lang: str, sentence: str) -> str:
        """A sentence with its slots filled."""
        slots = self.banks[lang]["slots"]
        starts_with_slot = sentence.startswith("{")
        for slot, choices in slots.items():
            while "{" + slot + "}" in sentence:
                sentence = sentence.replace("{" + slot + "}", one(self.rng, choices), 1)
        sentence = sentence.replace("{k}", str(self.rng.integers(11, 98)))
        return sentence[:1].upper() + sentence[1:] if starts_with_slot and lang == "en" else sentence

    def once(self, lang: str, *path: str, mood: Mood | None = None, tag: float = 0.0, head: str = "") -> str:
        """A text from a bank, not used before if that can be had; `head` goes in front, `tag` is a hashtag's chance."""
        text = ""
        for _ in range(_TRIES):
            text = head + self._varied(lang, path, mood, tag)
            if text not in self.used:
                break
        self.used.add(text)
        return text

    def everyday(self, lang: str, bank: str, mood: Mood, tag: float = 0.25) -> str:
        """What somebody of a community says on an ordinary day; always names the brand."""
        text = ""
        for _ in range(_TRIES):
            own = bank and self.rng.random() < 0.45
            text = self._varied(lang, (bank if own else "everyday", mood), None, 0.0)
            if self.rng.random() < 0.3:
                text = self._joined(lang, text, self.fill(lang, self.draw(lang, "everyday", f"after_{mood}")))
            if not names_brand(text) or self.rng.random() < tag:
                text += _TAG[lang]
            if text not in self.used:
                break
        self.used.add(text)
        return text

    def _varied(self, lang: str, path: tuple[str, ...], mood: Mood | None, tag: float) -> str:
        text = self.fill(lang, self.draw(lang, *path))
        if mood is not None and text[-1].isalnum():
            text += one(self.rng, _TAILS[mood])
        if "#" not in text and self.rng.random() < tag:
            text += _TAG[lang]
        return text

    @staticmethod
    def _joined(lang: str, first: str, second: str) -> str:
        """Two sentences with a stop between them, where there is none yet."""
        stop = {"ja": "。", "en": "."}[lang] if first[-1].isalnum() else ""
        return f"{first}{stop}{second if lang == 'ja' else ' ' + second}"
