"""What an instance says about itself."""

from __future__ import annotations

from typing import Any

VERSION = "4.5.3"
EVERYBODY = {"local": "public", "remote": "public"}
ACCESS = {"live_feeds": EVERYBODY, "hashtag_feeds": EVERYBODY, "trending_link_feeds": EVERYBODY}


def instance_v2(domain: str, access: dict[str, dict[str, str]], users: int) -> dict[str, Any]:
    """The body of /api/v2/instance."""
    return {
        "domain": domain,
        "title": domain,
        "version": VERSION,
        "source_url": "https://github.com/mastodon/mastodon",
        "description": "A sandbox on loopback.",
        "usage": {"users": {"active_month": users}},
        "thumbnail": {"url": f"https://files.{domain}/thumbnail.png", "blurhash": None, "versions": {}},
        "icon": [],
        "languages": ["ja", "en"],
        "configuration": {
            "urls": {"streaming": f"wss://streaming.{domain}", "status": None, "about": f"https://{domain}/about",
                     "privacy_policy": None, "terms_of_service": None},
            "vapid": {"public_key": ""},
            "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5},
            "statuses": {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23},
            "media_attachments": {"supported_mime_types": [], "description_limit": 1500},
            "polls": {"max_options": 4, "max_characters_per_option": 50, "min_expiration": 300,
                      "max_expiration": 2629746},
            "translation": {"enabled": False},
            "timelines_access": access,
            "limited_federation": False,
        },
        "registrations": {"enabled": False, "approval_required": False, "reason_required": False, "message": None,
                          "min_age": None, "url": None},
        "api_versions": {"mastodon": 7},
        "contact": {"email": f"admin@{domain}", "account": None},
        "rules": [],
    }  # fmt: skip


def instance_v1(domain: str, users: int, statuses: int, domains: int) -> dict[str, Any]:
    """The body of /api/v1/instance."""
    return {
        "uri": domain,
        "title": domain,
        "short_description": "A sandbox on loopback.",
        "description": "",
        "email": f"admin@{domain}",
        "version": VERSION,
        "urls": {"streaming_api": f"wss://streaming.{domain}"},
        "stats": {"user_count": users, "status_count": statuses, "domain_count": domains},
        "thumbnail": f"https://files.{domain}/thumbnail.png",
        "languages": ["ja", "en"],
        "registrations": False,
        "approval_required": False,
        "invites_enabled": False,
        "configuration": {
            "accounts": {"max_featured_tags": 10},
            "statuses": {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23},
            "media_attachments": {"supported_mime_types": []},
            "polls": {"max_options": 4, "max_characters_per_option": 50, "min_expiration": 300,
                      "max_expiration": 2629746},
        },
        "contact_account": None,
        "rules": [],
    }  # fmt: skip
