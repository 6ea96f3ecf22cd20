"""Lower side: what no row of the set can go below, from the dual variables of a claim."""

from typing import assert_never

import numpy as np

from mdptheory.certificates._enclosure import Enclosure, join, where
from mdptheory.certificates._nature import bounds, listed_rows
from mdptheory.certificates._rows import BLOCK, Board, Outcomes, reaches_beyond
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


def lists_everywhere(board: Board, with_nature: bool) -> bool:
    """Return whether a formula needs every state in every row."""
    if isinstance(board.ambiguity, IntervalSet | FiniteSet):
        return reaches_beyond(board.ambiguity)
    wide = isinstance(board.ambiguity, WeightedL1Ball | LinfBall | L2Ball | WassersteinBall)
    return wide and not with_nature and reaches_beyond(board.ambiguity)


def penalised(
    board: Board, o: Outcomes, multiplier: Enclosure, level: Enclosure, radius: Enclosure
) -> tuple[Enclosure, Enclosure]:
    """Return a lower bound on ``q.x + multiplier * distance(q, p)`` over the rows q of a set.

    For sets without a multiplier, a lower bound on ``q.x``; see `mdptheory.certificates`. The
    second result is ``p.x``.
    """
    nominal = (o.p * o.x).sums(o.ptr)
    lam, eta = multiplier, level[o.row]
    match board.ambiguity:
        case L1Ball():
            cap = (o.least + 2 * lam)[o.row]
            found = (o.p * o.x.minimum(cap)).sums(o.ptr)
        case WeightedL1Ball(weights=weights):
            price = lam[o.row] * board.load(weights[o.state])
            cap = (o.x + price).minima(o.ptr)[o.row]
            found = (o.p * o.x.minimum(cap + price)).sums(o.ptr)
        case WassersteinBall(cost=cost):
            found = _transport(o, lam, board.load(cost))
        case LinfBall() | IntervalSet() | CVaRSet():
            lower, upper = bounds(board, o)
            above = o.x - eta
            gains = lower * above.maximum(0) - upper * (-above).maximum(0)
            found = level + gains.sums(o.ptr)
        case ContaminationSet():
            part = radius
            found = (1 - part) * nominal + part * o.least
        case FiniteSet():
            values = [(row * o.x).sums(o.ptr) for row in listed_rows(board, o)]
            found = values[0]
            for value in values[1:]:
                found = found.minimum(value)
        case KLBall() | EVaRSet():
            found = _kl(o, lam)
        case BurgBall():
            found = _burg(o, lam, level)
        case ChiSquareBall():
            found = _chi_square(o, lam, level)
        case L2Ball():
            y = o.x - eta
            price = where(np.asarray(lam.lo > 0), lam, 1)[o.row]
            most = o.p / price
            huge = np.isposinf(most.hi) & np.isnan(most.lo)  # it overflows: more than 1e308
            most = where(huge, Enclosure(np.full(o.p.size, 1e308), most.hi), most)
            capped = where(np.asarray(lam.lo > 0)[o.row], y.minimum(most), y)
            length = (capped * capped).sums(o.ptr).root()
            found = level + (o.p * capped).sums(o.ptr) - radius * length
        case _:
            assert_never(board.ambiguity)
    centred = not isinstance(board.ambiguity, IntervalSet | FiniteSet)
    if centred and not found.exact:  # q = p shows that the nominal value is out of reach
        found = Enclosure(found.lo, np.fmin(found.hi, nominal.hi))
    return found, nominal


def _kl(o: Outcomes, multiplier: Enclosure) -> Enclosure:
    """Return ``-lam log E_p exp(-x / lam)``, by the logarithm that does better at each end.

    The worst outcome alone adds its probability to the mean, however small lam is.
    """
    none = np.asarray(multiplier.lo <= 0)
    lam = where(none, 1, multiplier)
    d = (o.x - o.least[o.row]).maximum(0)
    fall = -(d / lam[o.row])
    floor = where(d.lo <= 0, o.p, 1).minima(o.ptr)
    direct = (o.p * fall.exp()).sums(o.ptr).maximum(floor).log()
    near = (o.p * fall.expm1()).sums(o.ptr).log1p()
    return where(none, o.least, o.least - lam * direct.meet(near).minimum(0))


def _burg(o: Outcomes, multiplier: Enclosure, level: Enclosure) -> Enclosure:
    """Return ``eta + lam (1 + E_p log((x - eta) / lam))`` for an eta of at most the least worth.

    With ``nu = least - eta`` and ``d = x - least`` it equals ``eta + lam + lam (E_p log1p(d / nu) -
    log1p((lam - nu) / nu))``, which does not cancel when nu is large. The best nu is at least ``lam
    p(d = 0)``, because ``lam E_p 1 / (d + nu)`` is 1 there: a smaller one, which the rounding of
    the level may leave, is raised to that.
    """
    none = np.asarray(multiplier.lo <= 0)
    lam = where(none, 1, multiplier)
    d, there = (o.x - o.least[o.row]).maximum(0), o.there
    floor = lam * where(d.lo <= 0, o.p, 0).sums(o.ptr)
    raised = np.asarray((o.least - level).lo < floor.hi)
    nu = where(raised, floor, o.least - level)
    eta = where(raised, o.least - floor, level)
    logs = where(there, o.p * ((d + nu[o.row]) / lam[o.row]).log(), 0).sums(o.ptr)
    far = where(there, o.p * (d / nu[o.row]).log1p(), 0).sums(o.ptr)
    logs = logs.meet(far - ((lam - nu) / nu).log1p())
    return where(none, o.least, eta + lam + lam * logs)


def _chi_square(o: Outcomes, multiplier: Enclosure, level: Enclosure) -> Enclosure:
    """Return ``eta - lam - E_p (eta - x)_+^2 / (4 lam)``.

    With ``c = eta - 2 lam`` and ``y = min(x - c, 2 lam)`` it equals
    ``c + E_p (y - y^2 / (4 lam))``, which does not cancel when lam is large.
    """
    none = np.asarray(multiplier.lo <= 0)
    lam = where(none, 1, multiplier)
    base = level - 2 * lam
    y = (o.x - base[o.row]).minimum(2 * lam[o.row])
    bent = y - y * y / (4 * lam[o.row])
    return where(none, o.least, base + (o.p * bent).sums(o.ptr))


def _transport(o: Outcomes, lam: Enclosure, prices: Enclosure) -> Enclosure:
    """Return ``sum_i p_i min_j (x_j + lam C_ij)``; every row lists every state."""
    n = prices.lo.shape[1]
    worth = o.x.reshape(-1, n)
    sources = np.flatnonzero(o.there)
    step = max(1, BLOCK // n)
    parts = []
    for first in range(0, len(sources), step):
        some = sources[first : first + step]
        rows = o.row[some]
        parts.append((worth[rows] + lam[rows][:, None] * prices[o.state[some]]).least())
    ptr = np.searchsorted(o.row[sources], np.arange(len(o.rows) + 1))
    return (o.p[sources] * join(parts)).sums(ptr)
