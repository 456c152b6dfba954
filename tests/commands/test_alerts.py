"""`resonance alerts`: what people type."""

import json

import pytest
from click.testing import CliRunner

from alerts.incidents import apply
from resonance.commands.alerts import alerts
from resonance.errors import explain
from store.db import Store
from tests.alerts.alert_cases import NOW, add_post, settings_of, signal


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "r.sqlite"
    store = Store.open(path)
    add_post(store, "x:1", "炎上\x1b[31m <b>")
    apply(store, settings_of(url="http://127.0.0.1:9/x"), [signal(evidence=(("x:1", 1.0),))], NOW)
    with store.write() as connection:
        connection.execute("UPDATE deliveries SET state = 'maybe_sent'")
    store.close()
    return path


def run(*arguments):
    return CliRunner().invoke(alerts, [str(a) for a in arguments])


def told(path, sql):
    store = Store.open(path)
    try:
        return store.one(sql)
    finally:
        store.close()


def test_list_and_its_json(db):
    line = run("list", "--db", db)
    assert line.exit_code == 0 and "volume_spike" in line.stdout
    row = json.loads(run("list", "--db", db, "--json").stdout)
    assert row["id"] == 1 and row["state"] == "open" and row["historic"] is False and "series" not in row["facts"]


def test_show_tells_the_story_and_its_deliveries(db):
    shown = run("show", 1, "--db", db)
    assert "投稿が急に増えています" in shown.stdout and "maybe_sent" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert json.loads(run("show", 1, "--db", db, "--json").stdout)["evidence"][0]["post_id"] == "x:1"


def test_taking_ending_and_reopening(db):
    assert run("ack", 1, "--by", "hanako", "--db", db).exit_code == 0
    assert told(db, "SELECT acknowledged_by FROM incidents") == "hanako"
    assert run("resolve", 1, "--by", "hanako", "--note", "済", "--db", db).exit_code == 0
    assert "Nothing is going on" in run("list", "--db", db).stderr
    assert "resolved" in run("list", "--all", "--db", db).stdout
    assert run("reopen", 1, "--by", "hanako", "--db", db).exit_code == 0
    assert told(db, "SELECT state FROM incidents") == "open"


def test_settling_what_nobody_knows(db):
    assert "incident 1" in run("list", "--maybe-sent", "--db", db).stdout
    assert run("resend", 1, "--db", db).exit_code == 0
    assert told(db, "SELECT state FROM deliveries") == "queued"
    again = run("resend", 1, "--db", db)
    assert explain(again.exception).exit_code == 1


def test_feedback_takes_two_words_only(db):
    assert run("feedback", 1, "false-alarm", "--by", "hanako", "--note", "販促", "--db", db).exit_code == 0
    assert told(db, "SELECT verdict FROM feedback") == "false_alarm"
    assert run("feedback", 1, "maybe", "--db", db).exit_code == 2


def test_an_unknown_incident_is_a_sentence(db):
    error = run("show", 99, "--db", db).exception
    assert "no incident 99" in explain(error).text


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    assert explain(run("list", "--db", tmp_path / "no.sqlite").exception).exit_code == 1
    assert not (tmp_path / "no.sqlite").exists()


def test_testing_the_channels(tmp_path, monkeypatch):
    config = tmp_path / "resonance.toml"
    config.write_text('[[channels]]\ntype = "slack"\nname = "team"\nwebhook_url = "http://127.0.0.1:9/x"\n')
    refused = run("test", "--config", config, "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["ok"] is False
    config.write_text("")
    assert "No channel" in run("test", "--config", config).stderr


def test_every_verb_has_help_and_an_example():
    for name, command in alerts.commands.items():
        shown = run(name, "--help").stdout
        assert command.help and "Example: resonance alerts" in shown


def test_muting_listing_and_unmuting(db):
    made = run("mute", "--rule", "volume_spike", "--for", "8h", "--reason", "sale", "--by", "hanako", "--db", db)
    assert made.exit_code == 0 and "Mute 1: every topic, volume_spike, until" in made.stdout
    assert "hanako: sale" in run("mutes", "--db", db).stdout
    row = json.loads(run("mutes", "--json", "--db", db).stdout)
    assert (row["rule"], row["holds"], row["silenced"]) == ("volume_spike", True, 0)
    assert run("unmute", 1, "--db", db).exit_code == 0
    assert "Nothing is muted" in run("mutes", "--db", db).stderr
    assert "ended" in run("mutes", "--all", "--db", db).stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--reason", "r"), "--for and --until"),
        (("--reason", "r", "--for", "8h", "--until", "2030-01-01"), "--for and --until"),
        (("--reason", "r", "--for", "soon"), "8h"),
        (("--for", "8h"), "--reason"),
        (("--reason", "r", "--for", "8h", "--topic", "nothing"), "no topic"),
    ],
)
def test_a_wrong_mute_is_wrong_usage(db, arguments, told):
    outcome = run("mute", *arguments, "--db", db)
    assert outcome.exit_code == 2 and told in outcome.stderr


def test_answers_show_what_they_moved_and_it_can_be_taken_back(db):
    said = run("feedback", 1, "false-alarm", "--by", "hanako", "--db", db)
    assert "volume_spike on coffee: ×1.00 → ×1.09; alerts of this kind will be rarer" in said.stdout
    shown = run("thresholds", "--db", db).stdout
    assert "incident 1: false_alarm (hanako)" in shown and "now ×1.09" in shown
    assert json.loads(run("thresholds", "--json", "--db", db).stdout)["factor"] == pytest.approx(1.0942)
    assert "×1.09 → ×1.00" in run("thresholds", "--revert", 1, "--db", db).stderr
    assert "as the sensitivity sets it" in run("thresholds", "--db", db).stderr
    assert "taken back" in run("thresholds", "--all", "--db", db).stdout
