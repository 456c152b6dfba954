"""Who is in the story: communities with stars and habits, crowds, news, giveaways, bots, the brand itself."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import numpy as np

from sandbox.story import brand
from sandbox.story.rhythm import Day
from sandbox.world import Network, Person, World, mastodon_id, x_id


@dataclass(slots=True)
class Community:
    """People who talk with each other: `daily` posts of all together, `devotion` direct reshares of a typical post."""

    slug: str
    network: Network
    lang: str
    size: int
    daily: float
    devotion: float
    replies: float
    bank: str = ""
    day: Day = "general"
    weekend: float = 1.0
    stars: int = 2
    followers: int = 250
    instance: str = brand.INSTANCES[0]
    members: list[Person] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)


def communities() -> list[Community]:
    """The communities, before anybody has moved in; the last word on how much is said."""
    here, there = brand.INSTANCES
    return [
        Community("barista", "x", "ja", 46, 5.7, 1.3, 0.3, "barista", weekend=1.25, followers=320),
        Community("photo", "x", "ja", 44, 5.9, 1.2, 0.22, "photo", weekend=1.6, followers=420),
        Community("office", "x", "ja", 52, 6.8, 0.6, 0.22, "office", "office", weekend=0.45, followers=210),
        Community("potter", "x", "ja", 30, 3.4, 3.2, 0.5, "potter", stars=3, followers=190),
        Community("matcha_en", "x", "en", 46, 5.6, 1.3, 0.3, "fans", weekend=1.2, followers=380),
        Community("fedi_ja", "mastodon", "ja", 28, 3.7, 1.2, 0.3, "barista", followers=150, instance=there),
        Community("fedi_en", "mastodon", "en", 30, 4.0, 1.2, 0.3, "fedi", followers=170, instance=here),
        Community("crowd_ja", "x", "ja", 640, 5.0, 0.12, 0.05, stars=0, followers=160, weekend=1.2),
        Community("crowd_en", "x", "en", 230, 3.2, 0.12, 0.05, stars=0, followers=180, weekend=1.2),
        Community("crowd_fedi_ja", "mastodon", "ja", 45, 0.7, 0.12, 0.05, stars=0, followers=90, instance=there),
        Community("crowd_fedi_en", "mastodon", "en", 45, 0.7, 0.12, 0.05, stars=0, followers=90, instance=here),
        Community("hunters", "x", "ja", 70, 0.3, 0.1, 0.02, stars=0, followers=900),
    ]


@dataclass(slots=True)
class Cast:
    """Everybody, by role; `pull` is how strongly a person's own community answers, 1 for most."""

    communities: dict[str, Community] = field(default_factory=dict)
    pull: dict[str, float] = field(default_factory=dict)
    home: dict[str, str] = field(default_factory=dict)
    news: list[Person] = field(default_factory=list)
    giveaways: list[Person] = field(default_factory=list)
    bots: list[Person] = field(default_factory=list)
    brand_ja: Person | None = None
    brand_en: Person | None = None
    brand_mastodon: Person | None = None

    def stars(self, slug: str) -> list[Person]:
        """The people whom a community answers, the strongest first."""
        group = self.communities[slug]
        return group.members[: group.stars]


class Registry:
    """Gives out accounts with names, ages and ids that nobody else has."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self.world, self.rng = world, rng
        self._names = read_toml("people.toml")
        self._taken: set[str] = set()

    def join(self, network: Network, handle: str, name: str, bio: str, followers: int, **rest: Any) -> Person:
        """A new account in the world."""
        rng = self.rng
        created = datetime(2013, 1, 1, tzinfo=UTC) + timedelta(seconds=int(rng.integers(0, 12 * 365 * 86_400)))
        if network == "mastodon":
            created = max(created, datetime(2017, 4, 1, tzinfo=UTC) + timedelta(seconds=int(rng.integers(0, 10**8))))
        number = len(self.world.people)
        key = x_id(created, number) if network == "x" else mastodon_id(created, number)
        following = min(int(followers * rng.uniform(0.2, 1.5)), int(rng.integers(40, 900)))
        person = Person(key, network, handle, name, bio, followers, following, created, **rest)
        self.world.people[key] = person
        return person

    def somebody(self, group: Community, star: bool = False) -> Person:
        """An ordinary person of a community; some opt out of being watched, in the ways that networks know."""
        rng, names = self.rng, self._names[group.lang]
        bio = one(rng, self._names["bios"][group.slug.replace("crowd_fedi", "crowd")])
        followers = int(group.followers * rng.lognormal(0.0, 0.8)) + 3
        rest: dict[str, Any] = {"instance": group.instance}
        if not star and rng.random() < 0.025:
            bio = f"{bio} #nobot".strip()
        if not star and group.network == "mastodon":
            rest |= {"noindex": bool(rng.random() < 0.04), "discoverable": bool(rng.random() > 0.03)}
        elif not star:
            rest |= {"protected": bool(rng.random() < 0.015)}
        pick = int(rng.integers(len(names["name"])))
        shown = names["name"][pick] + one(rng, names["tail"])
        stem = names["romaji"][pick] if group.lang == "ja" else names["name"][pick].lower()
        return self.join(group.network, self._handle(stem), shown, bio, followers, **rest)

    def _handle(self, stem: str) -> str:
        while True:
            handle = f"{stem}_{self.rng.integers(10, 9999)}"[:15]
            if handle not in self._taken:
                self._taken.add(handle)
                return handle


def settle(world: World, rng: np.random.Generator) -> Cast:
    """Everybody moves in."""
    registry, cast = Registry(world, rng), Cast()
    for group in communities():
        cast.communities[group.slug] = group
        for number in range(group.size):
            star = number < group.stars
            person = registry.somebody(group, star)
            group.members.append(person)
            group.weights.append(3.0 if star else float(rng.pareto(1.8) + 0.3))
            cast.pull[person.key] = 2.6 if star else float(rng.gamma(1.5, 0.5))
            cast.home[person.key] = group.slug
    _hero(world, cast)
    _loud(registry, cast)
    _officials(registry, cast)
    return cast


def _hero(world: World, cast: Cast) -> None:
    """The potter of the viral post: 312 followers, all of whom care."""
    group = cast.communities["potter"]
    old = group.members[0]
    hero = Person(
        old.key,
        "x",
        "tsuchi_to_ha",
        "葉っぱ窯のこはる",
        "土と葉っぱ。小さな窯でうつわを焼いています",
        312,
        287,
        old.created_at,
    )
    world.people[old.key] = group.members[0] = hero


def _loud(registry: Registry, cast: Cast) -> None:
    """Accounts with many followers whom nobody answers, and automatic ones."""
    news = [
        ("sakanoue_news", "坂の上ニュース", 412_000),
        ("hibi_gohan_now", "日々のごはん速報", 187_000),
        ("cup_keizai", "カップ経済", 96_000),
        ("teatradewire", "Tea Trade Wire", 143_000),
    ]
    giveaways = [
        ("kensho_biyori", "懸賞びより🎁", 88_000),
        ("atari_matome", "当たりまとめ", 54_000),
        ("prize_tsushin", "プレゼント通信", 31_000),
        ("freebie_harbour", "Freebie Harbour", 67_000),
    ]
    bots = [("konzatsu_bot", "混雑おしらせbot", 2_100), ("pricewatch_bot", "price watch bot", 640)]
    cast.news = [registry.join("x", handle, name, "", count, verified=True) for handle, name, count in news]
    cast.giveaways = [registry.join("x", handle, name, "", count) for handle, name, count in giveaways]
    cast.bots = [registry.join("x", handle, name, "automatic", count, bot=True) for handle, name, count in bots]
    feed = registry.join(
        "mastodon", "cafefeed", "café feed", "自動 / automatic", 310, bot=True, instance=brand.INSTANCES[0]
    )
    cast.bots.append(feed)


def _officials(registry: Registry, cast: Cast) -> None:
    ja, en = "ミナツバ公式。抹茶と珈琲、缶とお店。", "Matcha and coffee, cans and cafés. Official."
    cast.brand_ja = registry.join("x", brand.HANDLE_JA, "ミナツバ【公式】", ja, 128_400, verified=True)
    cast.brand_en = registry.join("x", brand.HANDLE_EN, "Minatsuba", en, 21_300, verified=True)
    cast.brand_mastodon = registry.join(
        "mastodon", brand.HANDLE_MASTODON, "Minatsuba ミナツバ", f"{en} {ja}", 2_950, instance=brand.BRAND_INSTANCE
    )


def read_toml(name: str) -> dict[str, Any]:
    """A data file of the story."""
    return tomllib.loads(files("sandbox.story").joinpath(name).read_text(encoding="utf-8"))


def one(rng: np.random.Generator, items: Sequence[str]) -> str:
    """One of them, each alike."""
    return items[int(rng.integers(len(items)))]
