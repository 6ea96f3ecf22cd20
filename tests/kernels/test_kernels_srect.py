"""Distances of one row for a level, and at a price, against each other and the row kernels."""

import numpy as np
import pytest

from mdptheory.kernels import divergence, polyhedral, srect, srect_rows

KINDS = {
    "kl": (srect_rows.kl_project, srect_rows.kl_price, divergence.kl_row),
    "burg": (srect_rows.burg_project, srect_rows.burg_price, divergence.burg_row),
    "chi2": (srect_rows.chi_square_project, srect_rows.chi_square_price, divergence.chi_square_row),
}


def rows(count=60, seed=0):
    """Ascending worths from 0 on, ties among them, and probabilities."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        n = int(rng.integers(2, 8))
        x = np.sort(rng.integers(0, 4, n).astype(float) if k % 2 else rng.exponential(size=n))
        x -= x[0]
        if x[-1] > 0:
            yield x, rng.dirichlet(np.ones(n)), float(rng.uniform(0.02, 0.98))


def project(kind, beta, x, w):
    function = KINDS[kind][0]
    return function(beta, x, w) if kind == "chi2" else function(beta, x, w, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_row_kernel_reaches_the_level_at_its_distance(kind):
    for x, w, part in rows():
        beta = part * float(w @ x)
        distance, slope = project(kind, beta, x, w)
        q = np.empty(x.size)
        value = KINDS[kind][2](w, x, distance, q)[0]
        assert value == pytest.approx(beta, abs=1e-9 * x.max())
        step = 1e-5 * min(beta, w @ x - beta)
        left, right = (project(kind, beta + d, x, w)[0] for d in (-step, step))
        assert (left - right) / (2 * step) == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_row_at_a_price_lies_on_the_same_curve(kind):
    """At price 1 / t the row's mean has distance and slope t of the projection."""
    for x, w, part in rows(seed=1):
        distance, t = project(kind, part * float(w @ x), x, w)
        mean, same, slope, _ = KINDS[kind][1](t, x, w)
        assert mean == pytest.approx(part * float(w @ x), rel=1e-7)
        assert same == pytest.approx(distance, rel=1e-7, abs=1e-12)
        above, below = (KINDS[kind][1](t * f, x, w)[1] for f in (1 + 1e-5, 1 - 1e-5))
        assert (above - below) / 2e-5 == pytest.approx(slope, rel=2e-3, abs=1e-9)


def test_weighted_distances_follow_the_homotopy():
    rng = np.random.default_rng(3)
    for x, w, part in rows(seed=2):
        weights = rng.choice([0.5, 1.0, 2.0], x.size)
        gap = float(w @ x)
        distance, t = srect_rows.weighted_project(part * gap, gap, x, w, weights)
        value = polyhedral.weighted_l1_row(w, x, weights, distance, np.empty(x.size))[0]
        assert value == pytest.approx(part * gap, abs=1e-12)
        mean, used = srect_rows.weighted_price(1.0 / t, x, w, weights)
        assert used + t * (mean - part * gap) == pytest.approx(distance, abs=1e-12)
        floor = srect_rows.weighted_floor(x, w, weights)
        assert polyhedral.weighted_l1_row(w, x, weights, floor, np.empty(x.size))[0] <= 1e-12


def test_heaps_give_the_largest_first():
    rng = np.random.default_rng(4)
    for size in (1, 2, 3, 10, 57):
        key, item = rng.integers(0, 9, size + 3).astype(float), np.arange(size + 3.0)
        start = key.copy()
        srect.heapify(key, item, 3, size)
        found = []
        for left in range(size, 0, -1):
            assert start[int(item[3])] == key[3]
            found.append(key[3])
            srect.pop(key, item, 3, left)
        assert found == sorted(start[3:], reverse=True)
