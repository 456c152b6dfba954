"""What is known about how much an account moves others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountResonance:
    """One account at one moment; docs/resonance.md has the formulas.

    Attributes
    ----------
    account : its name.
    resonance, low, high : 0..100, with a 90% interval; 100 would be an account to which everybody reacts.
    rank : 1 for the largest resonance; equal ones share the best rank.
    members, members_low, members_high : distinct members expected to react in the next 24 h, with a 90% interval.
    reactors : distinct accounts that reacted in the whole window.
    reshares, quotes, replies, mentions : distinct accounts that reacted so, each counted with the weight of its age.
    engaged : reshares and quotes by accounts that reshare often.
    second_order : reactions that its reactors received themselves, in the same unit.
    not_negative : share of its replies and quotes that are not negative, shrunk; None without sentiment.
    bridging : 0..1, probability that two of its reactors are of different communities, shrunk (跳躍力).
    efficiency_post : distinct reactors per post that was reacted to; None where posts are not told.
    efficiency_audience : distinct reactors per follower; None where followers are not known.
    followers, follower_rank : None where not known.
    community, subcommunity : coarse and fine community; None where it has none.
    by_community : community -> members expected from it in the next 24 h, largest first, at most five.
    resonance_all : resonance when nothing is left out.
    flags : why this account's own reactions are not counted.
    items : posts behind the score, most reactors first, at most five.
    parts_missing : names of the parts that the data cannot give.
    """

    account: str
    resonance: float
    low: float
    high: float
    rank: int
    members: float
    members_low: float
    members_high: float
    reactors: int
    reshares: float
    quotes: float
    replies: float
    mentions: float
    engaged: float
    second_order: float
    not_negative: float | None
    bridging: float | None
    efficiency_post: float | None
    efficiency_audience: float | None
    followers: float | None
    follower_rank: int | None
    community: int | None
    subcommunity: int | None
    by_community: dict[int, float]
    resonance_all: float
    flags: tuple[str, ...]
    items: tuple[str, ...]
    parts_missing: tuple[str, ...]
