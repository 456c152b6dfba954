"""Communities of the interaction graph: finding, following over time, describing."""

from analysis.communities.describe import CommunityProfile, describe
from analysis.communities.detect import Communities, detect
from analysis.communities.echo import EchoChamber, echo_chamber
from analysis.communities.identity import CommunityEvent, Matching, match_communities

__all__ = [
    "Communities",
    "CommunityEvent",
    "CommunityProfile",
    "EchoChamber",
    "Matching",
    "describe",
    "detect",
    "echo_chamber",
    "match_communities",
]
