"""Statuses as pages, on synthetic statuses of the recorded shapes."""

from datetime import UTC, datetime

import pytest

from collector.mastodon.optout import opted_out
from collector.mastodon.parse import accounts, missing_parents, parse

NOW = datetime(2026, 10, 6, tzinfo=UTC)
HOST = "mastodon.example"


def person(name="ann", host=HOST, **more):
    acct = name if host == HOST else f"{name}@{host}"
    return {
        "id": f"{name}-{host}",
        "username": name,
        "acct": acct,
        "url": f"https://{host}/@{name}",
        "note": "",
        **more,
    }


def status(number="1", author=None, **more):
    account = author or person()
    host = account["url"].split("/")[2]
    return {
        "id": number,
        "uri": f"https://{host}/statuses/{number}",
        "created_at": "2026-10-05T12:00:00.000Z",
        "visibility": "public",
        "content": "<p>kopi</p>",
        "account": account,
        **more,
    }


def uri(number, host=HOST):
    return f"https://{host}/statuses/{number}"


def read(*statuses, **more):
    return parse(list(statuses), NOW, HOST, domain=HOST, **more)


def edges(parsed):
    return {(i.kind, i.source_id, i.target_post_id, i.target_id, i.via_post_id) for i in parsed.page.interactions}


def test_identity_is_the_uri_and_local_names_get_the_domain():
    (post,) = read(status(author=person("Ann"))).page.posts
    assert (post.id, post.native_id, post.author_id) == (uri("1"), "1", f"acct:ann@{HOST}")


def test_the_domain_comes_from_the_address_when_the_instance_does_not_say():
    (post,) = parse([status()], NOW, "127.0.0.1:8080").page.posts
    assert post.author_id == f"acct:ann@{HOST}"


def test_pitfall_8_one_post_seen_from_two_instances_is_one():
    remote = person("bob", "other.example")
    here = parse([status("77", remote, uri=uri("5", "other.example"))], NOW, HOST, domain=HOST).page.posts[0]
    home = person("bob", "other.example", acct="bob")
    there = parse([status("5", home, uri=uri("5", "other.example"))], NOW, "other.example", domain="other.example")
    assert (here.id, here.author_id) == (there.page.posts[0].id, there.page.posts[0].author_id)
    assert (here.source, there.page.posts[0].source) == (HOST, "other.example")


def test_pitfall_7_a_boost_is_an_edge_and_its_status_a_reference():
    boost = status("9", person("bob"), reblog=status("1"), content="<p>kopi</p>")
    parsed = read(boost)
    assert [(p.id, p.reference) for p in parsed.page.posts] == [(uri("1"), True)]
    assert edges(parsed) == {("reshare", f"acct:bob@{HOST}", uri("1"), f"acct:ann@{HOST}", "")}


def test_a_boost_of_something_private_leaves_nothing():
    parsed = read(status("9", person("bob"), reblog=status("1", visibility="private")))
    assert not parsed.page.posts and not parsed.page.interactions


@pytest.mark.parametrize("visibility", ["unlisted", "private", "direct", "local"])
def test_only_public_statuses_are_kept(visibility):
    parsed = read(status(visibility=visibility))
    assert not parsed.page.posts and parsed.skipped == ["a status that is not public"]


def test_pitfall_21_html_content_warning_and_null_language():
    content = (
        '<p>日本の<br>抹茶 <a href="https://example.com/a"><span class="invisible">https://</span>example.com/a</a></p>'
    )
    (post,) = read(status(content=content, spoiler_text="food :kopi:", language=None, sensitive=True)).page.posts
    assert post.text == "日本の\n抹茶 https://example.com/a"
    assert (post.spoiler, post.lang, post.sensitive, post.links) == (
        "food :kopi:",
        "ja",
        True,
        ("https://example.com/a",),
    )


def test_replies_mentions_and_quotes():
    bob, cyd = person("bob"), person("cyd", "other.example")
    mentions = [{"id": p["id"], "acct": p["acct"], "username": p["username"], "url": p["url"]} for p in (bob, cyd)]
    answer = status(
        "3",
        in_reply_to_id="2",
        in_reply_to_account_id=bob["id"],
        mentions=mentions,
        quote={"state": "accepted", "quoted_status": status("4", cyd)},
    )
    parsed = read(answer, status("2", bob))
    me, via = f"acct:ann@{HOST}", uri("3")
    assert edges(parsed) == {
        ("reply", me, uri("2"), f"acct:bob@{HOST}", via),
        ("quote", me, uri("4", "other.example"), "acct:cyd@other.example", via),
        ("mention", me, None, "acct:cyd@other.example", via),
    }
    assert parsed.page.posts[-1].mentions == () and {p.id for p in parsed.page.posts if p.reference} == {
        uri("4", "other.example")
    }


def test_quotes_as_other_servers_write_them():
    assert read(status("3", quote=status("4"))).page.posts[-1].quote_of_id == uri("4")
    assert read(status("3", quote_id="4"), known={"4": "u:4"}).page.posts[0].quote_of_id == "u:4"
    assert read(status("3", quote={"state": "deleted", "quoted_status": None})).page.posts[0].quote_of_id is None


def test_pitfall_20_a_parent_that_the_instance_does_not_show_leaves_the_edge_to_its_author():
    answer = status(
        "3", in_reply_to_id="2", in_reply_to_account_id="b", mentions=[{"id": "b", "acct": "bob", "url": ""}]
    )
    assert missing_parents([answer]) == ["2"]
    assert edges(read(answer)) == {("reply", f"acct:ann@{HOST}", None, f"acct:bob@{HOST}", uri("3"))}
    assert ("reply", f"acct:ann@{HOST}", uri("2"), f"acct:bob@{HOST}", uri("3")) in edges(
        read(answer, context=[status("2")])
    )


def test_a_time_that_cannot_be_read_is_a_reason_to_skip():
    parsed = read(status(created_at=None), status("2"), status("3", created_at="soon"))
    assert [p.native_id for p in parsed.page.posts] == ["2"]
    assert parsed.skipped == ["a status whose time cannot be read"] * 2


def test_pitfall_10_remote_clocks_are_only_claims():
    (post,) = read(status(created_at="2099-01-01T00:00:00Z")).page.posts
    assert post.created_at.year == 2099


def test_counts_with_their_observer():
    (found,) = read(status(favourites_count=2, reblogs_count=3, replies_count=4, quotes_count=5)).page.metrics
    assert (found.observer, found.likes, found.reshares, found.replies, found.quotes, found.views) == (
        HOST,
        2,
        3,
        4,
        5,
        None,
    )


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ({"note": "<p>hello <a>#<span>nobot</span></a></p>"}, "nobot"),
        ({"note": "＃NoBots please"}, "nobots"),
        ({"fields": [{"name": "rules", "value": "#<span>noindex</span>"}]}, "noindex"),
        ({"note": "#nobotany is my garden"}, None),
        ({"note": "nobot without a tag"}, None),
        ({"noindex": True}, "noindex"),
        ({"noindex": None, "indexable": False, "discoverable": False}, None),
        ({"suspended": True}, "suspended"),
    ],
)
def test_pitfall_22_opt_outs(account, reason):
    assert opted_out(person(**account)) == reason
    parsed = read(status(author=person(**account), mentions=[{"acct": "bob"}]))
    assert bool(parsed.page.posts) == bool(parsed.page.interactions) == (reason is None)
    assert parsed.page.accounts[0].opted_out == reason


def test_flags_count_by_policy():
    unlisted = person(indexable=False)
    assert opted_out(unlisted, frozenset(("indexable",))) == "indexable"
    assert opted_out(person(noindex=True), frozenset()) is None


def test_boosters_are_accounts():
    found = accounts([person("bob", followers_count=3, bot=True), {"acct": "with blank"}, "rubbish"], NOW, HOST, HOST)
    assert [(a.id, a.followers, a.bot) for a in found] == [(f"acct:bob@{HOST}", 3, True)]
