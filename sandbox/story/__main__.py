"""`python -m sandbox.story [SEED]`: one page about what the story holds."""

from __future__ import annotations

import sys
from collections import Counter

from sandbox.story.build import rehearse


def main(seed: int) -> None:
    """Prints it."""
    stage = rehearse(seed)
    world = stage.world
    posts = list(world.posts.values())
    print(
        f"seed {seed}: {len(world.people)} people, {len(posts)} posts ({len({p.text for p in posts})} texts), "
        f"{len(world.reshares)} reshares, {len(world.likes)} likes"
    )
    for title, counts in (
        ("network", Counter(p.network for p in posts)),
        ("language", Counter(p.lang for p in posts)),
        ("mood", Counter(stage.moods.values())),
        ("kind", Counter("reply" if p.reply_to else "quote" if p.quote_of else "post" for p in posts)),
        ("day", Counter(f"{p.created_at:%m-%d}" for p in posts)),
        ("community", Counter(stage.cast.home.get(p.author, "other") for p in posts)),
    ):
        print(f"{title:>10}: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=str)))
    shared = Counter(reshare.of for reshare in world.reshares)
    print("most reshared:")
    for post_id, count in shared.most_common(8):
        post = world.posts[post_id]
        print(
            f"  {count:4d}  {post.created_at:%m-%d %H:%M}  {world.people[post.author].followers:>7d} followers  "
            f"{' '.join(post.text.split())[:40]}"
        )
    print("events:")
    for event in world.events:
        print(
            f"  {event.kind:<11} {event.begins:%m-%d %H:%M} to {event.ends:%m-%d %H:%M}  {event.title_en}"
            f" / {event.title_ja}  ({shared[event.root or '']} reshares)"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
