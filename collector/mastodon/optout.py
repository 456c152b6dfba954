"""Who does not want to be collected. Asked again at every sight of an account, so that a change of mind is seen."""

from __future__ import annotations

import re

from collector.fields import Fields, items
from store.text import from_html

POLICY = frozenset(("noindex",))
"""The flags that are honoured when collecting; `indexable` and `discoverable` may be added.

Those two are off unless somebody turned them on, so that honouring them leaves out nearly everybody: they say who
wants to be found by search, not who minds being read.
"""
_TAGS = re.compile(r"[#＃](nobots?|noindex|noarchive|nosearch|noscrape)(?!\w)", re.IGNORECASE)


def opted_out(account: Fields, policy: frozenset[str] = POLICY) -> str | None:
    """Why nothing of an account is kept, or None.

    Tags in its bio or profile fields always count; they arrive as `#<span>nobot</span>`, so the HTML goes first.
    """
    if account.get("suspended") is True:
        return "suspended"
    texts = [
        account.get("note"),
        *(field.get("value") for field in items(account.get("fields"))),
        account.get("display_name"),
    ]
    for text in texts:
        found = _TAGS.search(from_html(text)) if isinstance(text, str) and ("#" in text or "＃" in text) else None
        if found:
            return found[1].lower()
    if "noindex" in policy and account.get("noindex") is True:
        return "noindex"
    return next((name for name in ("indexable", "discoverable") if name in policy and account.get(name) is False), None)
