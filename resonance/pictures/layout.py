"""Where circles lie on a map: those that belong together close, none upon another."""

from __future__ import annotations

import numpy as np

from analysis.graph import FloatArray

STEPS = 400


def packed(radius: FloatArray, ties: FloatArray, gap: float, aspect: float = 1.0) -> FloatArray:
    """Centres (n, 2) of circles around the origin: pulled together by ties and to the middle, pushed apart where close.

    Parameters
    ----------
    radius : (n,).
    ties : (n, n) symmetric, any scale.
    gap : least distance between two rims.
    aspect : width over height that the whole should have.
    """
    size = len(radius)
    place = _spiral(radius)
    strength = ties / max(float(ties.sum(axis=1).max(initial=0)), 1e-12) * 0.1
    least = radius[:, None] + radius[None, :] + gap
    yields = radius[None, :] ** 2 / (radius[:, None] ** 2 + radius[None, :] ** 2)  # the smaller one goes further
    for step in range(STEPS):
        away = place[:, None, :] - place[None, :, :]
        distance = np.linalg.norm(away, axis=2) + np.eye(size)
        calm = max(0.0, 1 - step / (0.7 * STEPS))  # at the end they only make room
        pull = -(strength[:, :, None] * away).sum(axis=1) - 0.06 * place * np.array([1 / aspect, aspect]) ** 0.5
        close = np.maximum(least - distance, 0) * (1 - np.eye(size)) * yields
        place = place + pull * calm + (away / distance[:, :, None] * close[:, :, None]).sum(axis=1) * 0.7
    return place


def _spiral(radius: FloatArray) -> FloatArray:
    """A sunflower, the largest in the middle."""
    order = np.empty(len(radius), int)
    order[np.argsort(-radius, kind="stable")] = np.arange(len(radius))
    angle = order * np.pi * (3 - np.sqrt(5))
    reach = np.sqrt(order) * float(radius.mean() if len(radius) else 0) * 1.8
    return np.column_stack([reach * np.cos(angle), reach * np.sin(angle)])
