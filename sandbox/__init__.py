"""The network on loopback that the tests and the demo use: X, Mastodon, Slack, mail, a story, and faults."""
