"""Where alerts arrive in tests and in the demo: a Slack and a mail server on loopback."""

from sandbox.slack_receiver import SLACK_APP_TOKEN, SLACK_TOKEN, SlackFile, SlackMessage, SlackReceiver
from sandbox.smtp_receiver import ReceivedMail, SmtpReceiver

__all__ = [
    "SLACK_APP_TOKEN",
    "SLACK_TOKEN",
    "ReceivedMail",
    "SlackFile",
    "SlackMessage",
    "SlackReceiver",
    "SmtpReceiver",
]
