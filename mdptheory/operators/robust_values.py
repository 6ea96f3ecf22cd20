"""What rows are worth against nature, sweep after sweep, whichever her set is."""

from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray, UIntArray
from mdptheory.kernels import robust_dense, robust_kl, robust_ordered, robust_reply, robust_sparse
from mdptheory.models.ambiguity import (
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    IntervalSet,
    KLBall,
    L1Ball,
    LinfBall,
)
from mdptheory.operators.game import Reply
from mdptheory.operators.robust_reply import (
    DIVERGENCE,
    LARGEST,
    POLYHEDRAL,
    pack,
    polyhedral,
    reply,
    smooth,
)
from mdptheory.operators.robust_rows import EMPTY, RobustRows, segments

ORDERED = L1Ball | ContaminationSet | IntervalSet | LinfBall | CVaRSet


class Prepared(NamedTuple):
    """A value with what all parts of a sweep share: its order, sorted and least entries."""

    v: FloatArray
    order: UIntArray
    ranked: FloatArray
    least: float


class RowValues:
    """Values of rows against nature, and what she keeps of each row between sweeps."""

    def __init__(self, rows: RobustRows, gamma: float) -> None:
        self.rows, self.gamma = rows, gamma
        self.kind = POLYHEDRAL.get(type(rows.ambiguity), -1)
        ordered = isinstance(rows.ambiguity, ORDERED)
        self.dense = ordered and rows.complete and not rows.paid.size
        self.sparse = ordered and not self.dense and not rows.lower.size
        self.paid = rows.paid
        self.mass, self.room, self.next_state = rows.prob, rows.upper, rows.next_state
        self.longest = robust_reply.longest_row(rows.row_ptr)
        smooth_kl = isinstance(rows.ambiguity, KLBall | EVaRSet)
        self.tau = np.zeros(rows.n_rows) if smooth_kl else EMPTY
        self.radius = np.minimum(rows.radius, LARGEST)
        self.radius.setflags(write=False)
        if self.dense and rows.lower.size:
            self.mass, self.room = rows.lower, rows.upper - rows.lower
            self.room.setflags(write=False)
        if self.sparse:  # the sweeps reorder these
            self.next_state, self.mass = np.array(rows.next_state), np.array(rows.prob)
            self.paid = np.array(rows.paid)

    def warm(self, other: "RowValues", used: IntArray) -> None:
        """Take over what was kept of the rows that these are a copy of."""
        if self.tau.size:
            self.tau[:] = other.tau[used]
        if self.sparse:
            some, _ = segments(other.rows.row_ptr, used)
            self.next_state, self.mass = other.next_state[some], other.mass[some]
            self.paid = other.paid[some] if other.paid.size else other.paid

    def prepare(self, v: FloatArray) -> Prepared:
        """Do once a sweep what its parts share."""
        order, ranked = NO_ORDER, EMPTY
        if self.dense:
            order = np.argsort(v, kind="stable").astype(np.uint32)
            ranked = v[order]
        return Prepared(v, order, ranked, float(v.min()) if self.rows.anywhere else np.inf)

    def sweep(self, first: int, last: int, at: Prepared, out: FloatArray) -> float:
        """Write the values of the rows from first to last; return how far off they may be."""
        rows = self.rows
        if self.dense:
            robust_dense.dense_sweep(
                self.kind, first, last, rows.row_ptr, self.mass, self.room, rows.reward,
                rows.radius, at.order, at.ranked, self.gamma, at.v, out,
            )  # fmt: skip
        elif self.sparse:
            robust_sparse.sparse_sweep(
                self.kind, first, last, self.longest, rows.row_ptr, self.next_state, self.mass,
                self.paid, rows.reward, rows.radius, at.least, self.gamma, at.v, out,
            )  # fmt: skip
        elif self.tau.size:
            return robust_kl.kl_sweep(
                first, last, self.longest, rows.row_ptr, rows.next_state, rows.prob, rows.paid,
                rows.reward, self.radius, self.gamma, at.v, self.tau, out,
            )  # fmt: skip
        elif rows.options is not None:
            some = rows.options
            robust_reply.best_option(
                first, last, some.row_ptr, some.ptr, some.next_state, some.prob, some.paid,
                rows.reward, self.gamma, at.v, out, np.empty(rows.n_rows, dtype=np.uint64),
            )  # fmt: skip
        else:
            return self._slow(first, last, at.v, out)
        return 0.0

    def reply(self, v: FloatArray, *, by_state: bool = True) -> Reply:
        """Return nature's worst row for each row; outcomes by worth is quicker where that is."""
        rows = self.rows
        if not (self.dense or self.sparse):
            return reply(rows, self.gamma, v)
        at = self.prepare(v)
        prob, extra = np.empty_like(rows.prob), np.zeros(rows.n_rows)
        value, multiplier, level = (np.empty(rows.n_rows) for _ in range(3))
        if self.dense:
            given = rows.lower if rows.lower.size else rows.prob
            robust_ordered.dense_reply(
                self.kind, rows.row_ptr, given, rows.upper, rows.reward, rows.radius, at.order,
                at.ranked, self.gamma, prob, value, multiplier, level,
            )  # fmt: skip
            return pack(rows, rows.next_state, prob, value, multiplier, level)
        next_state = np.empty_like(rows.next_state)
        robust_ordered.sparse_reply(
            self.kind, self.longest, rows.row_ptr, self.next_state, self.mass, self.paid,
            rows.reward, rows.radius, at.least, self.gamma, v, by_state, next_state, prob, value,
            multiplier, level, extra,
        )  # fmt: skip
        sink = int(np.argmin(v)) if rows.anywhere else -1
        return pack(rows, next_state, prob, value, multiplier, level, extra, sink)

    def _slow(self, first: int, last: int, v: FloatArray, out: FloatArray) -> float:
        """Take the values from nature's rows."""
        whole = last - first == self.rows.n_rows
        part = self.rows if whole else self.rows.take(np.arange(first, last))
        slack = 0.0
        if type(part.ambiguity) in DIVERGENCE:
            _, out[first:last], _, _, slack = smooth(part, self.gamma, v)
        elif type(part.ambiguity) in POLYHEDRAL:
            out[first:last] = polyhedral(part, self.gamma, v)[1]
        else:
            out[first:last] = reply(part, self.gamma, v).value
        return slack


NO_ORDER: UIntArray = np.empty(0, dtype=np.uint32)
