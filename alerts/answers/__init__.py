"""Answers by email: signed links that expire, and the pages that they open."""
