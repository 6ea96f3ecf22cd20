"""Upper side: how far nature's rows are from the nominal ones, and what true rows nearby are worth.

Float rows miss their set by rounding, so that none is taken as it is. Each is divided by its sum
and moved into the set by the least amount that provably suffices; the Bellman inequality is
verified for the row after the move.

*Balls.* Every distance here is convex in q and 0 at p. So ``(1 - t) q + t p`` lies within the
radius if ``t >= 1 - radius / distance(q, p)``; rows that share a budget share t, with the sum of
their distances. The Wasserstein ball is one of them: mass that stays costs nothing.

*Bounds* ``l <= q <= u`` (intervals; ``q <= p / alpha`` for `CVaRSet`; ``q >= (1 - fraction) p`` for
`ContaminationSet`). Clip q; take an excess of mass from all entries in proportion to what they have
above l, or add what lacks in proportion to the room below u. Interval bounds whose sums miss 1 by
rounding (``sum l > 1`` or ``sum u < 1``) are divided by their sum, as rows are.

*Lists.* A row of a `FiniteSet` is replaced with the nearest one of the list, divided by its sum.

A row that misses its set by more than `LOOSE` is refused: that is no rounding.
"""

from collections.abc import Callable
from typing import NamedTuple, assert_never

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates._enclosure import Enclosure, share, where
from mdptheory.certificates._rows import Board, Outcomes
from mdptheory.models import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    WassersteinBall,
    WeightedL1Ball,
)

LOOSE = 1e-9


class Reply(NamedTuple):
    """What some of nature's rows are worth, with their distances."""

    distance: Enclosure
    value: Enclosure  # of the row; after the move, if ``misses`` is given
    nominal: Enclosure  # of the nominal row
    misses: Enclosure | None = None  # by how much a bound is broken; None for a ball


def reply(board: Board, o: Outcomes) -> Reply:
    """Measure nature's rows; see the top of this module."""
    assert o.q is not None
    match board.ambiguity:
        case IntervalSet() | CVaRSet() | ContaminationSet():
            return _fitted(board, o, o.q)
        case FiniteSet():
            return _listed(board, o, o.q)
        case _:
            value, nominal = (o.q * o.x).sums(o.ptr), (o.p * o.x).sums(o.ptr)
            return Reply(_distance(board, o, o.q), value, nominal)


def _distance(board: Board, o: Outcomes, q: Enclosure) -> Enclosure:
    off = abs(q - o.p)
    match board.ambiguity:
        case L1Ball():
            return off.sums(o.ptr)
        case WeightedL1Ball(weights=weights):
            return (off * board.load(weights[o.state])).sums(o.ptr)
        case LinfBall():
            return off.maxima(o.ptr)
        case L2Ball():
            return (off * off).sums(o.ptr).root()
        case ChiSquareBall():
            return (off * off / o.p).sums(o.ptr)
        case KLBall() | EVaRSet():
            return _kl(o, q)
        case BurgBall():
            return _burg(o, q)
        case IntervalSet() | CVaRSet() | ContaminationSet() | FiniteSet() | WassersteinBall():
            raise AssertionError("not measured by a distance of rows")
        case _:
            assert_never(board.ambiguity)


def _kl(o: Outcomes, q: Enclosure) -> Enclosure:
    """Return ``sum p h(s)`` with ``s = (q - p) / p`` and ``h(s) = (1 + s) log(1 + s) - s >= 0``.

    That is ``sum q log(q / p)``, as the s average 0 under p, but does not cancel for small s.
    """

    def h(s: Enclosure) -> Enclosure:
        one = s.lo <= -1
        inside = where(one, 0, s)
        return where(one, 1, (inside + 1) * inside.log1p() - inside)

    s = ((q - o.p) / o.p).maximum(-1)
    return (o.p * _bowl(h, s)).sums(o.ptr)


def _burg(o: Outcomes, q: Enclosure) -> Enclosure:
    """Return ``sum p h(s) + q(p = 0)`` with ``s = (q - p) / p`` and ``h(s) = s - log(1 + s) >= 0``.

    That is ``sum p log(p / q)``, as the s average ``-q(p = 0)`` under p.
    """
    there = o.there
    p = where(there, o.p, 1)
    ratio = where(there, q, 1) / p
    s = where(there, (q - o.p) / p, 0)
    near = _bowl(lambda x: x - x.log1p(), s.maximum(-1))
    terms = near.meet(s - ratio.log())  # the one does well near 0, the other near -1
    return where(there, o.p * terms, q).sums(o.ptr)


def _bowl(h: Callable[[Enclosure], Enclosure], s: Enclosure) -> Enclosure:
    """Enclose a convex function with least value 0 at 0, from its values at the ends of s."""
    left, right = h(Enclosure(s.lo, s.lo)), h(Enclosure(s.hi, s.hi))
    least = np.where((s.lo <= 0) & (s.hi >= 0), 0.0, np.minimum(left.lo, right.lo))
    return Enclosure(np.maximum(least, 0.0), np.maximum(left.hi, right.hi))


def bounds(board: Board, o: Outcomes) -> tuple[Enclosure, Enclosure]:
    """Return the bounds on the outcomes of sets that are given by bounds."""
    per_row = board.load(board.limit[o.rows])[o.row] if board.limit.size else None
    zero = where(np.full(o.p.size, True), 0, o.p)
    match board.ambiguity:
        case IntervalSet():
            return _intervals(board, o)
        case CVaRSet():
            assert per_row is not None
            return zero, (o.p / per_row).minimum(1)
        case ContaminationSet():
            assert per_row is not None
            return (1 - per_row) * o.p, zero + 1
        case LinfBall():
            assert per_row is not None
            return (o.p - per_row).maximum(0), (o.p + per_row).minimum(1)
        case _:
            raise AssertionError("not given by bounds")


def _intervals(board: Board, o: Outcomes) -> tuple[Enclosure, Enclosure]:
    assert isinstance(board.ambiguity, IntervalSet)
    pair = []
    for given in (board.ambiguity.lower, board.ambiguity.upper):
        if board.ambiguity.row_ptr is not None:
            some = given[board.nominal.first + o.place]
        elif given.ndim == 1:
            some = given[o.state]
        else:
            some = given[board.states[o.rows][o.row], board.nominal.action[o.rows][o.row], o.state]
        pair.append(board.load(some))
    lower, upper = pair
    least, most = lower.sums(o.ptr).maximum(1), upper.sums(o.ptr).minimum(1)
    return lower / least[o.row], upper / most[o.row]


def _fitted(board: Board, o: Outcomes, q: Enclosure) -> Reply:
    """Move rows between their bounds."""
    lower, upper = bounds(board, o)
    broken = (lower - q).maximum(q - upper).maximum(0).maxima(o.ptr)
    clipped = q.maximum(lower).minimum(upper)
    over = clipped.sums(o.ptr) - 1
    spare, room = (clipped - lower).maximum(0), (upper - clipped).maximum(0)
    down = share(over.maximum(0), spare.sums(o.ptr))
    up = share((-over).maximum(0), room.sums(o.ptr))
    inside = clipped - down[o.row] * spare + up[o.row] * room
    value = (inside * o.x).sums(o.ptr)
    return Reply(_reach(board, o, q, broken), value, value, broken)


def _reach(board: Board, o: Outcomes, q: Enclosure, broken: Enclosure) -> Enclosure:
    if isinstance(board.ambiguity, IntervalSet):
        return broken
    ratio = where(o.there, q, 1) / where(o.there, o.p, 1)
    if isinstance(board.ambiguity, CVaRSet):
        return ratio.maxima(o.ptr)
    return (1 - ratio).maximum(0).maxima(o.ptr)


def _listed(board: Board, o: Outcomes, q: Enclosure) -> Reply:
    """Replace rows with the nearest ones of the list."""
    best: tuple[Enclosure, Enclosure] | None = None
    for row in listed_rows(board, o):
        away, value = abs(q - row).sums(o.ptr), (row * o.x).sums(o.ptr)
        if best is None:
            best = away, value
        else:
            nearer = away.middle() < best[0].middle()
            best = where(nearer, away, best[0]), where(nearer, value, best[1])
    assert best is not None  # lists are not empty
    return Reply(best[0], best[1], best[1], best[0])


def listed_rows(board: Board, o: Outcomes) -> list[Enclosure]:
    """Return the rows of a list, each divided by its sum, laid out like ``o``."""
    assert isinstance(board.ambiguity, FiniteSet)
    found = []
    for kernel in board.ambiguity.rows:
        some: FloatArray = kernel[o.state]
        if kernel.ndim == 3:
            states: IntArray = board.states[o.rows][o.row]
            some = kernel[states, board.nominal.action[o.rows][o.row], o.state]
        row = board.load(some)
        found.append(row / row.sums(o.ptr)[o.row])
    return found
