"""The loop itself: when it stops, what it then says, what it records."""

import numpy as np
import pytest

from mdptheory import Status
from mdptheory.iterate import Step, iterate


def run(gaps, *, tol, max_iter=50, pad=0.0):
    """Feed the loop a list of gaps; ask for more than there are and the test fails."""
    calls = []

    def advance(i):
        calls.append(i)
        return Step(low=-gaps[i], high=0.5 * gaps[i], gap=gaps[i], pad=pad, work=2.0 * i)

    return iterate(advance, tol=tol, max_iter=max_iter), calls


def test_it_stops_at_the_first_gap_within_the_tolerance():
    convergence, calls = run([8.0, 4.0, 2.0, 1.0], tol=2.5)
    assert convergence.status is Status.CONVERGED
    assert calls == [0, 1, 2]
    assert convergence.iterations == 3
    assert convergence.error_bound == 2.0
    assert convergence.residual == 2.0
    assert convergence.work == 4.0
    assert convergence.trace.gap.tolist() == [8.0, 4.0, 2.0]
    assert convergence.trace.work.tolist() == [0.0, 2.0, 4.0]
    assert (np.diff(convergence.trace.seconds) >= 0).all()


def test_the_rounding_allowance_counts_towards_the_tolerance():
    convergence, _ = run([8.0, 2.0, 1.9], tol=2.0, pad=0.1)
    assert convergence.status is Status.CONVERGED
    assert convergence.iterations == 3
    assert convergence.error_bound == pytest.approx(2.0)


@pytest.mark.parametrize("gap", [0.5, 0.3, 0.0])
def test_a_gap_within_the_allowance_ends_as_rounding(gap):
    convergence, _ = run([8.0, gap], tol=0.4, pad=0.5)
    assert convergence.status is Status.ROUNDING
    assert convergence.error_bound == gap + 0.5


@pytest.mark.parametrize("max_iter", [1, 3])
def test_the_limit(max_iter):
    convergence, calls = run([8.0, 4.0, 2.0], tol=1.0, max_iter=max_iter)
    assert convergence.status is Status.MAX_ITER
    assert len(calls) == max_iter == convergence.iterations
    assert convergence.error_bound == [8.0, 4.0, 2.0][max_iter - 1]


def test_a_gap_that_is_no_number_is_never_convergence():
    convergence, _ = run([np.nan] * 3, tol=1.0, max_iter=3)
    assert convergence.status is Status.MAX_ITER
