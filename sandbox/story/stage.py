"""Where things happen: posts, replies, quotes, reshares and likes enter the world with ids and in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from sandbox.story import brand
from sandbox.story.people import Cast, Community, settle
from sandbox.story.rhythm import Waking
from sandbox.story.spread import Pace, Share, cascade, delay
from sandbox.story.texts import Mood, Writer
from sandbox.world import Like, Person, Post, Reshare, World, mastodon_id, x_id

AT_HOME = 0.85
LATE_SHARE = 0.1


class Stage:
    """A world in the making; `moods` remembers what each post was meant to sound like."""

    def __init__(self, seed: int) -> None:
        people, words, life = (np.random.default_rng(one) for one in np.random.SeedSequence(seed).spawn(3))
        self.rng = life
        self.world = World(begins=brand.BEGINS, ends=brand.ENDS)
        self.cast: Cast = settle(self.world, people)
        self.writer = Writer(words)
        self.moods: dict[str, Mood] = {}
        self.waking = {lang: Waking(lang, brand.BEGINS, brand.ENDS) for lang in ("ja", "en")}
        self._serial = 0
        self._shared: set[tuple[str, str]] = set()
        self._liked: set[tuple[str, str]] = set()

    def publish(self, author: Person, text: str, at: datetime, lang: str, mood: Mood, **rest: Any) -> Post:
        """A new post."""
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        if self.rng.random() < LATE_SHARE:
            late = timedelta(seconds=int(self.rng.integers(5, 45)))
            rest.setdefault("indexed_after" if author.network == "x" else "federated_after", late)
        post = Post(self._id(author, at), author.network, author.key, text, lang, at, **rest)
        self.world.posts[post.id] = post
        self.moods[post.id] = mood
        return post

    def reshare(self, person: Person, post: Post, at: datetime) -> bool:
        """A reshare, unless that person has reshared it already, wrote it, or it is too late in the story."""
        pair = (person.key, post.id)
        if pair in self._shared or person.key == post.author or not post.created_at < at < brand.ENDS:
            return False
        self._shared.add(pair)
        self.world.reshares.append(Reshare(self._id(person, at), person.key, post.id, at))
        return True

    def like(self, person: Person, post: Post, at: datetime) -> None:
        """A like, once."""
        pair = (person.key, post.id)
        if pair not in self._liked and post.created_at < at < brand.ENDS:
            self._liked.add(pair)
            self.world.likes.append(Like(person.key, post.id, at))

    def reply(self, person: Person, post: Post, at: datetime, text: str, lang: str, mood: Mood) -> Post:
        """An answer; `text` without the handle, which goes in front as clients put it."""
        return self.publish(person, f"{self.address(person, post)} {text}", at, lang, mood, reply_to=post.id)

    def address(self, person: Person, post: Post) -> str:
        """How a person addresses the author of a post."""
        author = self.world.people[post.author]
        remote = author.network == "mastodon" and author.instance != person.instance
        return f"@{author.handle}@{author.instance}" if remote else f"@{author.handle}"

    def author_of(self, post: Post) -> Person:
        """Who wrote it."""
        return self.world.people[post.author]

    def pick(self, group: Community) -> Person:
        """Somebody of a community, the talkative more often."""
        weights = np.asarray(group.weights)
        return group.members[int(self.rng.choice(len(weights), p=weights / weights.sum()))]

    def anyone(self, group: Community) -> Person:
        """Somebody of a community, everybody alike."""
        return group.members[int(self.rng.integers(len(group.members)))]

    def spread(self, post: Post, shares: Sequence[Share], slug: str, abroad: float = 0.0, loyal: float = 0.25) -> int:
        """Lets people reshare, those of the community `slug` first, then neighbours and the crowd; returns the count.

        `loyal` is the community's part of the later generations, `abroad` the part that writes the other language.
        """
        done = 0
        for share in shares:
            home = self.rng.random() < (AT_HOME if share.generation == 1 else loyal)
            for _ in range(12):
                person = self.anyone(self.cast.communities[slug] if home else self._elsewhere(slug, abroad))
                if self.reshare(person, post, share.at):
                    done += 1
                    break
                home = False
        return done

    def _elsewhere(self, slug: str, abroad: float) -> Community:
        here = self.cast.communities[slug]
        lang = here.lang if self.rng.random() >= abroad else ("en" if here.lang == "ja" else "ja")
        crowds = {("x", "ja"): "crowd_ja", ("x", "en"): "crowd_en"}
        crowd = crowds.get((here.network, lang), f"crowd_fedi_{lang}")
        near = [
            one
            for one in self.cast.communities.values()
            if one.network == here.network and one.lang == lang and one.stars and one.slug != slug
        ]
        if near and self.rng.random() < 0.3:
            return near[int(self.rng.integers(len(near)))]
        return self.cast.communities[crowd]

    def answer(self, post: Post, group: Community, strength: float, reproduction: float = 0.45) -> None:
        """What an ordinary post brings: reshares, replies, quotes and likes, mostly from the author's community."""
        rng, waking = self.rng, self.waking[group.lang]
        shares = cascade(rng, post.created_at, Pace(group.devotion * strength, reproduction), waking, most=60)
        count = self.spread(post, shares, group.slug, loyal=0.65)
        for _ in range(rng.poisson(group.replies * strength**0.5)):
            self._chat(post, group)
        if post.network == "x" and rng.random() < 0.035 * strength:
            self._quote(post, group)
        self.applaud(post, group, 1.2 * strength * (1 + group.devotion) + 2.2 * count)

    def applaud(self, post: Post, group: Community, mean: float) -> None:
        """Likes, over-dispersed."""
        for _ in range(rng_count(self.rng, mean, 2.0)):
            at = self.waking[group.lang].after(post.created_at, delay(self.rng))
            home = self.rng.random() < 0.6
            person = self.anyone(group if home else self._elsewhere(group.slug, 0.1))
            if at is not None:
                self.like(person, post, at)

    def ripple(self, post: Post, shares: Sequence[Share], slug: str, each: float, abroad: float = 0.0) -> None:
        """Likes of those whom every share reached."""
        for share in shares:
            for _ in range(rng_count(self.rng, each, 1.0)):
                at = self.waking["ja"].after(share.at, delay(self.rng))
                if at is not None:
                    self.like(self.anyone(self._elsewhere(slug, abroad)), post, at)

    def _chat(self, post: Post, group: Community) -> None:
        at = self.waking[group.lang].after(post.created_at, delay(self.rng))
        person = self.anyone(group)
        if at is None or person.key == post.author:
            return
        mood = self.answer_mood(self.moods[post.id])
        text = self.writer.once(group.lang, "replies", mood, mood=mood, head=self.address(person, post) + " ")
        said = self.publish(person, text, at, group.lang, mood, reply_to=post.id)
        author = self.author_of(post)
        back = self.waking[group.lang].after(at, delay(self.rng))
        if back is not None and self.rng.random() < 0.2 and author.key in self.cast.home:
            head = self.address(author, said) + " "
            text = self.writer.once(group.lang, "replies", mood, mood=mood, head=head)
            self.publish(author, text, back, group.lang, mood, reply_to=said.id)

    def _quote(self, post: Post, group: Community) -> None:
        at = self.waking[group.lang].after(post.created_at, delay(self.rng))
        person = self.anyone(group)
        if at is not None and person.key != post.author:
            text = self.writer.once(group.lang, "replies", "quotes", mood="neutral", tag=0.3)
            self.publish(person, text, at, group.lang, "neutral", quote_of=post.id)

    def answer_mood(self, mood: Mood) -> Mood:
        """How people answer a mood."""
        chances = {"negative": (0.5, 0.4, 0.1), "neutral": (0.07, 0.63, 0.3), "positive": (0.03, 0.27, 0.7)}[mood]
        return draw_mood(self.rng, chances)

    def _id(self, person: Person, at: datetime) -> str:
        self._serial += 1
        return x_id(at, self._serial) if person.network == "x" else mastodon_id(at, self._serial)


def rng_count(rng: np.random.Generator, mean: float, shape: float) -> int:
    """A gamma-Poisson count: variance mean + mean^2 / shape."""
    return int(rng.poisson(mean * rng.gamma(shape, 1 / shape)))


def draw_mood(rng: np.random.Generator, chances: tuple[float, float, float]) -> Mood:
    """A mood by its chances (negative, neutral, positive)."""
    moods: tuple[Mood, Mood, Mood] = ("negative", "neutral", "positive")
    return moods[int(rng.choice(3, p=chances))]
