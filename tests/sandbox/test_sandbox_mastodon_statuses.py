"""What Mastodon's statuses and accounts look like, read with Mastodon.py over HTTP, against recorded shapes."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from lxml import html
from mastodon import Mastodon
from mastodon.errors import MastodonNotFoundError, MastodonRatelimitError, MastodonUnauthorizedError

from sandbox.mastodon_text import link, marked_up, tags_of
from sandbox.network import Sandbox
from sandbox.world import Edit, World
from tests.sandbox.sandbox_tools import Builder, Clock, at, differences, mastodon_client, recorded

TOKEN = "sandbox-mastodon-token"


def village() -> Builder:
    build = Builder()
    build.world.emojis = ("coffee", "tea_cup")
    build.person("1", "mastodon", handle="brand", name="Brand :coffee:", bio="We roast #coffee", followers=9)
    build.person("2", "mastodon", handle="far", instance="far.sandbox", bot=True, discoverable=False)
    build.person("3", "mastodon", handle="shy", noindex=True, indexable=False, protected=True)
    return build


def get(sandbox: Sandbox, path: str, signed_in: bool = False) -> requests.Response:
    headers = {"Authorization": f"Bearer {TOKEN}"} if signed_in else {}
    return requests.get(sandbox.mastodon_url + path, headers=headers, timeout=5)


def test_statuses_and_accounts_have_the_recorded_shape() -> None:
    build = village()
    root = build.post("1", "plain #coffee :coffee: @far@far.sandbox", at(hours=-4))
    build.post("2", "answer @brand@mastodon.sandbox #coffee", at(hours=-3), reply_to=root.id, lang=None)
    build.post("1", "quoting #coffee", at(hours=-2), quote_of=root.id, edits=[Edit(at(hours=-1), "edited #coffee")])
    build.post("2", "spoiled #coffee", at(hours=-1), spoiler="beans", sensitive=True)
    with Sandbox(build.world, Clock(), x=False) as sandbox:
        statuses = get(sandbox, "/api/v1/timelines/tag/coffee", signed_in=True).json()
    assert len(statuses) == 4
    for status in statuses:
        where, other = ("remote", "local") if "@" in status["account"]["acct"] else ("local", "remote")
        assert differences(status["account"], recorded(f"mastodon_account_{where}")) == []
        shapes = recorded(f"mastodon_status_{where}"), recorded(f"mastodon_status_{other}")
        quoted = status["quote"] and status["quote"].pop("quoted_status")
        assert differences(status, *shapes) == []
        if quoted:
            assert differences({**quoted, "quote": None}, *shapes) == []


def test_without_a_token_nothing_personal_is_told() -> None:
    build = village()
    build.post("1", "#coffee", at(hours=-4))
    with Sandbox(build.world, Clock(), x=False) as sandbox:
        anonymous = get(sandbox, "/api/v1/timelines/tag/coffee").json()[0]
        known = get(sandbox, "/api/v1/timelines/tag/coffee", signed_in=True).json()[0]
    assert set(known) - set(anonymous) == {"favourited", "reblogged", "muted", "bookmarked", "filtered"}


def markup(text: str, world: World | None = None) -> str:
    people = (world or village().world).people.values()
    by_name = {(person.handle, person.instance): person for person in people}
    return marked_up(text, "mastodon.sandbox", True, lambda handle, host: by_name.get((handle, host)))


def test_markup_of_every_kind() -> None:
    assert markup("a\nb\n\nc & <d>") == "<p>a<br />b</p><p>c &amp; &lt;d&gt;</p>"
    assert markup("#新発売 x") == (
        '<p><a href="https://mastodon.sandbox/tags/新発売" class="mention hashtag" rel="tag">#<span>新発売</span></a>'
        " x</p>"
    )
    assert markup("@far@far.sandbox hi") == (
        '<p><span class="h-card" translate="no"><a href="https://far.sandbox/@far" class="u-url mention">@'
        "<span>far</span></a></span> hi</p>"
    )
    assert markup("@nobody hi") == "<p>@nobody hi</p>"
    assert markup('it\'s "x"') == "<p>it&#39;s &quot;x&quot;</p>"
    assert markup("") == ""


def test_links_hide_scheme_and_tail_and_keep_the_address() -> None:
    address = "https://www.example.org/a/very/long/path/that/goes/on?x=1&y=<2>"
    node = html.fromstring(link(address))
    assert node.get("href") == address
    spans = [(span.get("class"), span.text_content()) for span in node.iter("span")]
    assert spans[0] == ("invisible", "https://www.")
    assert spans[1] == ("ellipsis", "example.org/a/very/long/path/t")
    assert node.text_content() == address
    assert '<span class="">example.org/a</span>' in link("https://example.org/a")


def test_hashtags_are_compared_without_width_and_case() -> None:
    assert tags_of("#Coffee ＃ｃｏｆｆｅｅ #ＣＯＦＦＥＥ #カフェ #123 x#y https://a.org/#frag") == ("coffee", "カフェ")


def test_identity_across_instances() -> None:
    build = village()
    post = build.post("1", "#coffee for all", at(hours=-2))
    build.reshare("2", post, at(hours=-1))
    build.reshare("3", post, at(minutes=-30))
    secret = build.post("1", "#coffee at home only", at(hours=-1), known_to=())
    with Sandbox(build.world, Clock(), x=False, mastodon=["mastodon.sandbox", "far.sandbox"]) as sandbox:
        home, away = (mastodon_client(sandbox.mastodon_urls[host]) for host in ("mastodon.sandbox", "far.sandbox"))
        here = next(status for status in home.timeline_hashtag("coffee") if status.uri.endswith(post.id))
        there = away.timeline_hashtag("coffee")
        assert [status.uri for status in there] == [here.uri]
        assert there[0].id != here.id == post.id
        assert (here.account.acct, there[0].account.acct) == ("brand", "brand@mastodon.sandbox")
        assert (here.reblogs_count, there[0].reblogs_count) == (2, 1)  # each counts what it knows
        assert [account.acct for account in away.status_reblogged_by(there[0].id)] == ["far"]
        assert [account.acct for account in home.status_reblogged_by(here.id)] == ["shy", "far@far.sandbox"]
        assert away.account_lookup("brand@mastodon.sandbox").id == there[0].account.id
        assert away.status(there[0].id).uri == here.uri
        with pytest.raises(MastodonNotFoundError):
            away.status(secret.id)
    assert here.uri == f"https://mastodon.sandbox/users/brand/statuses/{post.id}"
    assert here.url == f"https://mastodon.sandbox/@brand/{post.id}"


def test_boosts_wrap_and_stay_out_of_public_and_tag_timelines() -> None:
    build = village()
    post = build.post("2", "#coffee", at(hours=-2))
    boost = build.reshare("1", post, at(hours=-1))
    with Sandbox(build.world, Clock(), x=False) as sandbox:
        client = mastodon_client(sandbox.mastodon_url)
        wrapped = client.account_statuses("1")[0]
        assert wrapped.id == boost.id
        assert wrapped.reblog.uri.endswith(post.id)
        assert wrapped.reblog.account.acct == "far@far.sandbox"
        assert wrapped.created_at == boost.at
        assert wrapped.uri.endswith("/activity")
        assert client.account_statuses("1", exclude_reblogs=True) == []
        assert [status.reblog for status in client.timeline_hashtag("coffee")] == [None]
        assert [status.reblog for status in client.timeline_public()] == [None]


def test_public_leaves_out_replies_and_tag_keeps_them() -> None:
    build = village()
    root = build.post("1", "#coffee root", at(hours=-3))
    build.post("2", "#coffee reply", at(hours=-2), reply_to=root.id)
    own = build.post("1", "#coffee thread", at(hours=-1), reply_to=root.id)
    with Sandbox(build.world, Clock(), x=False) as sandbox:
        client = mastodon_client(sandbox.mastodon_url)
        assert len(client.timeline_hashtag("coffee")) == 3
        assert [status.id for status in client.timeline_public()] == [own.id, root.id]
        assert [status.id for status in client.timeline_public(local=True)] == [own.id, root.id]
        assert client.timeline_public(remote=True) == []
        assert len(client.timeline_hashtag("coffee", local=True)) == 2
        assert [status.id for status in client.account_statuses("1", exclude_replies=True)] == [own.id, root.id]


def test_tag_combinations() -> None:
    build = village()
    for text in ("#a", "#a #b", "#a #c", "#b #c"):
        build.post("1", text, at(hours=-1))
    with Sandbox(build.world, Clock(), x=False) as sandbox:

        def found(**options: str) -> list[int]:
            query = "&".join(f"{name}[]={value}" for name, value in options.items())
            return [len(status["tags"]) for status in get(sandbox, f"/api/v1/timelines/tag/a?{query}").json()]

        assert len(found()) == 3
        assert len(found(any="b")) == 4
        assert len(found(all="b")) == 1
        assert len(found(none="b")) == 2
        assert len(found(any="b", none="c")) == 2


def test_visibility_deletion_suspension_and_edits_follow_the_clock() -> None:
    build, clock = village(), Clock()
    build.person("4", "mastodon", handle="banned", suspended_at=at(hours=1))
    build.post("1", "#x unlisted", at(hours=-1), visibility="unlisted")
    build.post("1", "#x private", at(hours=-1), visibility="private")
    build.post("1", "#x gone", at(hours=-1), deleted_at=at(hours=1))
    build.post("4", "#x banned", at(hours=-1))
    edited = build.post("1", "#x first", at(hours=-1), edits=[Edit(at(hours=1), "second #y")])
    build.post("1", "#x future", at(hours=3))
    with Sandbox(build.world, clock, x=False) as sandbox:
        client = mastodon_client(sandbox.mastodon_url)
        before = {status.content.rsplit("> ", 1)[-1] for status in client.timeline_hashtag("x")}
        assert {status["visibility"] for status in get(sandbox, "/api/v1/timelines/public").json()} == {"public"}
        clock.step(hours=2)
        assert client.timeline_hashtag("x") == []
        [status] = client.timeline_hashtag("y")
        everything = client.account_statuses("1")
        history = client.status_history(edited.id)
        with pytest.raises(MastodonNotFoundError):
            client.account_lookup("banned")
    assert before == {"gone</p>", "banned</p>", "first</p>"}
    assert (status.id, status.edited_at) == (edited.id, at(hours=1))
    assert {one.visibility for one in everything} == {"public", "unlisted"}
    assert [one.created_at for one in history] == [at(hours=-1), at(hours=1)]


def test_context_is_a_tree_with_limits_for_strangers() -> None:
    build = village()
    root = build.post("1", "root", at(hours=-9))
    first = build.post("2", "first", at(hours=-8), reply_to=root.id)
    build.post("2", "second", at(hours=-7), reply_to=root.id)
    build.post("1", "deep", at(hours=-6), reply_to=first.id)
    for number in range(70):
        build.post("2", f"more {number}", at(minutes=-90 + number), reply_to=root.id)
    with Sandbox(build.world, Clock(), x=False) as sandbox:
        strangers = get(sandbox, f"/api/v1/statuses/{root.id}/context").json()["descendants"]
        members = get(sandbox, f"/api/v1/statuses/{root.id}/context", signed_in=True).json()["descendants"]
        deep = mastodon_client(sandbox.mastodon_url).status_context(strangers[1]["id"])
    assert [status["content"] for status in strangers[:3]] == ["<p>first</p>", "<p>deep</p>", "<p>second</p>"]
    assert (len(strangers), len(members)) == (60, 73)
    assert [html.fromstring(status.content).text_content() for status in deep.ancestors] == ["root", "first"]


def test_many_at_once_and_quotes() -> None:
    build = village()
    quoted = build.post("2", "said", at(hours=-3), deleted_at=at(hours=1))
    quote = build.post("1", "look", at(hours=-2), quote_of=quoted.id)
    build.like("1", quoted, at(hours=-1))
    build.like("3", quote, at(hours=-1))
    clock = Clock()
    with Sandbox(build.world, clock, x=False) as sandbox:
        client = mastodon_client(sandbox.mastodon_url)
        found = get(sandbox, f"/api/v1/statuses?id[]={quote.id}&id[]=5").json()
        assert [status["id"] for status in found] == [quote.id]
        assert found[0]["quote"]["quoted_status"]["content"] == "<p>said</p>"
        assert found[0]["content"].startswith('<p class="quote-inline">RE: <a href="https://far.sandbox/@far/')
        assert [account.acct for account in client.status_favourited_by(quote.id)] == ["shy"]
        assert found[0]["favourites_count"] == 1
        clock.step(hours=2)
        later = get(sandbox, f"/api/v1/statuses/{quote.id}").json()
    assert later["quote"] == {"state": "deleted", "quoted_status": None}


def test_opt_outs_of_accounts() -> None:
    with Sandbox(village().world, Clock(), x=False) as sandbox:
        shy, far = (get(sandbox, f"/api/v1/accounts/lookup?acct={name}").json() for name in ("shy", "far@far.sandbox"))
    assert [shy[name] for name in ("noindex", "indexable", "locked", "bot")] == [True, False, True, False]
    assert "noindex" not in far  # only the home instance tells
    assert [far[name] for name in ("discoverable", "bot")] == [False, True]


@pytest.mark.filterwarnings("ignore:Timeline")
def test_instance_says_who_may_read_its_timelines_and_means_it() -> None:
    build = village()
    build.post("1", "#coffee local", at(hours=-1))
    build.post("2", "#coffee remote", at(hours=-2))
    access = {
        "hashtag_feeds": {"local": "authenticated", "remote": "authenticated"},
        "live_feeds": {"local": "public", "remote": "disabled"},
    }
    with Sandbox(build.world, Clock(), x=False, mastodon_options={"access": access}) as sandbox:
        stranger, member = mastodon_client(sandbox.mastodon_url), mastodon_client(sandbox.mastodon_url, TOKEN)
        instance = stranger.instance_v2()
        assert instance.version.startswith("4.5.")
        assert instance.configuration.timelines_access.live_feeds.remote == "disabled"
        with pytest.raises(MastodonUnauthorizedError):
            stranger.timeline_hashtag("coffee")
        assert len(member.timeline_hashtag("coffee")) == 2
        assert [status.account.acct for status in stranger.timeline_public()] == ["brand"]
        assert stranger.timeline_public(remote=True) == []


def test_wrong_token_rate_limit_and_unknown_path() -> None:
    clock = Clock(at(minutes=3))
    with Sandbox(village().world, clock, x=False, mastodon_options={"limit": 3}) as sandbox:
        client = mastodon_client(sandbox.mastodon_url)
        answer = get(sandbox, "/api/v1/timelines/public")
        assert answer.headers["x-ratelimit-remaining"] == "2"
        assert answer.headers["x-ratelimit-reset"] == "2026-10-12T12:05:00.000000Z"
        assert get(sandbox, "/api/v1/timelines/public").headers["x-ratelimit-remaining"] == "1"
        with pytest.raises(MastodonUnauthorizedError):
            mastodon_client(sandbox.mastodon_url, "guess").account("1")
        with pytest.raises(MastodonRatelimitError):
            client.account("1")
        clock.step(minutes=2)
        assert client.account("1").acct == "brand"
        assert get(sandbox, "/api/v1/nothing").json() == {"error": "Record not found"}


def test_search_finds_accounts_tags_and_addresses() -> None:
    build = village()
    post = build.post("1", "#coffee", at(hours=-1))
    with Sandbox(build.world, Clock(), x=False) as sandbox:
        client: Mastodon = mastodon_client(sandbox.mastodon_url)
        assert [account.acct for account in client.search_v2("@far").accounts] == ["far@far.sandbox"]
        assert [tag.name for tag in client.search_v2("#coff").hashtags] == ["coffee"]
        address = f"https://mastodon.sandbox/@brand/{post.id}"
        assert [status.id for status in client.search_v2(address).statuses] == [post.id]
        assert client.instance_nodeinfo().software.name == "mastodon"
        assert client.instance_v1().stats.status_count == 1


def test_delayed_index_and_statuses_count() -> None:
    build, clock = village(), Clock()
    build.post("1", "#x soon", at(minutes=-1), indexed_after=timedelta(minutes=2))
    build.post("1", "#x gone", at(minutes=-1), deleted_at=at(minutes=5))
    with Sandbox(build.world, clock, x=False) as sandbox:
        client = mastodon_client(sandbox.mastodon_url)
        counts = []
        for _ in range(3):
            counts.append(client.account("1").statuses_count)
            clock.step(minutes=3)
    assert counts == [1, 2, 1]
