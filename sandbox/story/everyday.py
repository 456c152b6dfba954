"""The ordinary two weeks: what communities, the brand, news, giveaways and bots say, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from sandbox.story import brand
from sandbox.story.people import Community, read_toml
from sandbox.story.rhythm import by_utc_hour, on_weekday
from sandbox.story.spread import Pace, cascade_of_size
from sandbox.story.stage import Stage, draw_mood, rng_count
from sandbox.world import Edit, Person

MOODS = (0.23, 0.45, 0.32)
BURSTINESS = 4.0
MOOD_STEADINESS = 8.0
HOUR = timedelta(hours=1)
TAGGED = {"x": 0.25, "mastodon": 0.75}  # hashtags are how the fediverse finds posts


def tell(stage: Stage) -> None:
    """Everything that happens on ordinary days."""
    weather = _weather(stage)
    for group in stage.cast.communities.values():
        _community(stage, group, weather)
    _loud(stage)
    _brand(stage)
    _specials(stage)
    _offtopic(stage)


def _community(stage: Stage, group: Community, weather: list[Weather]) -> None:
    weights = by_utc_hour(group.lang, group.day)
    for number, moment in enumerate(hours()):
        mean = (
            weather[number].buzz
            * group.daily
            / 24
            * weights[moment.hour]
            * on_weekday(moment, group.lang, group.weekend)
        )
        for _ in range(rng_count(stage.rng, mean, BURSTINESS)):
            author, mood = stage.pick(group), draw_mood(stage.rng, weather[number].moods)
            at = within(stage, moment)
            text = stage.writer.everyday(group.lang, group.bank, mood, TAGGED[group.network])
            post = stage.publish(author, text, at, group.lang, mood, visibility=_visibility(stage, author))
            if post.visibility != "private" and not author.protected:
                stage.answer(post, group, stage.cast.pull[author.key])


@dataclass(frozen=True, slots=True)
class Weather:
    """What moves everybody in an hour, so that counts are over-dispersed: how much is said, and the moods' chances."""

    buzz: float
    moods: tuple[float, float, float]


def _weather(stage: Stage) -> list[Weather]:
    """The weather of every hour; the buzz holds for two."""
    count = len(hours())
    draws = stage.rng.dirichlet([share * MOOD_STEADINESS for share in MOODS], size=count)
    buzz = np.repeat(stage.rng.gamma(BURSTINESS, 1 / BURSTINESS, size=count // 2 + 1), 2)
    return [Weather(float(buzz[n]), (float(row[0]), float(row[1]), float(row[2]))) for n, row in enumerate(draws)]


def _visibility(stage: Stage, author: Person) -> str:
    if author.network == "x":
        return "public"
    return str(stage.rng.choice(["public", "unlisted", "private"], p=[0.93, 0.05, 0.02]))


def hours() -> list[datetime]:
    """The hours of the story."""
    return [brand.BEGINS + n * HOUR for n in range(int((brand.ENDS - brand.BEGINS) / HOUR))]


def within(stage: Stage, hour: datetime) -> datetime:
    """A moment in an hour."""
    return hour + timedelta(milliseconds=int(stage.rng.integers(3_600_000)))


def _loud(stage: Stage) -> None:
    """News and giveaway accounts and bots: many followers, a reshare now and then."""
    cast, rng = stage.cast, stage.rng
    roles = [
        (cast.news, "posts", 0.3, "crowd"),
        (cast.giveaways, "giveaway", 0.3, "hunters"),
        (cast.bots, "bot", 0.4, ""),
    ]
    for people, bank, daily, audience in roles:
        for person in people:
            lang = "en" if person.handle in {"teatradewire", "freebie_harbour", "pricewatch_bot"} else "ja"
            weights = by_utc_hour(lang, "robot" if person.bot else "general")
            for moment in hours():
                if rng.random() >= daily / 24 * weights[moment.hour]:
                    continue
                text = stage.writer.once(lang, "news", bank)
                post = stage.publish(person, text, within(stage, moment), lang, "neutral")
                if audience:
                    group = cast.communities["hunters" if audience == "hunters" else f"crowd_{lang}"]
                    stage.answer(post, group, 3.0)


def _brand(stage: Stage) -> None:
    """The brand's own posts at office hours, its giveaway, and polite answers to some."""
    cast, rng = stage.cast, stage.rng
    accounts = [
        (cast.brand_ja, "ja", "crowd_ja", 1),
        (cast.brand_en, "en", "crowd_en", 8),
        (cast.brand_mastodon, "en", "crowd_fedi_en", 10),
    ]
    for person, lang, slug, hour in accounts:
        assert person is not None
        for day in range(14):
            moment = brand.BEGINS + timedelta(days=day, hours=hour)
            if moment.weekday() < 5 and rng.random() < 0.75:
                post = stage.publish(
                    person, stage.writer.once(lang, "brand", "posts"), within(stage, moment), lang, "neutral"
                )
                stage.answer(post, cast.communities[slug], 6.0, reproduction=0.2)
    _giveaway(stage)
    _service(stage)


def _giveaway(stage: Stage) -> None:
    cast, at = stage.cast, brand.BEGINS + timedelta(days=2, hours=3, seconds=12)
    assert cast.brand_ja is not None
    text = stage.writer.fill("ja", stage.writer.banks["ja"]["brand"]["giveaway"])
    post = stage.publish(cast.brand_ja, text, at, "ja", "neutral")
    shares = cascade_of_size(stage.rng, at, Pace(110, 0.25), stage.waking["ja"], 120, 190)
    stage.spread(post, shares, "hunters")
    stage.applaud(post, cast.communities["crowd_ja"], 150)


def _service(stage: Stage) -> None:
    """Official answers to a few complaints and compliments."""
    cast, rng = stage.cast, stage.rng
    officials = {("x", "ja"): cast.brand_ja, ("x", "en"): cast.brand_en, ("mastodon", "en"): cast.brand_mastodon}
    for post in list(stage.world.posts.values()):
        official = officials.get((post.network, post.lang or ""))
        if official is None or post.author == official.key or post.reply_to or rng.random() > 0.03:
            continue
        at = post.created_at + timedelta(minutes=int(rng.integers(20, 400)))
        if at < brand.ENDS and post.visibility == "public" and not stage.author_of(post).protected:
            head = stage.address(official, post) + " "
            text = stage.writer.once(post.lang or "en", "brand", "replies", head=head)
            stage.publish(official, text, at, post.lang or "en", "neutral", reply_to=post.id)


def _specials(stage: Stage) -> None:
    """Single posts that are hard to handle."""
    for entry in read_toml("specials.toml")["post"]:
        group = stage.cast.communities[entry["community"]]
        at = brand.BEGINS + timedelta(days=entry["day"], hours=entry["hour"])
        rest: dict[str, Any] = {"spoiler": entry.get("spoiler", ""), "visibility": entry.get("visibility", "public")}
        if "late" in entry:
            rest["federated_after"] = timedelta(minutes=entry["late"])
        if "edit" in entry:
            rest["edits"] = [Edit(at + timedelta(minutes=35), entry["edit"])]
        if "deleted_after" in entry:
            rest["deleted_at"] = at + timedelta(minutes=entry["deleted_after"])
        author = next(one for one in group.members[2:] if open_account(one))
        post = stage.publish(author, entry["text"], at, group.lang, "neutral", **rest)
        if post.visibility in ("public", "unlisted"):
            stage.answer(post, group, 0.6)
    stage.world.emojis = ("blobcat_tea", "coffee_nom", "sleepy_server")


def open_account(person: Person) -> bool:
    """Whether a person may be watched."""
    return not person.protected and not person.noindex and person.discoverable and "#nobot" not in person.bio


def _offtopic(stage: Stage) -> None:
    """A few posts about something else: matching must leave them out."""
    for slug in ("barista", "photo", "office", "potter", "matcha_en", "fedi_ja", "fedi_en"):
        group = stage.cast.communities[slug]
        for _ in range(4):
            moment = hours()[int(stage.rng.integers(14 * 24))]
            text = stage.writer.once(group.lang, "offtopic", "posts")
            stage.publish(stage.anyone(group), text, within(stage, moment), group.lang, "neutral")
