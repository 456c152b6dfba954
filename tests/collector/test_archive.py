"""Lines of archives: pages, flattened posts, statuses, and what is none of these. Synthetic values, recorded shapes."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from collector.archive import ARCHIVE, merged, parse_line
from collector.errors import BadAnswer
from collector.x.ids import id_at

NOW = datetime(2026, 10, 6, tzinfo=UTC)
THEN = datetime(2026, 10, 5, 12, tzinfo=UTC)
A, B = (str(int(id_at(THEN + timedelta(minutes=n))) + 1) for n in (0, 1))


def page_of(value):
    return parse_line(json.dumps(value), NOW).page


def account(acct="ann", **more):
    return {"id": "1", "username": "ann", "acct": acct, "url": "https://mastodon.example/@ann", "note": "", **more}


def status(**more):
    base = {"id": "5", "uri": "https://mastodon.example/users/ann/statuses/5", "created_at": "2026-10-05T12:00:00.000Z"}
    return {**base, "visibility": "public", "content": "<p>kopi</p>", "account": account(), "reblog": None, **more}


def flattened():
    author = {"id": "2", "username": "bob", "name": "Bob", "public_metrics": {"followers_count": 7}}
    quoted = {"id": A, "text": "kopi", "author": {"id": "1", "username": "ann", "name": "Ann"}, "type": "quoted"}
    return {
        "id": B,
        "text": "look",
        "author_id": "2",
        "author": author,
        "created_at": "2026-10-05T12:01:00.000Z",
        "referenced_tweets": [{**quoted, "author_id": "1"}],
        "entities": {"mentions": [{"start": 0, "end": 4, "username": "cyd", "id": "3", "name": "Cyd"}]},
        "__twarc": {"retrieved_at": "2026-10-05T13:00:00+00:00", "version": "2.14.0", "url": "https://example.com"},
        "public_metrics": {"retweet_count": 1},
    }


def test_a_page_with_the_default_fields_only():
    page = page_of({"data": [{"id": A, "text": "kopi", "edit_history_tweet_ids": [A]}], "meta": {"result_count": 1}})
    assert [(p.id, p.author_id) for p in page.posts] == [(f"x:{A}", None)]


def test_a_page_of_one_post_and_a_page_without_posts():
    assert [p.id for p in page_of({"data": {"id": A, "text": "kopi"}}).posts] == [f"x:{A}"]
    assert page_of({"meta": {"result_count": 0}}).posts == []


def test_a_flattened_post_is_a_page_again():
    page = page_of(flattened())
    assert {p.id: (p.author_id, p.reference) for p in page.posts} == {
        f"x:{B}": ("x:2", False),
        f"x:{A}": ("x:1", True),
    }
    assert {a.handle: a.followers for a in page.accounts} == {"bob": 7, "ann": None, "cyd": None}
    kinds = {(i.kind, i.source_id, i.target_post_id, i.target_id) for i in page.interactions}
    assert kinds == {("quote", "x:2", f"x:{A}", "x:1"), ("mention", "x:2", None, "x:3")}


def test_counts_are_as_of_the_time_of_recording():
    (metrics,) = page_of(flattened()).metrics
    assert metrics.observed_at == datetime(2026, 10, 5, 13, tzinfo=UTC)
    assert page_of(status(reblogs_count=3)).metrics[0].observed_at == NOW


def test_a_flattened_reshare_counts_its_original():
    original = {"id": A, "text": "kopi", "author_id": "1", "type": "retweeted"}
    page = page_of({"id": B, "text": "RT @ann: kopi", "author_id": "2", "referenced_tweets": [original]})
    assert [(p.id, p.reference) for p in page.posts] == [(f"x:{A}", True)]
    assert [(i.kind, i.source_id, i.target_id) for i in page.interactions] == [("reshare", "x:2", "x:1")]


def test_statuses_and_boosts():
    boost = status(id="9", uri="https://mastodon.example/users/bob/statuses/9/activity", reblog=status())
    for value in (status(), boost):
        (post,) = page_of(value).posts
        assert (post.id, post.source, post.native_id) == (status()["uri"], "mastodon.example", "5")
        assert post.author_id == "acct:ann@mastodon.example"


def test_a_status_of_unknown_provenance_is_not_asked_for_again():
    (post,) = page_of(status(id="77", account=account("ann@mastodon.example"))).posts
    assert post.source == ARCHIVE


def test_a_list_of_statuses_on_one_line():
    assert len(page_of([status(), status(id="6", uri="https://mastodon.example/6")]).posts) == 2


def test_statuses_within_a_context_a_search_or_a_notification():
    other = status(id="6", uri="https://mastodon.example/6")
    assert len(page_of({"ancestors": [status()], "descendants": [other]}).posts) == 2
    assert len(page_of({"accounts": [], "statuses": [status()], "hashtags": []}).posts) == 1
    assert len(page_of({"id": "1", "type": "mention", "account": account(), "status": status()}).posts) == 1


def test_what_x_gives_besides_posts_is_not_a_post():
    parsed = parse_line(
        json.dumps({"data": [{"id": "84839422", "name": "A list"}, {"id": "2", "username": "bob"}]}), NOW
    )
    assert not parsed.page.posts and [a.handle for a in parsed.page.accounts] == ["bob"]
    assert parsed.skipped == ["something without a text: not a post"]


def test_only_public_statuses_and_an_opt_out_in_words_count():
    assert not page_of(status(visibility="private")).posts
    assert not page_of(status(account=account(note="<p>#<span>nobot</span></p>"))).posts
    assert page_of(status(account=account(noindex=True))).posts


def test_an_archive_removes_nothing():
    page = page_of({"data": [{"id": A, "text": "kopi", "withheld": {"country_codes": ["DE"]}}]})
    assert not page.posts and not page.removals


def test_direct_messages_are_not_posts():
    parsed = parse_line(json.dumps({"data": [{"event_type": "MessageCreate", "id": A, "text": "psst"}]}), NOW)
    assert not parsed.page.posts and parsed.skipped == ["a direct message: only public posts are kept"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("42", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ("{}", "neither"),
        ('{"id_str": "1", "user": {}, "full_text": "x"}', "1.1"),
        ('{"errors": [{"title": "Not Found Error"}]}', "error message"),
        ('{"title": "Unauthorized", "status": 401}', "error message"),
        ('{"event": "update", "payload": "{}"}', "neither"),
    ],
)
def test_what_is_unknown_says_why(line, reason):
    with pytest.raises(BadAnswer, match=reason):
        parse_line(line, NOW)


def test_pages_are_merged():
    page = merged([page_of(status()), page_of(flattened())])
    assert len(page.posts) == 3 and len(page.accounts) == 4
