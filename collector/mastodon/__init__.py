"""Mastodon and its kin, by the REST API of single instances through Mastodon.py."""
