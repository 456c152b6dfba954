"""A day of the daemon's life with every fault, against the sandbox's own truth; benchmarks/week.py plays a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store import Store
from tests.analysis.tiny_onnx import write
from tests.robustness.week.audit import audit
from tests.robustness.week.play import Pace, play
from tests.robustness.week.story import tell
from tests.robustness.week.troubles import schedule

BEGINS = datetime(2026, 10, 12, 3, tzinfo=UTC)
OFF = BEGINS - timedelta(days=9)
DAY = timedelta(days=1)


def tamper(store: Store) -> list[str]:
    """Damage of each kind, and what the audit must say of it: it would be silent about nothing."""
    with store.write() as connection:
        own = "id IN (SELECT post_id FROM matches) AND removed_at IS NULL AND reference = 0"
        lost, changed = (row[0] for row in connection.execute(f"SELECT id FROM posts WHERE {own} ORDER BY pk LIMIT 2"))
        connection.execute("DELETE FROM posts WHERE id = ?", (lost,))
        connection.execute("UPDATE posts SET text = 'something else' WHERE id = ?", (changed,))
        connection.execute("UPDATE posts SET text = 'back again' WHERE removed_at IS NOT NULL")
        connection.execute("UPDATE interactions SET source_id = 'x:1' WHERE id = (SELECT MAX(id) FROM interactions)")
        connection.execute("DELETE FROM gaps")
        connection.execute("UPDATE deliveries SET state = 'sending' WHERE id = 1")
    return [
        f"{lost} of ",
        f"{changed}: another text",
        "its text is still there",
        "x:1 never reshared",
        "no gap says so: x, kopi",
        "deliveries are left as",
    ]


@pytest.mark.timeout(900)
def test_a_day_with_every_fault_leaves_nothing_out_and_nothing_twice(tmp_path: Path) -> None:
    model = write(tmp_path / "tiny", ["negative", "neutral", "positive"])
    pace = Pace(
        collect=20, refresh=40, score=480, analyse=1440, alert=120, deliver=20, inside=True,
        extra=f'[model]\nname = "{model}"\nthreads = 1\n',
    )  # fmt: skip
    troubles = schedule(BEGINS, DAY, 2)
    played = play(tell(1, OFF, BEGINS, DAY, 15), troubles, tmp_path, pace, off=OFF, kills=(0.1,))
    found = audit(played)
    damage = tamper(played.store)
    told = audit(played).wrong
    assert [each for each in damage if not any(each in sentence for sentence in told)] == []
    played.store.close()
    assert found.wrong == []
    assert played.caught_up is not None
    assert [trouble.told for trouble in troubles if not trouble.hits or not trouble.over] == []
    assert len(found.gaps) == 2 and found.counts["missing, within a recorded gap"] > 0
    for kept in ("whole", "edited, and stored as edited", "gone, and purged"):
        assert found.counts[kept] > 5
    assert found.counts["mail: sent"] >= 2 and found.counts["team: sent"] >= 1
    assert found.counts["team: maybe_sent"] >= 2  # the timeout, and the answer that was cut
