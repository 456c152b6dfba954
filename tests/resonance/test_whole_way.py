"""The whole way of a post, over HTTP: published, collected, matched, scored, summed, told, delivered, taken back."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from analysis.sentiment.scorer import Scorer
from resonance import cycle
from resonance.importing import import_file
from resonance.tables import Skipped
from sandbox.world import Edit
from store.records import iso
from tests.resonance.house import BEGIN, House, x_archive

BAD = "コピ屋のコーヒー、最悪でした。返金してほしい。二度と行かない。"
GOOD = "コピ屋の抹茶ラテ、最高においしい！大好き"


def x_of(post) -> str:
    return f"x:{post.id}"


def row(home: House, post_id: str):
    return home.store.query("SELECT * FROM posts WHERE id = ?", (post_id,))[0]


def uri_of(home: House, text: str) -> str:
    found: str = home.store.one("SELECT id FROM posts WHERE network = 'mastodon' AND text LIKE ?", (f"%{text}%",))
    return found


def test_a_post_of_each_network_is_collected_matched_scored_and_summed(home: House, scorer: Scorer) -> None:
    bad, both = home.post("100", BAD, 5), home.post("101", GOOD, 6)
    home.post("900", "#kopi とても良い店でした", 7)
    home.post("102", "関係のない話", 8)
    home.post("103", "kopi は好き #pr", 9)
    jobs = home.step(scorer)
    assert [job.error for job in jobs] == [None] * len(jobs)
    found = {r["id"]: r["label"] for r in home.store.query("SELECT id, label FROM v_posts")}
    assert found[x_of(bad)] == "negative" and found[x_of(both)] == "positive"
    assert len(found) == 4 and uri_of(home, "良い店")
    topics = home.store.query("SELECT topic FROM matches WHERE post_id = ? ORDER BY 1", (x_of(both),))
    assert [r["topic"] for r in topics] == ["kopi", "matcha"]
    hours = {r["topic"]: r for r in home.store.query("SELECT * FROM v_topic_hourly WHERE hour_utc = ?", (iso(BEGIN),))}
    assert (hours["kopi"]["posts"], hours["kopi"]["authors"], hours["kopi"]["negative"]) == (4, 4, 1)
    assert (hours["matcha"]["posts"], hours["matcha"]["positive"]) == (1, 1)
    assert hours["kopi"]["hour_local"] == "2026-10-15T12:00:00+09:00"
    assert 0.4 < hours["kopi"]["coverage"] < 0.6 and hours["kopi"]["complete"] == 0
    home.step(scorer, 40)
    done = home.store.query("SELECT coverage, complete FROM v_topic_hourly WHERE hour_utc = ?", (iso(BEGIN),))
    assert {tuple(r) for r in done} == {(1.0, 1)}


def test_reactions_become_interactions_and_counts_grow(home: House, scorer: Scorer) -> None:
    root = home.post("100", BAD, 5)
    toot = home.post("900", f"#kopi {GOOD}", 5)
    home.step()
    assert home.count("interactions") == 0
    home.post("101", "ほんとそれ", 3, reply_to=root.id)
    home.post("102", "これはひどい kopi", 4, quote_of=root.id)
    for number in range(3, 7):
        home.reshare(str(100 + number), root, number)
    for number in range(1, 4):
        home.reshare(str(900 + number), toot, number)
    home.post("905", "私も好き", 6, reply_to=toot.id)
    home.step(scorer)
    edges = home.store.query("SELECT kind, target_post_id, COUNT(*) AS n FROM interactions GROUP BY 1, 2")
    found = {(r["kind"], r["target_post_id"]): r["n"] for r in edges}
    uri = uri_of(home, "最高")
    assert found[("reshare", x_of(root))] == 4 and found[("quote", x_of(root))] == found[("reply", x_of(root))] == 1
    assert found[("reshare", uri)] == 3 and found[("reply", uri)] == 1
    exact = home.store.query(
        "SELECT time_low, time_high FROM interactions WHERE kind = 'reshare' ORDER BY target_post_id"
    )
    x_times = [r for r in exact if r["time_low"] == r["time_high"]]
    assert len(x_times) == 4  # X tells when; of a boost only the interval between two looks is known
    assert all(r["time_low"] is None or r["time_low"] < r["time_high"] for r in exact if r not in x_times)
    counts = home.store.query("SELECT observed_at, reshares FROM metrics WHERE post_id = ? ORDER BY 1", (x_of(root),))
    grown = [r["reshares"] for r in counts]
    assert (grown[0], grown[-1]) == (0, 4)
    reply = row(home, home.store.one("SELECT id FROM posts WHERE text = 'ほんとそれ'"))
    assert reply["reply_to_id"] == x_of(root)
    assert home.store.one("SELECT SUM(reshares) FROM v_topic_hourly WHERE topic = 'kopi'") == 7


def test_an_edit_is_scored_again_and_moves_its_hour(home: House, scorer: Scorer) -> None:
    post = home.post("100", GOOD, 5)
    home.step(scorer)
    post.edits.append(Edit(home.now + timedelta(minutes=1), BAD))
    home.changed()
    home.step(scorer, 20)
    assert row(home, x_of(post))["text"] == BAD and home.count("posts") == 1
    assert home.store.one("SELECT label FROM v_posts") == "negative"
    assert home.store.query("SELECT negative, positive FROM topic_hours WHERE topic = 'kopi' AND posts = 1")[0][:] == (
        1,
        0,
    )


def test_a_deletion_purges_text_everywhere_and_leaves_the_count(home: House, scorer: Scorer) -> None:
    post, toot = home.post("100", BAD + "秘密の言葉", 5), home.post("900", f"#kopi {BAD}秘密の言葉", 6)
    home.step(scorer)
    assert "秘密の言葉".encode() in home.everything()
    post.deleted_at = toot.deleted_at = home.now + timedelta(minutes=1)
    home.changed()
    home.step(scorer, 20)
    home.step(scorer, 20)
    assert [r["removed_reason"] for r in home.store.query("SELECT removed_reason FROM posts")] == ["deleted"] * 2
    assert [r["text"] for r in home.store.query("SELECT text FROM posts")] == ["", ""]
    assert home.count("post_search") == home.count("v_posts") == home.count("refresh_requests") == 0
    assert home.store.query("SELECT posts, negative FROM topic_hours WHERE posts > 0")[0][:] == (2, 2)


def test_somebody_who_closes_the_account_is_forgotten(home: House, scorer: Scorer) -> None:
    post = home.post("100", BAD, 5)
    home.post("101", "kopi わかる", 6, quote_of=post.id)
    home.step(scorer)
    home.world.people["100"] = home.person("100", "x", "taro0", protected=True)
    home.changed()
    home.step(scorer)
    assert row(home, x_of(post))["text"] == "" and row(home, x_of(post))["removed_at"]
    assert home.store.one("SELECT COUNT(*) FROM v_posts WHERE author_id = 'x:100'") == 0
    assert home.store.one("SELECT text FROM v_posts") == "kopi わかる"
    assert home.store.one("SELECT SUM(posts) FROM topic_hours WHERE topic = 'kopi'") == 2


def test_who_opted_out_is_never_stored(home: House) -> None:
    for number, more in enumerate(({"bio": "写真 #nobot"}, {"noindex": True}, {"bio": "#noindex"})):
        home.person(str(950 + number), "mastodon", f"quiet{number}", **more)
        home.post(str(950 + number), "#kopi しずかに", 5)
    home.person("300", "x", "lockedup", protected=True)
    home.post("300", "kopi しずかに", 5)
    home.post("901", "#kopi 大声で", 6)
    home.step()
    stored = home.everything()
    assert home.count("posts") == 1 and "大声で".encode() in stored
    assert "しずかに".encode() not in stored and b"lockedup" not in stored


def test_an_opt_out_after_the_fact_purges(home: House, scorer: Scorer) -> None:
    home.post("900", f"#kopi {GOOD}", 5)
    home.step(scorer)
    home.world.people["900"] = home.person("900", "mastodon", "hana0", bio="#nobot")
    home.changed()
    home.step(scorer)
    assert home.count("v_posts") == home.count("accounts", "handle LIKE 'hana0%'") == 0
    assert home.store.one("SELECT reason FROM tombstones WHERE kind = 'account'") == "nobot"


def test_a_spike_reaches_slack_and_the_mailbox_once(home: House, scorer: Scorer, tmp_path: Path) -> None:
    home.configure(TOPIC_X)
    archive = x_archive(tmp_path / "a.jsonl", 2400, end=BEGIN, hours=240)
    import_file(home.store, home.settings, str(archive), home.now, Skipped("a"))
    home.score(scorer)
    for job in (cycle.alert_job(home.store, home.settings, home.now), *home.step(scorer)):
        assert job.error is None
    assert home.count("incidents") == 0
    for number in range(90):
        home.post(str(100 + number % 60), BAD, 1 + number / 4)
    home.step(scorer)
    home.step(scorer, 15)
    incidents = home.store.query("SELECT rule, historic, facts FROM incidents")
    assert {r["rule"] for r in incidents} <= {"volume_spike", "negative_surge"} and len(incidents) == 1
    assert incidents[0]["historic"] == 0
    assert home.sandbox.slack is not None and home.sandbox.smtp is not None
    assert len(home.sandbox.slack.messages) == len(home.sandbox.smtp.messages) == 1
    told = json.dumps(home.sandbox.slack.messages[0].payload, ensure_ascii=False)
    assert "コピ屋" in told and "https://x.com/taro" in told
    mail = home.sandbox.smtp.messages[0].parsed()
    assert "コピ屋" in mail["Subject"] and any(part.get_content_type() == "image/png" for part in mail.walk())
    states = home.store.query("SELECT channel, state FROM deliveries ORDER BY channel")
    assert [tuple(r) for r in states] == [("mail", "sent"), ("team", "sent")]
    home.step(scorer)
    assert len(home.sandbox.slack.messages) == 1


def test_an_imported_storm_is_history_and_reaches_nobody(home: House, scorer: Scorer, tmp_path: Path) -> None:
    home.configure(TOPIC_X)
    end = BEGIN - timedelta(hours=2, minutes=20)
    for name, posts, hours in (("quiet", 2400, 240), ("storm", 400, 3)):
        archive = x_archive(tmp_path / f"{name}.jsonl", posts, end=end, hours=hours, text=f"{name} kopi")
        import_file(home.store, home.settings, str(archive), home.now, Skipped(name))
    for minutes in range(-139, 90, 6):  # ordinary days go on
        home.post("150", f"kopi {minutes}", minutes)
    home.step(scorer, 0)
    for _ in range(3):
        home.step(scorer)
    assert [r["historic"] for r in home.store.query("SELECT historic FROM incidents")] == [1]
    assert home.count("deliveries") == 0
    assert home.sandbox.slack is not None and home.sandbox.slack.messages == []


TOPIC_X = """
[[topics]]
slug = "kopi"
name = "コピ屋"
keywords = ["コピ屋", "kopi"]
sources = ["x"]
"""
