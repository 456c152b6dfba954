"""Whatever stands in the fields, parsers skip with a reason, and what they keep is storable."""

import json
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.archive import parse_line
from collector.errors import BadAnswer
from collector.fields import address, count, digits, moment, word
from collector.mastodon.parse import accounts, missing_parents
from collector.mastodon.parse import parse as parse_statuses
from collector.x.parse import parse, removals
from store.records import Page, iso
from store.text import clean

NOW = datetime(2026, 10, 6, tzinfo=UTC)
ID = "2106897152209846272"
texts = st.text(st.characters(), max_size=30)  # lone surrogates too
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    texts,
    st.just(ID),
    st.just("2026-10-05T12:00:00Z"),
)
rubbish = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def objects(**fields):
    """Objects in which each field is what it should be, rubbish, or missing."""
    return st.fixed_dictionaries({}, optional={name: st.one_of(rubbish, good) for name, good in fields.items()})


entities = objects(
    urls=st.lists(objects(url=st.just("https://t.co/a"), expanded_url=st.just("https://example.com")), max_size=2),
    mentions=st.lists(objects(username=st.just("ann"), id=st.just("1")), max_size=2),
    hashtags=st.lists(objects(tag=st.just("抹茶")), max_size=2),
)
posts = objects(
    id=st.just(ID),
    text=texts,
    author_id=st.just("1"),
    created_at=st.just("2026-10-05T12:00:00.000Z"),
    edit_history_tweet_ids=st.just([ID]),
    referenced_tweets=st.lists(
        objects(type=st.sampled_from(["retweeted", "quoted", "replied_to"]), id=st.just("7")), max_size=2
    ),
    public_metrics=objects(like_count=st.integers(0, 9)),
    entities=entities,
    note_tweet=objects(text=texts, entities=entities),
    withheld=st.none(),
)
users = objects(id=st.just("1"), username=st.just("ann"), public_metrics=objects(followers_count=st.integers(0, 9)))
answers = objects(
    data=st.lists(posts, max_size=3),
    includes=objects(tweets=st.lists(posts, max_size=2), users=st.lists(users, max_size=2)),
    errors=st.lists(objects(resource_id=st.just(ID), type=st.just("x/resource-not-found")), max_size=2),
    meta=st.just({}),
)
people = objects(id=st.just("1"), acct=st.just("ann"), url=st.just("https://a.example/@ann"), note=texts)
plain = objects(
    id=st.just("5"),
    uri=st.just("https://a.example/5"),
    created_at=st.just("2026-10-05T12:00:00.000Z"),
    visibility=st.just("public"),
    content=texts,
    account=people,
    in_reply_to_id=st.just("6"),
    mentions=st.lists(people, max_size=2),
    tags=st.lists(objects(name=st.just("抹茶")), max_size=2),
)
statuses = st.one_of(
    plain, objects(reblog=plain, account=people, created_at=st.just(NOW)), objects(quote=plain, uri=st.just("u"))
)
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def storable(page: Page) -> None:
    for post in page.posts:
        assert post.id and post.native_id and iso(post.created_at)
        for text in (post.id, post.text, post.spoiler, *post.hashtags, *post.links, *post.mentions):
            assert clean(text) == text
            text.encode()
        assert all(link.startswith(("http://", "https://")) for link in (*post.links, post.url or "https://"))
    for account in page.accounts:
        assert account.id.startswith(("x:", "acct:")) and (account.name or "").encode() is not None
    for metrics in page.metrics:
        assert all(v is None or 0 <= v < 2**63 for v in (metrics.likes, metrics.reshares, metrics.replies))
    assert all(i.source_id and (i.target_post_id or i.target_id) for i in page.interactions)
    json.dumps([post.text for post in page.posts]).encode()


@quick
@given(st.one_of(answers, rubbish))
def test_any_answer_of_x(answer):
    parsed = parse(answer, NOW)
    storable(parsed.page)
    assert all(isinstance(reason, str) for reason in parsed.skipped)
    assert isinstance(removals(answer, {ID: "x:1"}), list)


@quick
@given(st.one_of(st.lists(statuses, max_size=3), rubbish))
def test_any_statuses(found):
    storable(parse_statuses(found, NOW, "a.example").page)
    accounts(found, NOW, "a.example")
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        missing_parents(found)


@quick
@given(st.one_of(answers, posts, statuses, rubbish))
def test_any_line_of_an_archive(value):
    try:
        parsed = parse_line(json.dumps(value, default=str), NOW)
    except BadAnswer as error:
        assert len(str(error)) < 200
    else:
        storable(parsed.page)


@given(rubbish)
def test_fields_of_a_wrong_type_are_none(value):
    text = word(value)
    assert text is None or (text and text == clean(text).strip())
    assert digits(value) is None or digits(value).isdecimal()
    assert count(value) is None or 0 <= count(value) < 2**63
    assert moment(value) is None or moment(value).tzinfo is UTC
    assert address(value) is None or address(value).lower().startswith("http")


def test_hostile_texts_are_harmless():
    hostile = "\ud800 \x00 \u202e <!channel> =cmd()|' javascript:alert(1) " + "a" * 200_000
    page = parse({"data": [{"id": ID, "text": hostile, "author_id": "1"}]}, NOW).page
    storable(page)
    assert len(page.posts[0].text) <= 100_000
    link = {"urls": [{"url": "javascript:alert(1)", "expanded_url": "javascript:alert(1)"}]}
    assert parse({"data": [{"id": ID, "text": "x", "entities": link}]}, NOW).page.posts[0].links == ()
    bad = {"id": "5", "uri": "https://a.example/5", "url": "javascript:alert(1)", "created_at": "2026-10-05T12:00:00Z"}
    assert parse_statuses([bad], NOW, "a.example").page.posts[0].url is None
