"""Links that answer: signed, with an end; what a page says; what is recorded, once."""

import stat
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import people
from alerts.answers import links
from alerts.answers.desk import Desk
from alerts.answers.key import key_file, key_of
from alerts.answers.pages import html, policy
from alerts.errors import KeyUnusable
from alerts.incidents import apply
from alerts.outbox import deliver
from alerts.read import incident
from config import parse
from tests.alerts.alert_cases import NOW, add_post, settings_of, signal, surge

BASE = '[dashboard]\nbase_url = "https://r.example/pages"\n'
KEY = b"k" * 32


def minutes(count):
    return NOW + timedelta(minutes=count)


@pytest.fixture
def config(store):
    return settings_of(extra=BASE).model_copy(update={"database": store.path})


@pytest.fixture
def desk(store, config):
    apply(store, config, [surge()], NOW)
    return Desk(store, config, KEY)


def token(store, verb="false_alarm", *, incident_id=1, channel="mail", days=14, key=KEY):
    return links.token(key, incident(store, incident_id), verb, channel, NOW + timedelta(days=days))


def press(desk, text, verb, by="", now=NOW, **given):
    page = desk.ask(text, now)
    return desk.hear(text, {"form": page.form.key, "verb": verb, "by": by}, now, **given)


def words(store):
    return [tuple(row) for row in store.query("SELECT incident_id, verdict, by FROM feedback ORDER BY id")]


# ------------------------------------------------------------------ links
def test_a_link_says_what_was_signed_and_names_no_person(desk, store):
    text = token(store)
    link = links.read(KEY, text)
    assert (link.incident_id, link.verb, link.channel) == (1, "false_alarm", "mail")
    assert link.is_about(incident(store, 1))
    assert not link.is_over(NOW) and link.is_over(NOW + timedelta(days=14))
    assert "@" not in text and links.url("https://r.example", text) == f"https://r.example/answer/{text}"


def test_no_character_of_a_link_can_be_changed(desk, store):
    text = token(store)
    for at, was in enumerate(text):
        for other in "0a.-" if was not in "0a.-" else "1z":
            with pytest.raises(links.NotOurs):
                links.read(KEY, text[:at] + other + text[at + 1 :])
    for wrong in (text[:-1], text + "0", text.upper(), f" {text}", f"{text}\n", text.replace("1.1.", "1.１.", 1)):
        with pytest.raises(links.NotOurs):
            links.read(KEY, wrong)
    with pytest.raises(links.NotOurs):
        links.read(b"o" * 32, text)


@given(st.text(max_size=400))
def test_whatever_is_asked_for_it_is_only_refused(text):
    with pytest.raises(links.NotOurs):
        links.read(KEY, text)
    assert not links.form_holds(KEY, "t", text, NOW)


def test_a_form_holds_for_its_link_for_an_hour():
    form = links.form_key(KEY, "t", NOW)
    assert links.form_holds(KEY, "t", form, NOW) and links.form_holds(KEY, "t", form, minutes(60))
    assert not links.form_holds(KEY, "t", form, minutes(61))
    assert not links.form_holds(KEY, "t", form, minutes(-1)), "nobody has a form from the future"
    assert not links.form_holds(KEY, "u", form, NOW) and not links.form_holds(b"o" * 32, "t", form, NOW)


def test_a_links_signature_is_no_forms_signature(desk, store):
    said, _, signature = token(store).rpartition(".")
    at = str(int(NOW.timestamp()))
    assert not links.form_holds(KEY, said, f"{at}.{signature}", NOW)


# ------------------------------------------------------------------ the key
def test_the_key_lies_in_a_file_that_only_its_owner_reads_and_stays(store, config):
    key = key_of(config)
    path = key_file(config)
    assert path.parent == store.path.parent and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_of(config) == key and len(key) == 32
    assert [p.name for p in path.parent.glob("*.part")] == []
    tables = [row[0] for row in store.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
    dump = "".join(str(tuple(row)) for table in tables for row in store.query(f'SELECT * FROM "{table}"'))
    assert path.read_text() not in dump


def test_a_key_that_others_can_read_or_that_is_broken_is_refused_with_the_remedy(config):
    key_of(config)
    key_file(config).chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        key_of(config)
    key_file(config).chmod(0o600)
    key_file(config).write_text("abc")
    with pytest.raises(KeyUnusable, match="Delete it"):
        key_of(config)
    gone = config.model_copy(update={"database": config.database.parent / "none" / "r.sqlite"})
    with pytest.raises(KeyUnusable, match="link_secret"):
        key_of(gone)


def test_a_secret_of_the_configuration_needs_no_file(config):
    with_secret = parse(BASE + 'link_secret = "a secret of some length"\n')
    with_secret = with_secret.model_copy(update={"database": config.database})
    assert key_of(with_secret) != key_of(config)
    key_file(config).unlink()
    key_of(with_secret)
    assert not key_file(config).exists()


# ------------------------------------------------------------------ pages
def test_opening_a_page_records_nothing_however_often(desk, store):
    before = store.query("SELECT COUNT(*) FROM incident_notes")[0][0]
    for _ in range(3):
        page = desk.ask(token(store), NOW)
    assert page.status == 200 and page.form.verbs[0] == "false_alarm" and page.form.expected
    assert "まだ何も記録されていません" in page.told[0] and "鳴海珈琲" in page.title
    assert words(store) == [] and store.query("SELECT COUNT(*) FROM incident_notes")[0][0] == before
    assert incident(store, 1).state == "open"


def test_a_press_is_recorded_once_and_says_what_moved_and_how_to_undo_it(desk, store):
    page = press(desk, token(store), "false_alarm", "花子")
    assert words(store) == [(1, "false_alarm", "花子")]
    assert any("×1.00 から ×1.09" in text and "否定的な投稿の増加" in text for text in page.told)
    assert page.commands == ("resonance alerts thresholds --revert 1",)
    assert page.form.verbs == ("ack", "helpful") and not page.form.expected and page.form.name == "花子"
    again = press(desk, token(store), "false_alarm", "花子", minutes(5))
    assert "変更はありません" in "".join(again.told) and words(store) == [(1, "false_alarm", "花子")]
    assert store.one("SELECT COUNT(*) FROM threshold_changes") == 1


def test_a_changed_mind_is_the_newest_word(desk, store):
    press(desk, token(store), "false_alarm", "花子")
    page = press(desk, token(store), "helpful", "花子", minutes(5))
    assert [word[1] for word in words(store)] == ["false_alarm", "helpful"]
    assert store.one("SELECT precision FROM v_rule_precision WHERE rule = 'negative_surge'") == 1.0
    assert any("×0.97" in text for text in page.told)


def test_taking_it(desk, store):
    page = press(desk, token(store, "ack"), "ack", "花子")
    found = incident(store, 1)
    assert (found.state, found.acknowledged_by) == ("acknowledged", "花子")
    assert page.form.verbs == ("helpful", "false_alarm")
    opened = desk.ask(token(store, "ack"), NOW)
    assert ("状況", "花子 さんが対応中です") in opened.facts and "ack" not in opened.form.verbs
    other = press(desk, token(store, "ack"), "ack", "太郎")
    assert "花子" in other.title and incident(store, 1).acknowledged_by == "花子"
    people.resolve(store, 1, "花子", NOW)
    assert "収束" in "".join(press(desk, token(store, "ack"), "ack", "太郎").told)
    assert incident(store, 1).state == "resolved"


def test_without_a_name_it_is_the_only_recipient_or_the_channel(store, smtp, config):
    one = settings_of(smtp=smtp, extra=BASE)
    alone = one.channels[0].model_copy(update={"recipients": ("team@example.com",)})
    apply(store, one, [surge()], NOW)
    for channels, by in (((alone,), "team@example.com"), (one.channels, "mail"), ((), "mail")):
        press(Desk(store, one.model_copy(update={"channels": channels}), KEY), token(store), "helpful")
        assert words(store)[-1][2] == by


@pytest.mark.parametrize(
    ("wrong", "elsewhere"),
    [({"form": ""}, False), ({"form": "1.2"}, False), ({"verb": "resolve"}, False), ({"verb": ""}, False), ({}, True)],
)
def test_a_form_that_is_not_ours_or_comes_from_elsewhere_is_asked_again(desk, store, wrong, elsewhere):
    good = {"form": desk.ask(token(store), NOW).form.key, "verb": "helpful", "by": ""}
    page = desk.hear(token(store), good | wrong, NOW, elsewhere=elsewhere)
    assert page.status == 403 and page.form is not None and "もう一度" in page.told[0]
    assert words(store) == []


def test_a_form_of_another_link_or_hour_does_not_count(desk, store):
    other = desk.ask(token(store, "ack"), NOW).form.key
    assert desk.hear(token(store), {"form": other, "verb": "helpful"}, NOW).status == 403
    mine = desk.ask(token(store), NOW).form.key
    assert desk.hear(token(store), {"form": mine, "verb": "helpful"}, minutes(90)).status == 403
    assert words(store) == []


def test_expired_forged_unknown_and_erased_say_what_to_do(desk, store):
    over = desk.ask(token(store, days=-1), NOW)
    assert over.status == 410 and "resonance alerts feedback 1 false-alarm" in over.commands and over.form is None
    forged = desk.ask(token(store, key=b"o" * 32), NOW, accepted="en-GB,ja;q=0.5")
    assert (forged.status, forged.language) == (403, "en") and "from the email again" in forged.told[0]
    text = token(store)
    with store.write() as db:
        db.execute("UPDATE incidents SET subject = 'another'")
    assert desk.ask(text, NOW).status == 404, "another database's incident of that number"
    with store.write() as db:
        db.execute("DELETE FROM incidents")
    gone = desk.hear(text, {"form": links.form_key(KEY, text, NOW), "verb": "helpful"}, NOW)
    assert gone.status == 404 and "もうありません" in gone.title and words(store) == []


def test_the_reader_chooses_the_language(desk, store):
    assert desk.ask(token(store), NOW, accepted="en").language == "ja", "that of the email"
    page = desk.ask(token(store), NOW, language="en")
    assert page.language == "en" and "Negative posts" in page.title


def test_a_source_has_no_threshold_to_move(store, config):
    apply(store, config, [signal("silent_source", topic=None, subject="x", series=())], NOW)
    page = press(Desk(store, config, KEY), token(store), "false_alarm")
    assert page.commands == () and any("基準は変わっていません" in text for text in page.told)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_is_whole_and_runs_nothing(desk, store, config, language):
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=1> \u202eevil"
    text = token(store)
    pages = [
        desk.ask(text, NOW, language=language),
        press(desk, text, "false_alarm", hostile, language=language),
        press(desk, text, "ack", hostile, language=language),
        desk.ask(token(store, days=-1), NOW, language=language),
        desk.ask("x", NOW, language=language),
        desk.nothing("en" if language == "en" else "ja"),
        desk.nothing(name="busy", status=503),
    ]
    for page in pages:
        shown = html(page)
        assert "<script" not in shown and "<img" not in shown and "onerror=1>" not in shown and "\u202e" not in shown
        assert "http://" not in shown and "https://" not in shown and "{" not in shown.split("</style>")[1]
        assert f'<html lang="{page.language}">' in shown and "noindex" in shown and "viewport" in shown
    assert "unsafe" not in policy() and "script-src" not in policy() and "default-src 'none'" in policy()


# ------------------------------------------------------------------ the email
def test_an_email_carries_links_where_people_can_reach_us_and_commands_where_not(store, smtp, config):
    add_post(store, "x:1", "おいしくない")
    settings = settings_of(smtp=smtp, extra=BASE).model_copy(update={"database": store.path})
    apply(store, settings, [surge(evidence=(("x:1", 1.0),))], NOW)
    deliver(store, settings, NOW)
    mail = smtp.messages[0].parsed()
    text = mail.get_body(("plain",)).get_content()
    page = mail.get_body(("html",)).get_content()
    found = [line for line in text.splitlines() if line.startswith("https://r.example/pages/answer/")]
    assert [links.read(key_of(settings), url.rsplit("/", 1)[1]).verb for url in found] == list(links.VERBS)
    assert all(f'href="{url}"' in page for url in found)
    assert "resonance alerts ack" not in text + page and "何も記録されません" in text and "何も記録されません" in page
    desk = Desk(store, settings, key_of(settings))
    assert press(desk, found[1].rsplit("/", 1)[1], "helpful").status == 200 and len(words(store)) == 1


def test_an_alert_never_waits_for_a_key(store, smtp):
    settings = settings_of(smtp=smtp, extra=BASE).model_copy(update={"database": store.path})
    key_file(settings).write_text("broken")
    key_file(settings).chmod(0o600)
    apply(store, settings, [surge()], NOW)
    deliver(store, settings, NOW)
    assert "resonance alerts ack 1" in smtp.messages[0].parsed().get_body(("plain",)).get_content()
