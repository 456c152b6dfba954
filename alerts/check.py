"""Do the channels work? Asked without sending anything that people would see."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from alerts import by_apprise, email, slack_bot
from alerts.outcome import Outcome
from config.settings import AppriseChannel, Channel, EmailChannel, Settings, SlackChannel

AUTHORISATION, CONFIGURATION, FAILED = 77, 78, 1


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a channel; `exit_code` is 0, or what `resonance check` ends with on its account."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    exit_code: int = 0


def check_channels(settings: Settings) -> list[Checked]:
    """Every channel, all at once, in the order of the configuration. No message is sent."""
    if not settings.channels:
        return []
    with ThreadPoolExecutor(max_workers=min(8, len(settings.channels))) as pool:
        return list(pool.map(_check, settings.channels))


def _check(channel: Channel) -> Checked:
    if isinstance(channel, AppriseChannel):
        return _apprise(channel)
    return _slack(channel) if isinstance(channel, SlackChannel) else _email(channel)


def _slack(channel: SlackChannel) -> Checked:
    """A webhook can only be tried by sending: what can be seen without that."""
    if channel.by_bot:
        return _bot(channel)
    if channel.webhook_url is None:
        return Checked(
            channel.name,
            False,
            "Slack: the webhook's address is missing.",
            "Create an incoming webhook in the Slack app's settings, put its address into the environment variable "
            'that webhook_url names (SLACK_WEBHOOK_URL for webhook_url = "env:SLACK_WEBHOOK_URL"), and try again.',
            CONFIGURATION,
        )
    parts = urlsplit(channel.webhook_url.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return Checked(
            channel.name,
            False,
            "Slack: webhook_url is not an address.",
            "It begins with https://hooks.slack.com/services/; copy it again from the Slack app's settings.",
            CONFIGURATION,
        )
    return Checked(
        channel.name, True, f"Slack: webhook at {parts.hostname} (not tried; `resonance alerts test` sends a sample)."
    )


def _bot(channel: SlackChannel) -> Checked:
    """Ask Slack who we are, and which scopes the token lacks."""
    if channel.bot_token is None:
        return Checked(
            channel.name,
            False,
            "Slack: the bot token is missing.",
            "Install the Slack app in the workspace, put its bot token (xoxb-…) into the environment variable that "
            'bot_token names (SLACK_BOT_TOKEN for bot_token = "env:SLACK_BOT_TOKEN"), and try again.',
            CONFIGURATION,
        )
    told = slack_bot.who(channel)
    if isinstance(told, Outcome):
        refused = told.state == "failed"
        remedy = "" if refused else "Check the network, a proxy, and that api_url is right."
        return Checked(channel.name, False, told.detail, remedy, AUTHORISATION if refused else FAILED)
    team, user, missing = told
    if missing:
        return Checked(
            channel.name,
            False,
            f"Slack: the token of {user} in {team} lacks {', '.join(missing)}.",
            "Add these scopes under OAuth & Permissions of the Slack app and install it again.",
            AUTHORISATION,
        )
    if (deaf := slack_bot.buttons_heard(channel)) is not None:
        return Checked(
            channel.name,
            False,
            f"Slack: Socket Mode cannot be opened, so nobody hears the buttons ({deaf.detail})",
            "Check app_token (an app-level token with connections:write) and that Socket Mode is on in the Slack app; "
            "or leave app_token out, and messages name the commands to type.",
            AUTHORISATION if deaf.state == "failed" else FAILED,
        )
    return Checked(channel.name, True, f"Slack: {user} in {team}, posts to {channel.channel}; nothing sent.")


def _apprise(channel: AppriseChannel) -> Checked:
    """A service can only be tried by sending: what can be seen without that."""
    if channel.apprise_url is None:
        return Checked(
            channel.name,
            False,
            "Apprise: the address is missing.",
            "Put the service's Apprise address into the environment variable that apprise_url names (APPRISE_URL for "
            'apprise_url = "env:APPRISE_URL"), and try again.',
            CONFIGURATION,
        )
    try:
        name = by_apprise.service(channel)
    except by_apprise.NotUsable as error:
        return Checked(channel.name, False, f"Apprise: {error.what}", error.remedy, CONFIGURATION)
    return Checked(channel.name, True, f"Apprise: {name} (not tried; `resonance alerts test` sends a sample).")


def _email(channel: EmailChannel) -> Checked:
    where = f"SMTP {channel.host}:{channel.port}"
    told = _problem(channel, lambda: email.connect(channel))
    if told is not None:
        detail, remedy, code = told
        return Checked(channel.name, False, f"{where}: {detail}", remedy, code)
    login = f", logged in as {channel.username}" if channel.username else ", without a login"
    return Checked(channel.name, True, f"{where}: greeted ({channel.security}{login}); nothing sent.")


def _problem(channel: EmailChannel, connect: Callable[[], smtplib.SMTP]) -> tuple[str, str, int] | None:
    """What is wrong, what to do about it and the exit code; None when a session was opened and closed."""
    if channel.username and channel.password is None:
        return (
            "the password is missing.",
            'Put it into the environment variable that password names (such as SMTP_PASSWORD for "env:SMTP_PASSWORD").',
            CONFIGURATION,
        )
    try:
        email.leave(connect())
    except smtplib.SMTPAuthenticationError as error:
        return (
            f"user or password refused ({error.smtp_code}).",
            "Check username and password; many providers want an app password.",
            AUTHORISATION,
        )
    except smtplib.SMTPNotSupportedError:
        return ("it does not offer what is configured.", _other_security(channel), CONFIGURATION)
    except ssl.SSLError as error:
        return (f"no secure connection ({error.reason or 'TLS'}).", _other_security(channel), FAILED)
    except smtplib.SMTPResponseException as error:
        return (f"refused ({error.smtp_code}).", "The server's administrator can say why.", FAILED)
    except (OSError, smtplib.SMTPException) as error:
        remedy = (
            f"Check host and port, and that a firewall lets port {channel.port} through. {_other_security(channel)}"
        )
        return (f"not reachable ({type(error).__name__}).", remedy, FAILED)
    return None


def _other_security(channel: EmailChannel) -> str:
    return (
        f'security is "{channel.security}": use "starttls" with port 587, "tls" with port 465, '
        '"none" only for a server on this machine.'
    )
