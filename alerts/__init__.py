"""Rules, incidents, outbox, Slack, email: what people are told, in Japanese or English."""
