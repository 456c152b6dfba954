"""What a monitor should tell, and what it should not: earlier cascades, the viral bowl, the crisis, the false start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.story import brand
from sandbox.story.everyday import TAGGED, open_account
from sandbox.story.people import Community
from sandbox.story.spread import Pace, Share, cascade, cascade_of_size, delay
from sandbox.story.stage import Stage, draw_mood
from sandbox.story.texts import Mood
from sandbox.world import Event, Person, Post


def tell(stage: Stage) -> None:
    """All of them, in order of time."""
    _earlier(stage)
    stage.world.events += [_false_start(stage), _viral(stage), _crisis(stage)]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A finished cascade of the first eleven days."""

    slug: str
    text: str
    day: float
    pace: Pace
    low: int
    high: int
    mood: Mood = "positive"


EARLIER = (
    Earlier("photo", "cafe_sunrise", 3.51, Pace(9, 1.3, timedelta(hours=4)), 90, 150),
    Earlier("fedi_ja", "fedi_recipe", 5.48, Pace(7, 0.9), 22, 45),
    Earlier("matcha_en", "tea_train", 7.79, Pace(9, 1.2, timedelta(hours=4)), 60, 110),
)


def _earlier(stage: Stage) -> None:
    for one in EARLIER:
        group = stage.cast.communities[one.slug]
        author, at = stage.cast.stars(one.slug)[1], brand.BEGINS + timedelta(days=one.day)
        text = stage.writer.banks[group.lang]["cascades"][one.text]
        post = stage.publish(author, text, at, group.lang, one.mood)
        shares = cascade_of_size(stage.rng, at, one.pace, stage.waking[group.lang], one.low, one.high)
        stage.spread(post, shares, one.slug)
        stage.ripple(post, shares, one.slug, 3.0)
        for share in shares[:: max(1, len(shares) // 9)]:
            _comment(stage, post, group, share.at, ("cascades", "praise"), "positive")


def _comment(
    stage: Stage, post: Post, group: Community, at: datetime, path: tuple[str, str], mood: Mood, quoting: float = 0.5
) -> None:
    """A reply or a quote, somewhat after a share; never by the author."""
    when = stage.waking[group.lang].after(at, delay(stage.rng))
    person = stage.anyone(group)
    if when is None or person.key == post.author:
        return
    if post.network == "x" and stage.rng.random() < quoting:
        text = stage.writer.once(group.lang, *path, mood=mood, tag=0.6)
        stage.publish(person, text, when, group.lang, mood, quote_of=post.id)
    else:
        head = stage.address(person, post) + " "
        text = stage.writer.once(group.lang, *path, mood=mood, head=head)
        stage.publish(person, text, when, group.lang, mood, reply_to=post.id)


def _viral(stage: Stage) -> Event:
    """A potter with 312 followers, a bowl, and a community that answers everything she says."""
    cast, at = stage.cast, brand.VIRAL_AT
    group, author = cast.communities["potter"], cast.stars("potter")[0]
    post = stage.publish(author, stage.writer.banks["ja"]["viral"]["root"], at, "ja", "positive")
    shares = cascade_of_size(stage.rng, at, VIRAL_PACE, stage.waking["ja"], 340, 560)
    stage.spread(post, shares, "potter", abroad=0.2)
    stage.ripple(post, shares, "potter", 5.0, abroad=0.2)
    for share in shares[:: max(1, len(shares) // 95)]:
        _praise(stage, post, share)
    for hours, key in ((3.4, "followup"), (13.2, "thanks")):
        more = stage.publish(
            author, stage.writer.banks["ja"]["viral"][key], at + timedelta(hours=hours), "ja", "positive"
        )
        stage.answer(more, group, 4.0)
    _echo(stage, at + timedelta(hours=1.3))
    return Event(
        "leaf-bowl",
        "viral",
        at,
        brand.VIRAL_AT + timedelta(hours=30),
        "A potter's bowl goes viral",
        "小さな窯の抹茶碗が拡散",
        post.id,
    )


def _praise(stage: Stage, post: Post, share: Share) -> None:
    english = share.generation > 2 and stage.rng.random() < 0.22
    slug = ("crowd_en" if stage.rng.random() < 0.6 else "matcha_en") if english else "crowd_ja"
    if not english and (share.generation == 1 or stage.rng.random() < 0.2):
        slug = "potter" if stage.rng.random() < 0.7 else "photo"
    mood: Mood = "positive" if stage.rng.random() < 0.88 else "neutral"
    path = ("viral", "praise" if mood == "positive" else "neutral")
    _comment(stage, post, stage.cast.communities[slug], share.at, path, mood)


def _echo(stage: Stage, at: datetime) -> None:
    """The fediverse hears of the bowl."""
    for slug, later in (("fedi_ja", 0.0), ("fedi_en", 7.5)):
        group = stage.cast.communities[slug]
        text = stage.writer.once(group.lang, "viral", "praise", mood="positive", tag=1.0)
        post = stage.publish(stage.cast.stars(slug)[1], text, at + timedelta(hours=later), group.lang, "positive")
        stage.spread(post, cascade(stage.rng, post.created_at, Pace(6, 0.5), stage.waking[group.lang], most=30), slug)


@dataclass(frozen=True, slots=True)
class Wave:
    """How a community takes part in the crisis: how many posts, from which hour on, and how angry."""

    slug: str
    posts: int
    after: float
    angry: float


WAVES = (
    Wave("barista", 30, 0.1, 0.84),
    Wave("fedi_ja", 15, 0.4, 0.82),
    Wave("office", 28, 1.7, 0.72),
    Wave("crowd_ja", 34, 2.0, 0.72),
    Wave("photo", 10, 2.4, 0.68),
    Wave("potter", 5, 2.6, 0.68),
    Wave("matcha_en", 19, 4.2, 0.74),
    Wave("fedi_en", 14, 4.6, 0.74),
    Wave("crowd_en", 13, 5.5, 0.72),
)
SHAPE, SCALE_HOURS = 2.2, 1.25
TAIL_SHARE, TAIL_HOURS = 0.38, 12.0
VIRAL_PACE = Pace(20, 1.5, timedelta(hours=9), 1500)
CRISIS_PACE = Pace(16, 1.3, timedelta(hours=7), 1200)
APOLOGY_HOURS = 6.4


def _crisis(stage: Stage) -> Event:
    """An allergen that is not on the label: home baristas first, then everybody, ja before en."""
    at = brand.CRISIS_AT
    root = stage.publish(
        stage.cast.stars("barista")[1], stage.writer.banks["ja"]["crisis"]["root"], at, "ja", "negative"
    )
    shares = cascade_of_size(stage.rng, at, CRISIS_PACE, stage.waking["ja"], 150, 330)
    stage.spread(root, shares, "barista", abroad=0.1)
    stage.ripple(root, shares, "barista", 2.5, abroad=0.1)
    for share in shares[:: max(1, len(shares) // 24)]:
        slug = "barista" if share.generation == 1 else "crowd_ja"
        _comment(stage, root, stage.cast.communities[slug], share.at, ("crisis", "replies"), "negative", quoting=0.0)
    _second(stage, "fedi_ja", at + timedelta(minutes=17))
    _second(stage, "barista", at + timedelta(minutes=48))
    _second(stage, "matcha_en", at + timedelta(hours=4.1))
    for wave in WAVES:
        _wave(stage, wave, at)
    _apology(stage, at + timedelta(hours=APOLOGY_HOURS))
    return Event(
        "oat-latte-allergen",
        "crisis",
        at,
        brand.ENDS,
        "Undeclared milk in the oat latte can",
        "オーツラテ缶に表示のない乳成分",
        root.id,
    )


def _second(stage: Stage, slug: str, at: datetime) -> None:
    group = stage.cast.communities[slug]
    text = _line(stage, group.lang, "second") + f" #{brand.HASHTAG if group.lang == 'ja' else brand.HASHTAG_EN}"
    post = stage.publish(stage.cast.stars(slug)[0], text, at, group.lang, "negative")
    shares = cascade(stage.rng, at, Pace(9, 0.8), stage.waking[group.lang], most=90)
    stage.spread(post, shares, slug)
    stage.applaud(post, group, 2.0 * len(shares))


def _line(stage: Stage, lang: str, key: str) -> str:
    return stage.writer.fill(lang, stage.writer.banks[lang]["crisis"][key])


def _wave(stage: Stage, wave: Wave, at: datetime) -> None:
    group, rng = stage.cast.communities[wave.slug], stage.rng
    for _ in range(rng.poisson(wave.posts)):
        tail = rng.random() < TAIL_SHARE
        hours = rng.gamma(1.5, TAIL_HOURS / 1.5) if tail else rng.gamma(SHAPE, SCALE_HOURS)
        when = stage.waking[group.lang].after(at + timedelta(hours=wave.after), timedelta(hours=float(hours)))
        if when is None:
            continue
        late = when > at + timedelta(hours=APOLOGY_HOURS + 0.5)
        mood = draw_mood(rng, (wave.angry, 1 - wave.angry, 0.0))
        bank: str = mood
        if late and rng.random() < 0.5:
            bank, mood = "late", "negative"
        text = stage.writer.once(group.lang, "crisis", bank, mood=mood, tag=TAGGED[group.network])
        post = stage.publish(stage.pick(group), text, when, group.lang, mood)
        if not stage.author_of(post).protected:
            stage.answer(post, group, 0.9 if mood == "negative" else 0.4)


def _apology(stage: Stage, at: datetime) -> None:
    cast = stage.cast
    for person, lang, slug, later in (
        (cast.brand_ja, "ja", "crowd_ja", 0),
        (cast.brand_en, "en", "crowd_en", 70),
        (cast.brand_mastodon, "en", "crowd_fedi_en", 75),
    ):
        assert person is not None
        when = at + timedelta(minutes=later)
        post = stage.publish(person, _line(stage, lang, "apology"), when, lang, "neutral")
        stage.answer(post, cast.communities[slug], 40.0, reproduction=0.5)


def _false_start(stage: Stage) -> Event:
    """Somebody angry at lunch and three friends; by one o'clock they talk about something else."""
    at, group = brand.FALSE_START_AT, stage.cast.communities["office"]
    friends = [one for one in group.members[group.stars :] if open_account(one)][:8]
    bank = [stage.writer.fill("ja", one) for one in stage.writer.banks["ja"]["false_start"]["posts"]]
    by: list[tuple[Person, float]] = [
        (friends[0], 0),
        (friends[0], 6.2),
        (friends[1], 9.5),
        (friends[2], 13.1),
        (friends[3], 18.4),
    ]
    posts = [
        stage.publish(person, text, at + timedelta(minutes=later), "ja", "negative")
        for (person, later), text in zip(by, bank, strict=True)
    ]
    for number, friend in enumerate(friends[1:]):
        stage.reshare(friend, posts[0], at + timedelta(minutes=1.4 + 2.1 * number, seconds=11 * number))
    for friend, text in zip(friends[4:6], stage.writer.banks["ja"]["false_start"]["replies"], strict=True):
        stage.reply(friend, posts[0], at + timedelta(minutes=float(stage.rng.uniform(5, 15))), text, "ja", "negative")
    return Event(
        "lunch-queue",
        "false_start",
        at,
        at + timedelta(minutes=40),
        "An angry lunch break that stays small",
        "昼休みの小さな怒り(広がらない)",
        posts[0].id,
    )
