"""The only fixed-point loop: apply, bound the error, stop or go on."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mdptheory.models import Convergence, Status, Trace


class Step(NamedTuple):
    """What one greedy sweep tells the loop."""

    low: float  # smallest T v - v
    high: float  # largest T v - v
    gap: float  # certified half-width of the enclosure, before rounding
    pad: float  # allowance for rounding
    work: float  # transitions read so far, in full sweeps


def iterate(advance: Callable[[int], Step], *, tol: float, max_iter: int) -> Convergence:
    """Call ``advance(i)`` until the certified gap is within ``tol``.

    Stops as well when the gap is down to the rounding allowance, since no further sweep can
    certify more; the status then says so.
    """
    start = time.perf_counter()
    work, gaps, seconds = [], [], []
    status = Status.MAX_ITER
    for i in range(max_iter):
        step = advance(i)
        work.append(float(step.work))
        gaps.append(float(step.gap + step.pad))
        seconds.append(time.perf_counter() - start)
        if step.gap + step.pad <= tol:
            status = Status.CONVERGED
            break
        if step.gap <= step.pad:
            status = Status.ROUNDING
            break
    return Convergence(
        status=status,
        iterations=len(gaps),
        residual=float(max(abs(step.low), abs(step.high))),
        error_bound=gaps[-1],
        work=work[-1],
        trace=Trace(np.array(work), np.array(gaps), np.array(seconds)),
    )
