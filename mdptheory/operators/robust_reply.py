"""Nature's worst rows at a value, as a model's rows."""

from typing import assert_never

import numpy as np

from mdptheory._typing import FloatArray, IntArray, UIntArray
from mdptheory.kernels import robust_reply as kernels
from mdptheory.models import TransportPlan
from mdptheory.models.ambiguity import (
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
from mdptheory.operators.game import Reply
from mdptheory.operators.robust_rows import EMPTY, RobustRows, segments

LARGEST = 1e300  # what an infinite radius is to the kernels, where 0 inf would be no number

POLYHEDRAL = {
    L1Ball: kernels.L1,
    ContaminationSet: kernels.CONTAMINATION,
    WeightedL1Ball: kernels.WEIGHTED_L1,
    IntervalSet: kernels.INTERVAL,
    LinfBall: kernels.LINF,
    CVaRSet: kernels.CVAR,
}
DIVERGENCE = {
    KLBall: kernels.KL,
    EVaRSet: kernels.KL,
    BurgBall: kernels.BURG,
    ChiSquareBall: kernels.CHI_SQUARE,
    L2Ball: kernels.L2,
}


def reply(rows: RobustRows, gamma: float, v: FloatArray) -> Reply:
    """Return nature's worst row for each of ``rows`` at ``v``."""
    match rows.ambiguity:
        case FiniteSet():
            return _of_options(rows, gamma, v)
        case WassersteinBall(cost=cost):
            return _transported(rows, gamma, v, cost)
        case KLBall() | EVaRSet() | BurgBall() | ChiSquareBall() | L2Ball():
            prob, value, multiplier, level, _ = smooth(rows, gamma, v)
            return pack(rows, rows.next_state, prob, value, multiplier, level)
        case (
            L1Ball() | ContaminationSet() | WeightedL1Ball() | IntervalSet() | LinfBall()
            | CVaRSet()
        ):  # fmt: skip
            return _polyhedral(rows, gamma, v)
        case _:
            assert_never(rows.ambiguity)


def _polyhedral(rows: RobustRows, gamma: float, v: FloatArray) -> Reply:
    prob, value, multiplier, level, extra, sink = polyhedral(rows, gamma, v)
    return pack(rows, rows.next_state, prob, value, multiplier, level, extra, sink)


def polyhedral(
    rows: RobustRows, gamma: float, v: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, int]:
    """Return probabilities, values, dual variables and what goes to a state beyond the rows."""
    prob, extra = np.empty_like(rows.prob), np.empty(rows.n_rows)
    value, multiplier, level = (np.empty(rows.n_rows) for _ in range(3))
    weights = getattr(rows.ambiguity, "weights", EMPTY)
    sink = int(np.argmin(v)) if rows.anywhere else -1
    kernels.polyhedral_reply(
        POLYHEDRAL[type(rows.ambiguity)], rows.row_ptr, rows.next_state, rows.prob,
        rows.lower, rows.upper, rows.paid, np.minimum(rows.radius, LARGEST), weights, sink,
        gamma, v, prob, extra, value, multiplier, level,
    )  # fmt: skip
    return prob, rows.reward + value, multiplier, level, extra, sink


def smooth(
    rows: RobustRows, gamma: float, v: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, float]:
    """Return probabilities, values, dual variables and the largest gap of a smooth ball."""
    prob = np.empty_like(rows.prob)
    value, multiplier, level = (np.empty(rows.n_rows) for _ in range(3))
    slack = kernels.divergence_reply(
        DIVERGENCE[type(rows.ambiguity)], rows.row_ptr, rows.next_state, rows.prob,
        rows.paid, np.minimum(rows.radius, LARGEST), gamma, v, prob, value, multiplier, level,
    )  # fmt: skip
    return prob, rows.reward + value, multiplier, level, slack


def _transported(rows: RobustRows, gamma: float, v: FloatArray, cost: FloatArray) -> Reply:
    count = rows.n_rows
    prob, target = np.empty_like(rows.prob), np.empty(len(rows.prob), dtype=np.int64)
    value, multiplier, part = (np.empty(count) for _ in range(3))
    split = np.empty((count, 2), dtype=np.int64)
    kernels.transport_reply(
        rows.row_ptr, rows.next_state, rows.prob, rows.paid, np.minimum(rows.radius, LARGEST),
        cost, gamma, v, prob, value, multiplier, target, split, part,
    )  # fmt: skip
    n = len(v)
    row = np.repeat(np.arange(count), n)
    source, mass = np.tile(np.arange(n), count), np.array(rows.prob)
    further = np.flatnonzero(part > 0.0)
    mass[further * n + split[further, 0]] -= part[further]
    order = np.argsort(np.concatenate([row, further]), kind="stable")
    row, source, target, mass = (
        np.concatenate([a, b])[order]
        for a, b in (
            (row, further), (source, split[further, 0]),
            (target, split[further, 1]), (mass, part[further]),
        )
    )  # fmt: skip
    kept = mass > 0.0
    moves = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=count))])
    plan = TransportPlan(moves, source[kept], target[kept], mass[kept])
    out = pack(rows, rows.next_state, prob, rows.reward + value, multiplier, np.zeros(count))
    return out._replace(plan=plan)


def _of_options(rows: RobustRows, gamma: float, v: FloatArray) -> Reply:
    options = rows.options
    assert options is not None
    value, chosen = np.empty(rows.n_rows), np.empty(rows.n_rows, dtype=np.uint64)
    kernels.best_option(
        0, rows.n_rows, options.row_ptr, options.ptr, options.next_state, options.prob,
        options.paid, rows.reward, gamma, v, value, chosen,
    )  # fmt: skip
    some, ptr = segments(options.ptr, chosen.astype(np.int64))
    zeros = np.zeros(rows.n_rows)
    return Reply(
        ptr.astype(np.int64), options.next_state[some].astype(np.int64), options.prob[some],
        value, zeros, zeros,
    )  # fmt: skip


def pack(
    rows: RobustRows,
    next_state: UIntArray,
    prob: FloatArray,
    value: FloatArray,
    multiplier: FloatArray,
    level: FloatArray,
    extra: FloatArray | None = None,
    sink: int = -1,
) -> Reply:
    """Assemble a reply; add the sink where a row does not list it."""
    ptr: IntArray = rows.row_ptr.view(np.int64)
    outcomes: IntArray = next_state.view(np.int32 if next_state.itemsize == 4 else np.int64)
    if extra is not None and sink >= 0 and (extra > 0.0).any():
        more = np.flatnonzero(extra > 0.0)
        row = np.repeat(np.arange(rows.n_rows), np.diff(ptr))
        below = np.bincount(row[outcomes < sink], minlength=rows.n_rows)
        where = ptr[more] + below[more]
        outcomes, prob = np.insert(outcomes, where, sink), np.insert(prob, where, extra[more])
        ptr = ptr + np.concatenate([[0], np.cumsum(extra > 0.0)])
    return Reply(ptr, outcomes, prob, value, multiplier, level)
