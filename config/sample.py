"""The commented configuration that `resonance init` writes."""

SAMPLE = """\
# resonance: what to watch, where to read, whom to tell.
# Every key is explained in docs/configuration.md. `resonance check` says what works and what does not.
# A secret is written as "env:NAME" (read from the environment) or "file:PATH", so that it need not stand here.

database = "resonance.sqlite"
contact = ""                       # your address, sent in the User-Agent, so that server admins can reach you

[[topics]]
slug = "coffee"
name = "コーヒー / Coffee"
keywords = ["コーヒー", "珈琲"]      # one of these words in a post is enough
phrases = ["flat white"]           # several words side by side
hashtags = ["coffee", "コーヒー"]    # also what is asked for on Mastodon
exclude = ["giveaway"]             # never posts with these
languages = []                     # empty: all; or ["ja", "en"]
timezone = "Asia/Tokyo"
holidays = "JP"
own_accounts = []                  # your own: "x:handle" or "user@host"; shown apart, never scored
sources = ["x", "mastodon"]
sensitivity = "balanced"           # low, balanced, high
alert_language = "ja"              # ja or en

# The fediverse: public hashtags can be read without an account.
[[mastodon]]
url = "https://mastodon.social"
# access_token = "env:MASTODON_TOKEN"

# X: pay per use (about $0.005 a post). Without a token X is left out.
[x]
bearer_token = "env:X_BEARER_TOKEN"
daily_budget_usd = 5

# Where alerts go. Without a channel they stand in the database and in `resonance alerts list`.
# For threads, charts and buttons in Slack, `bot_token` and `channel` (its id) take the place of webhook_url.
# [[channels]]
# type = "slack"
# name = "social-team"
# webhook_url = "env:SLACK_WEBHOOK_URL"

# [[channels]]
# type = "email"
# name = "mail"
# host = "smtp.example.com"
# port = 587
# security = "starttls"
# username = "resonance"
# password = "env:SMTP_PASSWORD"
# sender = "Resonance <resonance@example.com>"
# recipients = ["social@example.com"]

# [[channels]]
# type = "apprise"                   # anything else: LINE, Teams, Discord; docs/alerts.md says how to install it
# name = "line"
# apprise_url = "env:APPRISE_URL"

# [dashboard]
# base_url = "https://resonance.example.com"   # emails then carry links to answer by; docs/alerts.md

# [health]
# port = 9464
"""
