"""Answers of X as pages, on synthetic answers of the recorded shapes."""

from datetime import UTC, datetime, timedelta

import pytest

from collector.x.ids import EPOCH, id_at, moment_of
from collector.x.parse import parse, removals
from store.records import Removal

NOW = datetime(2026, 10, 6, tzinfo=UTC)
THEN = datetime(2026, 10, 5, 12, tzinfo=UTC)


def key(minute: float) -> str:
    return str(int(id_at(THEN + timedelta(minutes=minute))) + 7)


A, B, C = key(0), key(1), key(2)


def post(native=A, **more):
    return {"id": native, "text": "kopi", "author_id": "1", "edit_history_tweet_ids": [native], **more}


def page(*data, **includes):
    return parse({"data": list(data), "includes": includes, "meta": {}}, NOW).page


def edges(found):
    return {(i.kind, i.source_id, i.target_post_id, i.target_id, i.via_post_id) for i in found.interactions}


def user(number="1", name="ann", **more):
    return {"id": number, "username": name, "name": name.title(), **more}


def test_a_page_with_the_default_fields_only_has_its_time_from_the_id_and_no_author():
    (found,) = page({"id": A, "text": "kopi", "edit_history_tweet_ids": [A]}).posts
    assert (found.id, found.author_id, found.reference) == (f"x:{A}", None, False)
    assert abs(found.created_at - THEN) < timedelta(seconds=1)


def test_ids_from_before_the_snowflakes_carry_no_time():
    assert moment_of("20") == EPOCH and moment_of(id_at(THEN)) == THEN


def test_both_spellings_give_the_same():
    old = post(
        referenced_tweets=[{"type": "quoted", "id": B}],
        note_tweet={"text": "long"},
        public_metrics={"retweet_count": 3, "like_count": 1},
    )
    new = {
        "id": A,
        "text": "kopi",
        "author_id": "1",
        "edit_history_post_ids": [A],
        "referenced_posts": [{"type": "quoted", "id": B}],
        "note_post": {"text": "long"},
        "public_metrics": {"repost_count": 3, "like_count": 1},
    }
    assert page(old, tweets=[post(B)]) == page(new, posts=[post(B)])
    assert page(new).posts[0].text == "long" and page(new).metrics[0].reshares == 3


def test_pitfall_9_an_edits_new_id_is_the_same_post():
    found = page(post(C, edit_history_tweet_ids=[A, B, C], text="better", created_at="2026-10-05T12:02:00.000Z"))
    (one,) = found.posts
    assert (one.id, one.native_id, one.text) == (f"x:{A}", C, "better")
    assert abs(one.created_at - THEN) < timedelta(seconds=1) and one.edited_at == THEN + timedelta(minutes=2)


def test_pitfall_9_what_answers_a_version_answers_the_post():
    found = page(
        post(C, referenced_tweets=[{"type": "replied_to", "id": B}]), tweets=[post(B, edit_history_tweet_ids=[A, B])]
    )
    assert found.posts[0].reply_to_id == f"x:{A}"


def test_pitfall_7_a_reshare_is_an_edge_and_not_an_opinion():
    found = page(
        post(C, author_id="2", text="RT @ann: kopi", referenced_tweets=[{"type": "retweeted", "id": A}]),
        tweets=[post(A)],
    )
    assert [(p.id, p.reference) for p in found.posts] == [(f"x:{A}", True)]
    assert edges(found) == {("reshare", "x:2", f"x:{A}", "x:1", "")}
    assert found.interactions[0].time_low == found.interactions[0].time_high == moment_of(C)


def test_pitfall_7_an_old_reshare_without_its_reference_is_kept_but_matches_nothing():
    (found,) = page({"id": A, "text": "RT @ann: kopi is gr…"}).posts
    assert found.reference


def test_quotes_replies_and_mentions_are_edges_with_their_time():
    mentions = [
        {"username": "ann", "id": "1"},
        {"username": "bob", "id": "2"},
        {"username": "cyd"},
        {"username": "me", "id": "9"},
    ]
    found = page(
        post(
            C,
            author_id="9",
            in_reply_to_user_id="1",
            referenced_tweets=[{"type": "replied_to", "id": A}, {"type": "quoted", "id": B}],
            entities={"mentions": mentions},
        ),
        tweets=[post(A), post(B, author_id="3")],
        users=[user("4", "Cyd")],
    )
    via = f"x:{C}"
    assert edges(found) == {
        ("reply", "x:9", f"x:{A}", "x:1", via),
        ("quote", "x:9", f"x:{B}", "x:3", via),
        ("mention", "x:9", None, "x:2", via),
        ("mention", "x:9", None, "x:4", via),
    }
    assert found.posts[0].mentions == ("x:ann", "x:bob", "x:cyd", "x:me")


def test_pitfall_19_a_reference_that_is_missing_keeps_its_place_in_the_graph():
    parsed = parse(
        {
            "data": [
                post(
                    C,
                    in_reply_to_user_id="5",
                    referenced_tweets=[{"type": "replied_to", "id": A}, {"type": "quoted", "id": B}],
                )
            ],
            "errors": [
                {
                    "resource_id": A,
                    "parameter": "referenced_tweets.id",
                    "type": "https://api.x.com/2/problems/resource-not-found",
                }
            ],
        },
        NOW,
    )
    via = f"x:{C}"
    assert edges(parsed.page) == {("reply", "x:1", f"x:{A}", "x:5", via), ("quote", "x:1", f"x:{B}", None, via)}
    assert not parsed.page.removals


def test_pitfall_11_included_posts_are_references_unless_they_are_results_too():
    found = page(post(C, referenced_tweets=[{"type": "quoted", "id": A}]), post(B), tweets=[post(A), post(B)])
    assert {p.id: p.reference for p in found.posts} == {f"x:{C}": False, f"x:{B}": False, f"x:{A}": True}


def test_pitfall_10_ids_are_text_and_times_come_from_the_network():
    (found,) = page(post(created_at="2031-01-01T00:00:00.000Z", id=int(A), author_id=12)).posts
    assert (found.id, found.author_id, found.created_at.year) == (f"x:{A}", "x:12", 2031)


def test_pitfall_12_counts_are_as_of_now_and_null_is_not_zero():
    (found,) = page(
        post(public_metrics={"retweet_count": 4, "like_count": -1, "quote_count": None, "impression_count": 9})
    ).metrics
    assert (found.observed_at, found.observer) == (NOW, "x")
    assert (found.reshares, found.likes, found.quotes, found.views) == (4, None, None, 9)
    assert not page(post(public_metrics={})).metrics


def test_pitfall_22_a_protected_account_says_so_and_its_posts_are_left_out():
    found = page(post(), post(B, author_id="2"), users=[user(protected=True), user("2", "bob")])
    assert {a.id: a.opted_out for a in found.accounts} == {"x:1": "protected", "x:2": None}
    assert [p.id for p in found.posts] == [f"x:{B}"]


def test_withheld_posts_are_removed():
    found = page(post(withheld={"copyright": True, "country_codes": ["XY"]}))
    assert not found.posts and found.removals == [Removal(f"x:{A}", "post", "withheld")]


def test_direct_messages_are_not_posts():
    parsed = parse({"data": [{"event_type": "MessageCreate", "id": A, "text": "psst"}]}, NOW)
    assert not parsed.page.posts and "direct message" in parsed.skipped[0]


def test_pitfall_21_the_text_is_as_people_see_it():
    urls = [
        {"url": "https://t.co/a", "expanded_url": "https://example.com/long", "display_url": "example.com/long"},
        {
            "url": "https://t.co/b",
            "expanded_url": "https://x.com/ann/status/1/photo/1",
            "display_url": "pic.twitter.com/b",
        },
    ]
    (found,) = page(post(text="抹茶 &amp; kopi &lt;3 https://t.co/a https://t.co/b\x00", entities={"urls": urls})).posts
    assert (found.text, found.links) == ("抹茶 & kopi <3 https://example.com/long", ("https://example.com/long",))


def test_hashtags_from_entities_or_else_from_the_text():
    assert page(post(entities={"hashtags": [{"tag": "抹茶"}, {"tag": "抹茶"}]}, text="#other")).posts[0].hashtags == (
        "抹茶",
    )
    assert page(post(text="#抹茶 a#b #2026 #kopi2")).posts[0].hashtags == ("抹茶", "kopi2")


def test_accounts_bring_their_numbers():
    counts = {"followers_count": 5, "following_count": 2, "tweet_count": 9}
    (found,) = page(users=[user(public_metrics=counts, created_at="2020-01-01T00:00:00Z")]).accounts
    assert (found.followers, found.following, found.posts, found.handle) == (5, 2, 9, "ann")


PROBLEM = "https://api.twitter.com/2/problems/"


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        ({"type": PROBLEM + "resource-not-found"}, "deleted"),
        ({"type": "https://elsewhere.example/problems/not-authorized-for-resource"}, "protected"),
        ({"type": PROBLEM + "resource-unavailable"}, None),
        ({"type": PROBLEM + "client-forbidden"}, None),
        ({"type": None}, None),
        ({"type": PROBLEM + "resource-not-found", "resource_type": "user"}, None),
        ({"type": PROBLEM + "resource-not-found", "parameter": "referenced_tweets.id"}, None),
        ({"type": PROBLEM + "resource-not-found", "resource_id": "1"}, None),
    ],
)
def test_pitfall_13_only_a_confirmed_removal_removes(problem, reason):
    error = {"resource_id": A, "parameter": "ids", "resource_type": "tweet", **problem}
    found = removals({"errors": [error]}, {A: "x:post"})
    assert found == ([Removal("x:post", "post", reason)] if reason else [])
