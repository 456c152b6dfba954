"""Shapes of many stars at once are those of each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.cascades.stars import stars
from analysis.cascades.tree import Share, shape

MEMBERS = {f"a{i}": f"c{i % 3}" for i in range(8)}  # a8 and a9 are in no community
account = st.integers(0, 9).map("a{}".format)
moment = st.sampled_from([0.0, 1.0, 1800.0, 3600.0, 3600.5, 3601.0, 7200.0, 9000.0]) | st.floats(0, 20_000)
cascade = st.tuples(account, st.lists(st.tuples(moment, account), max_size=12).map(lambda rows: sorted(rows)))


@given(st.lists(cascade, max_size=6), st.booleans())
def test_many_stars_are_each_as_shape_says(cascades, with_members):
    members = MEMBERS if with_members else None
    rows = [row for _, mine in cascades for row in mine]
    counts = np.array([len(mine) for _, mine in cascades], np.int64)
    together = stars(
        [root for root, _ in cascades], counts, [a for _, a in rows], np.array([t for t, _ in rows], float), members
    )
    alone = [
        shape(Share("root", root, 0.0), [Share(f"s{i}", a, t, "root") for i, (t, a) in enumerate(mine)], members)
        for root, mine in cascades
    ]
    assert together == alone
