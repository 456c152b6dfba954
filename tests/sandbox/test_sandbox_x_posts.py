"""Lookups, timelines, engagement, users, limits and usage of the X API, read with tweepy over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tweepy
from hypothesis import given
from hypothesis import strategies as st

from sandbox.network import Sandbox
from sandbox.world import Post
from sandbox.x_text import cut, rendered, weight
from tests.sandbox.sandbox_tools import ALL_FIELDS, Builder, Clock, at, raw_client, x_client

METRICS = {"tweet_fields": "public_metrics,created_at,author_id,referenced_tweets"}


class Scene:
    def __init__(self) -> None:
        build = Builder()
        build.person("1", handle="brand", name="ブランド", bio="We roast. https://example.org/roast", followers=400)
        build.person("2", handle="fan", followers=10)
        build.person("3", handle="hidden", protected=True)
        build.person("4", handle="banned", suspended_at=at(hours=-1))
        for number in range(10, 170):
            build.person(str(number))
        self.build = build
        self.viral: Post = build.post("2", "the cup by @brand", at(hours=-5))
        for number in range(10, 160):
            build.reshare(str(number), self.viral, at(minutes=-240 + number))
        for number in range(10, 60):
            build.like(str(number), self.viral, at(minutes=-300 + number * 10))
        self.reply = build.post("1", "@fan thank you", at(hours=-3), reply_to=self.viral.id)
        self.quote = build.post("10", "look", at(hours=-2), quote_of=self.viral.id)
        self.deleted = build.post("2", "regretted", at(hours=-4), deleted_at=at(hours=-2))
        self.hidden = build.post("3", "private", at(hours=-4))
        self.banned = build.post("4", "abuse", at(hours=-4))
        self.answer_to_nothing = build.post("2", "why gone? @brand", at(hours=-1), reply_to=self.deleted.id)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def sandbox(scene: Scene) -> Iterator[Sandbox]:
    with Sandbox(scene.build.world, Clock(), mastodon=()) as running:
        yield running


def test_lookup_tells_deleted_protected_and_unknown_apart_from_the_rest(sandbox: Sandbox, scene: Scene) -> None:
    asked = [scene.viral.id, scene.deleted.id, scene.hidden.id, scene.banned.id, "99"]
    answer = x_client(sandbox.x_url).get_tweets(asked)
    assert [str(post.id) for post in answer.data] == [scene.viral.id]
    kinds = {error["value"]: error["type"].rsplit("/", 1)[-1] for error in answer.errors}
    assert kinds == {
        scene.deleted.id: "resource-not-found",
        scene.hidden.id: "not-authorized-for-resource",
        scene.banned.id: "resource-not-found",
        "99": "resource-not-found",
    }


def test_single_lookup_of_what_is_gone_is_a_200_with_errors(sandbox: Sandbox, scene: Scene) -> None:
    answer = raw_client(sandbox.x_url).get_tweet(scene.deleted.id)
    assert "data" not in answer
    assert answer["errors"][0]["resource_id"] == scene.deleted.id


def test_missing_references_come_as_partial_errors_beside_the_data(sandbox: Sandbox, scene: Scene) -> None:
    asked = [scene.answer_to_nothing.id, scene.quote.id]
    answer = x_client(sandbox.x_url).get_tweets(asked, **ALL_FIELDS)
    assert len(answer.data) == 2
    assert [str(post.id) for post in answer.includes["tweets"]] == [scene.viral.id]
    assert {str(user.id) for user in answer.includes["users"]} == {"1", "2", "10"}
    assert [(error["value"], error["parameter"]) for error in answer.errors] == [
        (scene.deleted.id, "referenced_tweets.id")
    ]


def test_a_reference_to_a_protected_post_is_not_authorized() -> None:
    build = Builder()
    build.person("1")
    build.person("2", protected=True)
    secret = build.post("2", "for friends", at(hours=-2))
    quote = build.post("1", "look what they said", at(hours=-1), quote_of=secret.id)
    with Sandbox(build.world, Clock(), mastodon=()) as sandbox:
        answer = raw_client(sandbox.x_url).get_tweet(quote.id, **ALL_FIELDS)
    assert "tweets" not in answer["includes"]
    assert [error["type"].rsplit("/", 1)[-1] for error in answer["errors"]] == ["not-authorized-for-resource"]
    assert "for friends" not in str(answer)


def test_metrics_count_what_had_happened_by_the_clock(scene: Scene) -> None:
    clock = Clock(at(minutes=-200))
    with Sandbox(scene.build.world, clock, mastodon=()) as sandbox:
        client = x_client(sandbox.x_url)
        counts = []
        for _ in range(3):
            counts.append(client.get_tweet(scene.viral.id, **METRICS).data.public_metrics)
            clock.step(minutes=100)
    assert [count["retweet_count"] for count in counts] == [31, 131, 150]
    assert [count["like_count"] for count in counts] == [1, 11, 21]
    assert [count["reply_count"] for count in counts] == [0, 1, 1]
    assert [count["quote_count"] for count in counts] == [0, 1, 1]
    impressions = [count["impression_count"] for count in counts]
    assert impressions == sorted(impressions)


def test_reposts_are_posts_with_author_and_time(sandbox: Sandbox, scene: Scene) -> None:
    client = raw_client(sandbox.x_url)
    route = f"/2/tweets/{scene.viral.id}/retweets"
    params = {"tweet.fields": "author_id,created_at,referenced_tweets", "max_results": 100}
    first = client.request("GET", route, params=params).json()
    rest = client.request("GET", route, params={**params, "pagination_token": first["meta"]["next_token"]}).json()
    posts = first["data"] + rest["data"]
    assert (len(first["data"]), len(rest["data"])) == (100, 50)
    assert [post["author_id"] for post in posts] == [str(number) for number in range(159, 9, -1)]
    assert posts[0]["text"] == "RT @fan: the cup by @brand"
    assert posts[0]["referenced_tweets"] == [{"type": "retweeted", "id": scene.viral.id}]
    assert posts[0]["created_at"] == "2026-10-12T10:39:00.000Z"
    assert "next_token" not in rest["meta"]


def test_reposters_and_quotes(sandbox: Sandbox, scene: Scene) -> None:
    client = x_client(sandbox.x_url)
    people = client.get_retweeters(scene.viral.id)
    assert [str(user.id) for user in people.data] == [str(number) for number in range(159, 59, -1)]
    more = client.get_retweeters(scene.viral.id, pagination_token=people.meta["next_token"])
    assert len(more.data) == 50
    assert [str(post.id) for post in client.get_quote_tweets(scene.viral.id).data] == [scene.quote.id]


def test_timeline_holds_reposts_unless_excluded(sandbox: Sandbox, scene: Scene) -> None:
    client = x_client(sandbox.x_url)
    everything = client.get_users_tweets("10", **METRICS).data
    assert [post.text for post in everything] == ["look", "RT @fan: the cup by @brand"]
    assert [post.text for post in client.get_users_tweets("10", exclude="retweets").data] == ["look"]
    assert client.get_users_tweets("1", exclude="retweets,replies").data is None
    assert client.get_users_tweets("3").errors[0]["title"] == "Authorization Error"


def test_mentions(sandbox: Sandbox, scene: Scene) -> None:
    found = x_client(sandbox.x_url).get_users_mentions("1").data
    assert [str(post.id) for post in found] == [scene.answer_to_nothing.id, scene.viral.id]


def test_users_by_name_and_id(sandbox: Sandbox) -> None:
    client = x_client(sandbox.x_url)
    fields = {"user_fields": "public_metrics,description,created_at,protected"}
    brand = client.get_user(username="BRAND", **fields).data
    assert (brand.id, brand.name, brand.public_metrics["followers_count"]) == (1, "ブランド", 400)
    assert brand.public_metrics["tweet_count"] == 1
    assert client.get_user(id="1", **fields).data.description == brand.description
    both = client.get_users(usernames=["brand", "banned", "nobody"])
    assert [user.username for user in both.data] == ["brand"]
    assert [error["title"] for error in both.errors] == ["Forbidden", "Not Found Error"]
    assert [user.id for user in client.get_users(ids=["2", "3"]).data] == [2, 3]
    assert client.get_user(username="nobody").data is None


def test_entities_lie_where_they_say(sandbox: Sandbox) -> None:
    text = "A&B <b> 珈琲 #新発売 @fan https://www.example.org/a/very/long/path/indeed?x=1&y=2 😀 #tag"
    sent, entities = rendered(text, {"fan": "2"})
    assert sent.startswith("A&amp;B &lt;b&gt; ")
    assert rendered("no address & <b>", {}) == ("no address &amp; &lt;b&gt;", {})
    for tag in entities["hashtags"]:
        assert sent[tag["start"] : tag["end"]] == "#" + tag["tag"]
    mention, url = entities["mentions"][0], entities["urls"][0]
    assert sent[mention["start"] : mention["end"]] == "@fan"
    assert mention["id"] == "2"
    assert sent[url["start"] : url["end"]] == url["url"]
    assert url["expanded_url"] == "https://www.example.org/a/very/long/path/indeed?x=1&y=2"
    assert url["display_url"] == "example.org/a/very/long/pa…"
    assert [tag["tag"] for tag in entities["hashtags"]] == ["新発売", "tag"]


@given(st.text(max_size=60).map(lambda text: f"{text} #tag {text}"))
def test_entities_never_point_beside_the_text(text: str) -> None:
    sent, entities = rendered(text, {})
    for tag in entities.get("hashtags", []):
        assert sent[tag["start"] : tag["end"]][1:] == tag["tag"]
    for mention in entities.get("mentions", []):
        assert sent[mention["start"] : mention["end"]] == "@" + mention["username"]


def test_long_posts_keep_the_whole_text_in_note_tweet() -> None:
    build = Builder()
    build.person("1")
    words = "長い文章です。" * 40
    post = build.post("1", words, at(hours=-1))
    short = build.post("1", "あ" * 140, at(hours=-1))
    with Sandbox(build.world, Clock(), mastodon=()) as sandbox:
        client = raw_client(sandbox.x_url)
        answer = client.get_tweets([post.id, short.id], tweet_fields="note_tweet")["data"]
    assert answer[0]["note_tweet"] == {"text": words}
    assert answer[0]["text"].startswith(words[:120])
    assert "… https://t.co/" in answer[0]["text"]
    assert "note_tweet" not in answer[1]


def test_weights_of_texts() -> None:
    assert weight("abc") == 3
    assert weight("珈琲") == 4
    assert weight("see https://example.org/" + "a" * 200) == 27
    assert weight(cut("x" * 500, "https://x.com/i/1")) <= 280


def test_rate_limit_headers_fall_and_end_in_a_429_until_the_window_passes() -> None:
    build, clock = Builder(), Clock()
    build.person("1")
    limits = {"/2/users/{id}": 2}
    with Sandbox(build.world, clock, x={"limits": limits}, mastodon=()) as sandbox:
        client = x_client(sandbox.x_url)
        answers = [client.request("GET", "/2/users/1") for _ in range(2)]
        assert [answer.headers["x-rate-limit-remaining"] for answer in answers] == ["1", "0"]
        with pytest.raises(tweepy.TooManyRequests) as refused:
            client.get_user(id="1")
        headers = refused.value.response.headers
        assert int(headers["x-rate-limit-reset"]) == int(clock.now.timestamp()) + 900
        assert headers["Date"] == "Mon, 12 Oct 2026 12:00:00 GMT"
        assert client.get_users(ids=["1"]).data  # another path has its own window
        clock.step(minutes=15)
        assert client.get_user(id="1").data


def test_a_wrong_token_is_a_401(sandbox: Sandbox) -> None:
    with pytest.raises(tweepy.Unauthorized) as refused:
        x_client(sandbox.x_url, token="guess").get_user(id="1")
    assert refused.value.response.json()["status"] == 401


def test_usage_counts_a_post_once_a_day_and_the_cap_stops_everything() -> None:
    build, clock = Builder(), Clock()
    build.person("1")
    posts = [build.post("1", f"post {number}", at(hours=-number - 1)).id for number in range(3)]
    with Sandbox(build.world, clock, x={"usage_cap": 4}, mastodon=()) as sandbox:
        client = x_client(sandbox.x_url)
        for _ in range(3):
            client.get_tweets(posts)
        usage = client.request("GET", "/2/usage/tweets", params={"usage.fields": "daily_project_usage"}).json()["data"]
        assert usage["project_usage"] == "3"
        clock.step(days=1)
        client.get_tweets(posts[:1])
        with pytest.raises(tweepy.TooManyRequests) as refused:
            client.get_tweets(posts)
    problem = refused.value.response.json()
    assert problem["type"].endswith("/usage-capped")
    assert problem["title"] == "UsageCapExceeded"


def test_newer_spelling_of_the_fields() -> None:
    build = Builder()
    build.person("1")
    root = build.post("1", "root", at(hours=-2))
    post = build.post("1", "answer", at(hours=-1), reply_to=root.id)
    with Sandbox(build.world, Clock(), x={"spelling": "post"}, mastodon=()) as sandbox:
        client = raw_client(sandbox.x_url)
        params = {"post.fields": "public_metrics,referenced_posts", "expansions": "referenced_posts.id"}
        answer = client.request("GET", f"/2/tweets/{post.id}", params=params).json()
    assert answer["data"]["edit_history_post_ids"] == [post.id]
    assert answer["data"]["referenced_posts"] == [{"type": "replied_to", "id": root.id}]
    assert answer["data"]["public_metrics"]["repost_count"] == 0
    assert answer["includes"]["posts"][0]["id"] == root.id


def test_unknown_paths_and_parameters(sandbox: Sandbox) -> None:
    client = x_client(sandbox.x_url)
    with pytest.raises(tweepy.NotFound):
        client.request("GET", "/2/spaces")
    with pytest.raises(tweepy.BadRequest, match="is not one of"):
        client.request("GET", "/2/users/1", params={"colour": "red"})
    with pytest.raises(tweepy.BadRequest):
        client.get_tweets(["abc"])
    with pytest.raises(tweepy.BadRequest):
        client.get_tweets([str(number) for number in range(101)])


def test_hostile_text_arrives_as_it_was_written() -> None:
    build = Builder()
    build.person("1")
    text = "lone \ud800 surrogate, null \x00, \u202e override"
    post = build.post("1", text, at(hours=-1))
    with Sandbox(build.world, Clock(), mastodon=()) as sandbox:
        assert raw_client(sandbox.x_url).get_tweet(post.id)["data"]["text"] == text
