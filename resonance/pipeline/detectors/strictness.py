"""How much stricter or more lenient a rule is for a topic than its sensitivity says: what people answered."""

from __future__ import annotations

from alerts.thresholds import factor
from config import Topic
from store import Store
from store.records import Rule


def strictness(store: Store, topic: Topic, rule: Rule) -> float:
    """The factor of the rule's bound; 1 without answers."""
    return factor(store, topic.slug, rule)
