"""What happens in the week: posts on X and on three servers of the fediverse, two of them read; edits, deletions, posts
that arrive late, people who leave. The same seed tells the same story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import cos, pi
from random import Random

from sandbox.world import Edit, Person, Post, Reshare, World, mastodon_id, x_id

READ = ("one.sandbox", "two.sandbox")
HOSTS = (*READ, "elsewhere.example")
MARKER = "しずくの秘密"  # in every text, so that it can be looked for where no text belongs
WORDS = {
    frozenset(["kopi"]): "kopi #kopi",
    frozenset(["matcha"]): "抹茶 #抹茶",
    frozenset(["kopi", "matcha"]): "kopi と 抹茶 #kopi #抹茶",
    frozenset(): "天気 #weather",
}
ABOUT = tuple(WORDS)
MOODS = ("good", "fine", "table", "bad", "awful", "おいしい & 好き", "高い <3", "最悪だ")
MINUTE = timedelta(minutes=1)


@dataclass
class Story:
    """The world, and what the audit has to know about it."""

    begins: datetime
    ends: datetime
    world: World = field(default_factory=World)
    about: dict[str, frozenset[str]] = field(default_factory=dict)
    changes: list[tuple[datetime, str, Callable[[], None]]] = field(default_factory=list)
    """What people do to their accounts: when, what, how."""
    left: dict[str, datetime] = field(default_factory=dict)
    """From when on nothing of an account may be kept."""


def tell(seed: int, off: datetime, begins: datetime, length: timedelta, per_hour: float) -> Story:
    """The story from `off` (a few posts an hour) over `begins` (`per_hour` posts) for `length`."""
    random = Random(seed)
    story = Story(begins, begins + length)
    people = {network: _people(story, network, random) for network in ("x", "mastodon")}
    for network, share in (("x", 0.7), ("mastodon", 0.3)):
        for at in _times(random, off, begins, 0.04 * share * per_hour) + _times(
            random, begins, story.ends, share * per_hour
        ):
            _post(story, random, people[network], at)
    _storm(story, random, people["x"], begins + 0.45 * length, min(length / 30, timedelta(hours=2)))
    _departures(story, random, people, length)
    return story


def _people(story: Story, network: str, random: Random) -> list[str]:
    keys = []
    for number in range(120):
        key = str((100_000 if network == "x" else 900_000) + number)
        host = random.choice(HOSTS) if network == "mastodon" else "x"
        story.world.people[key] = Person(
            key, network, f"{network[0]}user{number}", f"User {number}",  # type: ignore[arg-type]
            followers=random.randrange(5000), instance=host,
            bio="<p>#nobot</p>" if network == "mastodon" and number % 40 == 7 else "",
            protected=network == "x" and number % 40 == 7,
        )  # fmt: skip
        if number % 40 == 7:
            story.left[key] = datetime.min.replace(tzinfo=story.begins.tzinfo)
        keys.append(key)
    return keys


def _times(random: Random, begins: datetime, ends: datetime, per_hour: float) -> list[datetime]:
    """More in the afternoon than at night."""
    times, at = [], begins
    while True:
        at += timedelta(hours=random.expovariate(per_hour * (1 - 0.8 * cos(pi * at.hour / 12))))
        if at >= ends:
            return times
        times.append(at)


def _post(story: Story, random: Random, people: list[str], at: datetime, **more: object) -> Post:
    world, author = story.world, random.choice(people)
    person = world.people[author]
    about = random.choices(ABOUT, (60, 25, 5, 10))[0]
    serial = len(world.posts)
    text = f"{WORDS[about]} {random.choice(MOODS)} {MARKER} {serial}"
    key = (x_id if person.network == "x" else mastodon_id)(at, serial)
    post = Post(key, person.network, author, text, random.choice(("ja", "en", None)), at)
    for name, value in more.items():
        setattr(post, name, value)
    world.posts[key], story.about[key] = post, about
    if random.random() < 0.05:
        post.deleted_at = at + timedelta(minutes=random.expovariate(1 / 600))
    elif random.random() < 0.05:
        edits = sorted(random.uniform(2, 600) for _ in range(random.randint(1, 2)))
        post.edits = [Edit(at + m * MINUTE, f"{text} edited {n}") for n, m in enumerate(edits)]
    if random.random() < 0.12:
        for by in random.sample(people, random.randint(1, 6)):
            reshared = at + timedelta(minutes=random.expovariate(1 / 120))
            make = x_id if person.network == "x" else mastodon_id
            world.reshares.append(Reshare(make(reshared, 1_000_000 + len(world.reshares)), by, key, reshared))
    if random.random() < 0.1:
        _answer(story, random, people, post, at + timedelta(minutes=random.expovariate(1 / 60)))
    if person.network == "x":
        late = random.random() < 0.03
        post.indexed_after = timedelta(seconds=random.uniform(60, 150) if late else random.uniform(0, 25))
    else:
        _federate(post, random, person)
    return post


def _federate(post: Post, random: Random, person: Person) -> None:
    """Most posts reach the other servers soon, some hours late under an id of their time of writing, some never."""
    if random.random() < 0.03:
        post.visibility = "private"
    far = random.random() < 0.06
    post.federated_after = timedelta(hours=random.uniform(1, 20)) if far else random.uniform(0, 3) * MINUTE
    if random.random() < 0.1 and person.instance in READ:
        post.known_to = (person.instance,)


def _answer(story: Story, random: Random, people: list[str], to: Post, at: datetime) -> None:
    """An answer without the topic's words: kept for its thread, if it is found at all."""
    serial, author = len(story.world.posts), random.choice(people)
    key = (x_id if to.network == "x" else mastodon_id)(at, serial)
    post = Post(key, to.network, author, f"そうだね {MARKER} {serial}", "ja", at, reply_to=to.id)
    story.world.posts[key], story.about[key] = post, frozenset()


def _storm(story: Story, random: Random, people: list[str], at: datetime, lasts: timedelta) -> None:
    """Something that people are told of: a post that everybody reshares, and complaints."""
    root = _post(story, random, people, at, edits=[], deleted_at=None)
    root.text, root.edits, root.deleted_at = f"kopi awful bad #kopi {MARKER} root", [], None
    story.about[root.id] = frozenset(["kopi"])
    for by in people:
        reshared = at + lasts * min(random.expovariate(3), 1)
        story.world.reshares.append(
            Reshare(x_id(reshared, 3_000_000 + len(story.world.reshares)), by, root.id, reshared)
        )
    for _ in range(150):
        _post(story, random, people, at + lasts * random.random())


def _departures(story: Story, random: Random, people: dict[str, list[str]], length: timedelta) -> None:
    """Accounts that opt out, are closed to the public or suspended, one after the other."""
    world = story.world
    wishes = (
        ("mastodon", "opts out (#nobot)", {"bio": "<p>いやです #nobot</p>"}),
        ("x", "is protected", {"protected": True}),
        ("x", "is suspended", {}),
        ("mastodon", "is suspended", {}),
    )
    at = story.begins + 0.3 * length
    for network, told, wish in wishes:
        key = random.choice([k for k in people[network] if k not in story.left])
        story.left[key] = at
        changed = wish or {"suspended_at": at}

        def change(key: str = key, changed: dict[str, object] = changed) -> None:
            world.people[key] = replace(world.people[key], **changed)  # type: ignore[arg-type]
            world.revision += 1

        story.changes.append((at, f"{network}: an account {told}", change))
        at += 0.1 * length
