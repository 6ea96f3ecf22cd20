"""Transport plans as evidence that nature's rows lie in a Wasserstein ball."""

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates._enclosure import where
from mdptheory.certificates._nature import LOOSE, Reply
from mdptheory.certificates._rows import Board, Outcomes, segments
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import TransportPlan


def transported(board: Board, o: Outcomes, cost: FloatArray) -> Reply:
    """Return cost and worth of the rows that a plan makes.

    The masses that leave a source are scaled to sum to its nominal probability; a source of
    rounding size that the plan leaves out stays. The rows must agree with ``worst_case``.
    """
    assert board.plan is not None
    assert o.q is not None
    row, source, target, mass = _moves(board.plan, o.rows)
    layout = o.row * board.n_states + o.state
    start, end = (_find(layout, row * board.n_states + state) for state in (source, target))
    _refuse(
        (start < 0) | ~o.there[start], board, o, row, source,
        "takes mass from state {}, which the nominal row does not reach",
    )  # fmt: skip
    _refuse(end < 0, board, o, row, target, "brings mass to state {}, which worst_case lacks")
    left = o.there.copy()
    left[start] = False
    stays = np.flatnonzero(left)
    p = o.p.middle()
    large = p[stays] > LOOSE
    _refuse(large, board, o, o.row[stays], o.state[stays], "says nothing of the mass of state {}")
    start = np.concatenate([start, stays])
    order = np.argsort(start, kind="stable")
    start = start[order]
    end = np.concatenate([end, stays])[order]
    masses = board.load(np.concatenate([mass, p[stays]])[order])
    sources, rank = np.unique(start, return_inverse=True)
    total = masses.sums(np.searchsorted(start, np.append(sources, len(layout))))
    off = np.abs(total.middle() - p[sources]) > LOOSE
    _refuse(
        off, board, o, o.row[sources], o.state[sources],
        "does not move the whole nominal mass of state {}",
    )  # fmt: skip
    moved = masses * (o.p[sources] / total)[rank]
    made = np.bincount(end, weights=moved.middle(), minlength=len(layout))
    differs = np.abs(made - o.q.middle()) > LOOSE
    _refuse(differs, board, o, o.row, o.state, "makes another row than worst_case at state {}")
    ptr = np.searchsorted(o.row[start], np.arange(len(o.rows) + 1))
    price = board.load(cost[o.state[start], o.state[end]])
    nominal = (o.p * o.x).sums(o.ptr)
    free = np.maximum.reduceat(cost[o.state[start], o.state[end]], ptr[:-1]) == 0
    spent = where(free, 0, (moved * price).sums(ptr))  # moves that cost nothing sum to exactly 0
    return Reply(spent, (moved * o.x[end]).sums(ptr), nominal)


def _moves(plan: TransportPlan, rows: IntArray) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Return the moves of some rows that carry mass, with the row counted in this block."""
    ptr, some = segments(np.asarray(plan.row_ptr), rows)
    row = np.repeat(np.arange(len(rows)), np.diff(ptr))
    mass = plan.mass[some]
    real = mass > 0
    some = some[real]
    return row[real], plan.source[some], plan.target[some], mass[real]


def _find(layout: IntArray, wanted: IntArray) -> IntArray:
    """Return where the wanted cells are in the sorted layout, -1 if they are not."""
    at = np.minimum(np.searchsorted(layout, wanted), len(layout) - 1)
    return np.where(layout[at] == wanted, at, -1)


def _refuse(
    bad: np.ndarray, board: Board, o: Outcomes, row: IntArray, state: IntArray, words: str
) -> None:
    if bad.any():
        k = int(np.argmax(bad))
        raise InvalidCertificateError(
            f"plan: in the row of {board.name(int(o.rows[row[k]]))} it"
            f" {words.format(int(state[k]))} ({int(bad.sum())} places)"
        )
