"""Every fault of a channel is named with what to do, and no secret is shown."""

import pytest

from alerts.check import check_channels
from config import parse
from sandbox.receivers import SmtpReceiver
from tests.alerts.alert_cases import settings_of

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
MAIL = """
[[channels]]
type = "email"
name = "mail"
host = "127.0.0.1"
port = {port}
security = "{security}"
username = "{username}"
{password}
sender = "r@example.com"
recipients = ["a@example.com"]
timeout = 2
"""


def mail(port, security="none", username="", password=None):
    line = f'password = "{password}"' if password else ""
    return parse(MAIL.format(port=port, security=security, username=username, password=line))


def test_no_channel_is_no_fault():
    assert check_channels(parse("")) == []


def test_sound_channels_are_said_to_work_and_nothing_is_sent(slack, smtp):
    results = check_channels(settings_of(slack, smtp))
    assert [(r.name, r.ok, r.exit_code) for r in results] == [("team", True, 0), ("mail", True, 0)]
    assert slack.messages == [] and smtp.messages == []
    assert "sandboxsecret" not in str(results)


def test_a_missing_webhook_names_the_environment_variable(monkeypatch):
    monkeypatch.delenv("SLACK_WEBHOOK_URL", raising=False)
    (told,) = check_channels(
        parse('[[channels]]\ntype = "slack"\nname = "team"\nwebhook_url = "env:SLACK_WEBHOOK_URL"\n')
    )
    assert (told.ok, told.exit_code) == (False, 78)
    assert "SLACK_WEBHOOK_URL" in told.remedy


def test_a_webhook_that_is_no_address():
    (told,) = check_channels(settings_of(url="hooks.slack.com/services/T/B/secret"))
    assert (told.ok, told.exit_code) == (False, 78) and "secret" not in str(told)


def test_a_wrong_password_is_authorisation():
    with SmtpReceiver(login=("me", "right")) as server:
        (told,) = check_channels(mail(server.port, username="me", password="wrong-secret"))
        assert (told.ok, told.exit_code) == (False, 77)
        assert "wrong-secret" not in str(told) and "app password" in told.remedy
        (told,) = check_channels(mail(server.port, username="me", password="right"))
        assert told.ok and "logged in as me" in told.detail
        assert server.messages == []


@pytest.mark.parametrize(
    ("case", "code", "words"),
    [
        ({"username": "me"}, 78, "SMTP_PASSWORD"),
        ({"security": "starttls"}, 78, "starttls"),
        ({"security": "tls"}, 1, "465"),
    ],
)
def test_what_does_not_fit_is_named(smtp, case, code, words):
    (told,) = check_channels(mail(smtp.port, **case))
    assert (told.ok, told.exit_code) == (False, code)
    assert words in told.remedy


def test_a_server_that_is_not_there():
    (told,) = check_channels(mail(9))
    assert not told.ok and "host and port" in told.remedy
