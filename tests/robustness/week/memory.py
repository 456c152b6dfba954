"""Memory of the daemon and its children, summed: proportional set sizes, so that what they share counts once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean, median

MIB = 1024


@dataclass
class Memory:
    """Samples by simulated day, in MiB."""

    begins: datetime
    samples: list[tuple[int, float, int]] = field(default_factory=list)
    """(day from 1 on; 0 before), sum, processes."""

    def add(self, now: datetime, found: tuple[float, int] | None) -> None:
        if found is not None:
            day = int((now - self.begins).total_seconds() // 86_400) + 1 if now >= self.begins else 0
            self.samples.append((day, *found))

    def days(self) -> list[int]:
        return sorted({day for day, _, _ in self.samples if day >= 1})

    def of(self, day: int) -> tuple[float, float, float]:
        """Mean and highest sum of a day, and the median while no child ran."""
        found = [(size, count) for d, size, count in self.samples if d == day]
        rest = [size for size, count in found if count == 1]
        return fmean(s for s, _ in found), max(s for s, _ in found), median(rest) if rest else float("nan")


def sample(pid: int) -> tuple[float, int] | None:
    """Summed memory of a process and all below it in MiB, and how many they are; None: it is gone."""
    try:
        found = [_size(one) for one in _tree(pid)]
    except OSError:
        return None
    sizes = [size for size in found if size is not None]
    return (sum(sizes), len(sizes)) if sizes else None


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found


def _size(pid: int) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / MIB for line in lines if line.startswith("Pss:")), None)
