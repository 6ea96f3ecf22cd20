"""Nature as a player: the kernels she may choose, and her best reply to a value."""

from typing import Protocol

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.algorithms._rows import TIE, Kernel, Rows, join, normalised, take, values
from mdptheory.errors import InvalidModelError
from mdptheory.models import AmbiguitySet, FactorSet, FiniteSet, TabularMDP
from mdptheory.models.ambiguity import RowAmbiguity, is_s_rectangular
from mdptheory.models.rows import row_sums
from mdptheory.operators.nature import NatureRows, nature_rows
from mdptheory.operators.robust_backup import RobustBackup


class Nature(Protocol):
    """Whoever picks a row for every state-action pair, each by itself."""

    gamma: float
    sweeps: int

    def reply(self, v: FloatArray) -> tuple[FloatArray, Kernel]:
        """Return the least value of every row one step ahead of ``v``, and the rows."""
        ...

    def splice(self, base: Kernel, other: Kernel, mask: BoolArray) -> Kernel:
        """Return ``base`` with the masked rows of ``other``."""
        ...

    def excess(self, v: FloatArray) -> float:
        """Return by how much the reply's values may lie above the true minimum."""
        ...


class FiniteNature:
    """Nature with finitely many kernels, an index a pair; ties to the lowest index."""

    def __init__(self, gamma: float, stack: Rows, count: int) -> None:
        self.gamma, self.stack, self.count = gamma, stack, count
        self.n_rows = len(stack.reward) // count
        self.sweeps = 0  # in sweeps of one kernel

    def kernel(self, choice: IntArray) -> Kernel:
        """Return the kernel that takes row ``k`` from the family's member ``choice[k]``."""
        return Kernel(take(self.stack, choice * self.n_rows + np.arange(self.n_rows)), choice)

    def reply(self, v: FloatArray) -> tuple[FloatArray, Kernel]:
        """Return the least value of every row one step ahead of ``v``, and the rows."""
        self.sweeps += self.count
        all_values = values(self.stack, self.gamma, v).reshape(self.count, -1)
        low = all_values.min(axis=0)
        choice = np.argmax(all_values <= low + TIE * (1.0 + np.abs(low)), axis=0)
        return low, self.kernel(choice)

    def splice(self, base: Kernel, other: Kernel, mask: BoolArray) -> Kernel:
        """Return ``base`` with the masked rows of ``other``."""
        assert base.choice is not None
        assert other.choice is not None
        return self.kernel(np.where(mask, other.choice, base.choice))

    def excess(self, v: FloatArray) -> float:
        """Return 0: the minimum over a list is exact up to rounding."""
        return 0.0


class BallNature:
    """Nature with any other set of rows, each row by itself."""

    def __init__(self, mdp: TabularMDP, ambiguity: RowAmbiguity) -> None:
        self.gamma, self.mdp = mdp.gamma, mdp
        self.backup = RobustBackup(mdp, ambiguity, threads=1)
        self.rows = nature_rows(mdp, ambiguity)
        self.sweeps = 0

    def reply(self, v: FloatArray) -> tuple[FloatArray, Kernel]:
        """Return the least value of every row one step ahead of ``v``, and the rows."""
        self.sweeps += 1
        found = self.backup.reply(v)
        ptr, successor = found.row_ptr.astype(np.int64), found.next_state.astype(np.int64)
        return found.value, Kernel(_paid(self.rows, ptr, successor, found.prob), None)

    def splice(self, base: Kernel, other: Kernel, mask: BoolArray) -> Kernel:
        """Return ``base`` with the masked rows of ``other``."""
        own = np.arange(len(mask))
        return Kernel(take(join([base.rows, other.rows]), own + np.where(mask, len(mask), 0)), None)

    def excess(self, v: FloatArray) -> float:
        """Return by how much the reply's values may lie above the true minimum."""
        return float(self.backup.greedy(v, np.empty_like(v))[2])


def _paid(rows: NatureRows, ptr: IntArray, next_state: IntArray, prob: FloatArray) -> Rows:
    """Look up what each outcome pays."""
    if not rows.paid.size:
        return Rows(ptr, next_state, prob, rows.paid, rows.reward)
    n = len(rows.choice_ptr) - 1
    known, wanted = (
        np.repeat(np.arange(len(edges) - 1), np.diff(edges)) * n + columns.astype(np.int64)
        for edges, columns in ((rows.row_ptr.astype(np.int64), rows.next_state), (ptr, next_state))
    )
    paid = rows.paid[np.searchsorted(known, wanted)]
    return Rows(ptr, next_state, prob, paid, row_sums(prob * paid, ptr))


def family(mdp: TabularMDP, ambiguity: FiniteSet) -> FiniteNature:
    """Return nature with the kernels of a `FiniteSet`, or refuse kernels that do not fit."""
    n, given = mdp.n_states, ambiguity.rows
    if given.ndim == 2:  # the same choices of a row for every pair
        given = np.broadcast_to(
            given[:, None, None, :], (len(given), n, mdp.n_actions, given.shape[1])
        )
    expected = (len(given), n, mdp.n_actions, n)
    if given.shape != expected:
        raise InvalidModelError(
            f"rows of the FiniteSet has shape {ambiguity.rows.shape}; expected {expected}"
        )
    states = mdp.row_state()
    table = given[:, states, mdp.action]  # (K, n_rows, n)
    empty = (table == 0.0).all(axis=2)
    if empty.any():
        k, row = (int(i) for i in np.argwhere(empty)[0])
        raise InvalidModelError(
            f"rows[{k}, {states[row]}, {mdp.action[row]}] is zero; expected a distribution, as the"
            f" action is available ({int(empty.sum())} of {empty.size} rows are zero)"
        )
    rows = nature_rows(mdp, ambiguity)
    flat = table.reshape(-1, n)
    where, next_state = np.nonzero(flat)
    ptr = np.searchsorted(where, np.arange(len(flat) + 1))
    prob = normalised(ptr, flat[where, next_state])
    if not rows.paid.size:
        stack = Rows(ptr, next_state, prob, rows.paid, np.tile(rows.reward, len(given)))
    else:
        paid = rows.paid.reshape(-1, n)[where % mdp.n_rows, next_state]
        stack = Rows(ptr, next_state, prob, paid, row_sums(prob * paid, ptr))
    return FiniteNature(mdp.gamma, stack, len(given))


def opponent(mdp: TabularMDP, ambiguity: AmbiguitySet) -> FiniteNature | BallNature:
    """Return nature for a set, or refuse one whose rows depend on each other."""
    if isinstance(ambiguity, FiniteSet):
        return family(mdp, ambiguity)
    if isinstance(ambiguity, FactorSet) or is_s_rectangular(ambiguity):
        raise NotImplementedError(
            f"{type(ambiguity).__name__} ties the rows of several pairs together; iwocs takes sets"
            " with rectangularity='sa', and any FiniteSet"
        )
    return BallNature(mdp, ambiguity)
