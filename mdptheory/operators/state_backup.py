"""Sweeps of the robust Bellman operator when the rows of a state share nature's budget."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import as_array, as_float_array, check_shape, check_simplex
from mdptheory.errors import InvalidModelError
from mdptheory.kernels import divergence, polyhedral
from mdptheory.kernels import srect_state as kinds
from mdptheory.kernels.srect_l1 import l1_greedy
from mdptheory.kernels.srect_l1_policy import l1_evaluate
from mdptheory.kernels.srect_level import greedy_sweep
from mdptheory.kernels.srect_price import evaluate_sweep
from mdptheory.models import TabularMDP
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    KLBall,
    L1Ball,
    RowAmbiguity,
    WeightedL1Ball,
    is_s_rectangular,
)
from mdptheory.operators.backup import (
    PolicyRows,
    PolicySet,
    unsigned,
)
from mdptheory.operators.crew import Crew
from mdptheory.operators.game import Reply
from mdptheory.operators.nature import nature_rows

LARGEST = 1e300  # what an infinite budget is to the kernels, where 0 inf would be no number


class Family(NamedTuple):
    """The kernels of one kind of set, and the arrays that only it takes.

    ``greedy`` finds policy and nature's shares of the budget, ``evaluate`` the shares against a
    given policy; ``row`` finds nature's row for its share.
    """

    greedy: Callable[..., tuple[float, float]]
    evaluate: Callable[..., tuple[float, float]]
    row: Callable[..., tuple[float, ...]]
    extra: tuple[FloatArray, ...] = ()


class Play(NamedTuple):
    """What one kind of sweep writes: nature's reply in dual variables and shares of the budget."""

    lam: FloatArray  # price of the budget, one a state
    level: FloatArray  # of each row
    share: FloatArray  # of the budget, of each row
    guess: FloatArray  # where the next sweep starts to look, one a row


class StateBackup:
    """The game of an s-rectangular set: the rows of each state share one budget.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model.
    ambiguity : L1Ball, WeightedL1Ball, KLBall, BurgBall or ChiSquareBall
        With ``rectangularity="s"``: where nature picks her rows from.
    stage : int
        Which stage's rows, for stage-dependent data.
    threads : int, optional
        Threads to share a sweep over a large model; all that Numba may use if absent.

    Raises
    ------
    InvalidModelError
        If the set does not fit the model or is not s-rectangular.
    """

    dense = False

    def __init__(
        self,
        mdp: TabularMDP,
        ambiguity: RowAmbiguity,
        *,
        stage: int = 0,
        threads: int | None = None,
    ) -> None:
        if not is_s_rectangular(ambiguity):
            raise InvalidModelError(
                f"ambiguity is a {type(ambiguity).__name__} whose rows nature picks one by one;"
                " expected rectangularity='s'"
            )
        self.mdp, self.ambiguity, self.gamma, self.stage = mdp, ambiguity, mdp.gamma, stage
        self.rows = nature_rows(mdp, ambiguity, stage=stage)
        self.choice = self.rows.choice_ptr.astype(np.int64)
        self.states = np.repeat(np.arange(mdp.n_states), np.diff(self.choice))
        first = int(mdp.choice_ptr[mdp._first_block(stage)])
        self.action = mdp.action[first : first + len(self.states)].astype(np.int64)
        self.budget = np.minimum(self.rows.radius, LARGEST)
        self.family = _family(ambiguity)
        self.n_rows, self.n_transitions = len(self.states), len(self.rows.prob)
        self.crew = Crew(self.n_transitions, threads)
        self.threads = self.crew.threads
        self.slices = self._cuts()
        self._scratch = self._workspace()
        self.work = 0.0
        self.q = np.empty(self.n_rows)
        self.weight = np.zeros(self.n_rows)  # the policy's probability of each row
        self._greedy, self._fixed = self._play(), self._play()

    def _play(self) -> Play:
        n = self.n_rows
        return Play(np.zeros(self.mdp.n_states), np.zeros(n), np.zeros(n), np.zeros(n))

    def _cuts(self) -> list[tuple[int, int]]:
        """Split the states into one range a thread, with about equally many outcomes each."""
        ends = self.rows.row_ptr[self.rows.choice_ptr].astype(np.int64)
        edges = np.searchsorted(ends, np.linspace(0, ends[-1], self.threads + 1)).tolist()
        edges[0], edges[-1] = 0, self.mdp.n_states
        return [(a, b) for a, b in itertools.pairwise(edges) if a < b]

    def _workspace(self) -> list[tuple[FloatArray, FloatArray]]:
        """Allocate each slice's scratch: a few numbers an outcome and a row of its states."""
        ends = self.rows.row_ptr[self.rows.choice_ptr].astype(np.int64)
        outcomes, counts = np.diff(ends), np.diff(self.choice)
        return [
            (np.empty((4, outcomes[a:b].max())), np.empty((12, counts[a:b].max())))
            for a, b in self.slices
        ]

    def __enter__(self) -> Self:
        """Start the threads, if the model is large enough for them."""
        self.crew.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the threads."""
        self.crew.stop()

    def _sweep(
        self, kernel: Callable[..., tuple[float, float]], v: FloatArray, *written: FloatArray
    ) -> tuple[float, float]:
        """Call a kernel once a slice; return the extremes of the step."""
        rows = self.rows

        def part(i: int) -> tuple[float, float]:
            first, last = self.slices[i]
            return kernel(
                first, rows.choice_ptr[first : last + 1], rows.row_ptr, rows.next_state, rows.prob,
                rows.reward, rows.paid, *self.family.extra, self.budget, self.gamma, v, *written,
                *self._scratch[i],
            )  # fmt: skip

        found = self.crew.each(part, range(len(self.slices)))
        return float(min(low for low, _ in found)), float(max(high for _, high in found))

    def _minimax(
        self, v: FloatArray, weight: FloatArray, q: FloatArray, out: FloatArray
    ) -> tuple[float, float]:
        play = self._greedy
        return self._sweep(self.family.greedy, v, weight, play.lam, play.share, play.guess, q, out)

    def _against(
        self, v: FloatArray, weight: FloatArray, play: Play, out: FloatArray
    ) -> tuple[float, float]:
        return self._sweep(
            self.family.evaluate, v, weight, play.lam, play.level, play.share, play.guess, out
        )

    def greedy(self, v: FloatArray, out: FloatArray) -> tuple[float, float, float]:
        """Write ``max_pi min_q`` into ``out``; remember policy and row values.

        Returns the extremes of ``out - v``, and 0: the operator is exact up to rounding.
        """
        self.work += 1.0
        low, high = self._minimax(v, self.weight, self.q, out)
        return low, high, 0.0

    def policy(self) -> FloatArray:
        """Return the probabilities of the last greedy sweep, shape (n_states, n_actions)."""
        pi = np.zeros((self.mdp.n_states, self.mdp.n_actions))
        pi[self.states, self.action] = self.weight
        return pi

    def weights(self, policy: npt.ArrayLike) -> FloatArray:
        """Return a policy's probability of each row, or refuse what is no policy.

        Parameters
        ----------
        policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
            Action ids, or the probability of each action.

        Returns
        -------
        array of shape (n_rows,)
            The probabilities of the stage's rows.
        """
        given = as_array("policy", policy)
        if given.ndim != 2:
            weight = np.zeros(self.n_rows)
            start = int(self.mdp.choice_ptr[self.mdp._first_block(self.stage)])
            weight[self.mdp.policy_rows(given, self.stage) - start] = 1.0
            return weight
        pi = as_float_array("policy", given)
        check_shape("policy", pi, (self.mdp.n_states, self.mdp.n_actions))
        check_simplex("policy", pi)
        stray = pi > 0.0
        stray[self.states, self.action] = False
        if stray.any():
            s, a = (int(i) for i in np.argwhere(stray)[0])
            raise InvalidModelError(
                f"policy[{s}, {a}] is {pi[s, a]}: action {self.mdp.action_label(a)} is not"
                f" available in state {self.mdp.state_label(s)}"
            )
        return pi[self.states, self.action]

    def hold(self, policy: npt.ArrayLike | None = None) -> "HeldStates":
        """Return the rows of the last greedy sweep's, or another, policy."""
        weight = self.weight.copy() if policy is None else self.weights(policy)
        return HeldStates(self, weight)

    def evaluate(self, policy: npt.ArrayLike, v: FloatArray, out: FloatArray) -> float:
        """Write one policy's robust ``L_pi v``; return nature's slack, which is 0."""
        self.work += 1.0
        self._against(v, self.weights(policy), self._fixed, out)
        return 0.0

    def reply(self, v: FloatArray) -> Reply:
        """Return nature's rows of the minimax problem at ``v``.

        The dual variables are those of the remembered policy.
        """
        weight, out = np.empty(self.n_rows), np.empty_like(v)
        self._minimax(v, weight, np.empty(self.n_rows), out)
        share = self._greedy.share.copy()
        fixed = self._play()
        self._against(v, self.weight, fixed, out)
        return self._reply(v, share, fixed)

    def reply_to(self, policy: npt.ArrayLike, v: FloatArray) -> Reply:
        """Return nature's rows against one policy at ``v``, with the dual variables.

        Rows that the policy does not use keep their nominal probabilities.
        """
        fixed = self._play()
        self._against(v, self.weights(policy), fixed, np.empty_like(v))
        return self._reply(v, fixed.share, fixed)

    def _reply(self, v: FloatArray, share: FloatArray, play: Play) -> Reply:
        prob, value = self.nature(v, share)
        return Reply(
            row_ptr=self.rows.row_ptr.astype(np.int64),
            next_state=self.rows.next_state.astype(np.int64),
            prob=prob,
            value=value,
            multiplier=play.lam[self.states],
            level=play.level,
        )

    def nature(self, v: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return nature's probabilities for these shares of the budget, and the rows' values."""
        rows = self.rows
        z = self.gamma * v[rows.next_state]
        if rows.paid.size:
            z += rows.paid
        prob, value = np.empty(len(z)), np.empty(self.n_rows)
        edges = rows.row_ptr.astype(np.int64).tolist()
        weights = getattr(self.ambiguity, "weights", np.empty(0))
        for k, (a, b) in enumerate(itertools.pairwise(edges)):
            more = (weights[rows.next_state[a:b]],) if weights.size else ()
            value[k] = self.family.row(rows.prob[a:b], z[a:b], *more, float(share[k]), prob[a:b])[0]
        return prob, value + rows.reward


class HeldStates:
    """One policy of an s-rectangular game, against which nature still plays."""

    def __init__(self, game: StateBackup, weight: FloatArray) -> None:
        self.game, self.weight = game, weight
        self.play = game._play()
        length = np.diff(game.rows.row_ptr.astype(np.int64))
        self.share = float(length[weight > 0.0].sum()) / game.n_transitions

    def sweeps(
        self, v: FloatArray, *, goal: float, limit: int
    ) -> tuple[FloatArray, int, float, float]:
        """Apply the policy's robust operator until the span of the step is at most ``goal``.

        Returns the value (``v`` is overwritten), the number of sweeps and the last extremes.
        """
        other, low, high, count = np.empty_like(v), 0.0, 0.0, 0
        play = self.play._replace(share=np.empty(0))  # not wanted before the last sweep
        while count < limit:
            low, high = self.game._against(v, self.weight, play, other)
            v, other = other, v
            count += 1
            if high - low <= goal:
                break
        self.game.work += count * self.share
        return v, count, low, high

    def frozen(self, v: FloatArray) -> PolicyRows:
        """Return one compact row a state: nature's reply at ``v`` mixed by the policy."""
        from scipy import sparse

        game, n = self.game, self.game.mdp.n_states
        rows = game.rows
        game._against(v, self.weight, self.play, np.empty_like(v))
        game.work += self.share
        prob, _ = game.nature(v, self.play.share)
        ptr = rows.row_ptr.astype(np.int64)
        pays = rows.reward.copy()
        if rows.paid.size:
            pays += np.add.reduceat(prob * rows.paid, ptr[:-1])
        mix = sparse.csr_matrix(
            (self.weight, np.arange(game.n_rows), game.choice), shape=(n, game.n_rows)
        )
        kernel = sparse.csr_matrix(
            (prob, rows.next_state.astype(np.int64), ptr), shape=(game.n_rows, n)
        )
        mixed: Any = mix @ kernel
        mixed.eliminate_zeros()
        mixed.sort_indices()
        part = PolicySet(
            first=0,
            ptr=unsigned(mixed.indptr.astype(np.int64)),
            next_state=mixed.indices.astype(rows.next_state.dtype),
            prob=mixed.data,
            reward=mix @ pays,
        )
        for array in part[1:]:
            array.setflags(write=False)
        return PolicyRows(game, [part])


def _family(ambiguity: RowAmbiguity) -> Family:
    """Return the kernels of a kind of set."""
    none = np.empty(0)
    match ambiguity:
        case L1Ball():
            return Family(l1_greedy, l1_evaluate, polyhedral.l1_row)
        case WeightedL1Ball(weights=weights):
            return _smooth(kinds.WEIGHTED_L1, polyhedral.weighted_l1_row, weights)
        case KLBall():
            return _smooth(kinds.KL, divergence.kl_row, none)
        case BurgBall():
            return _smooth(kinds.BURG, divergence.burg_row, none)
        case ChiSquareBall():
            return _smooth(kinds.CHI_SQUARE, divergence.chi_square_row, none)
        case _:
            raise NotImplementedError(f"{type(ambiguity).__name__} has no s-rectangular algorithm")


def _smooth(kind: int, row: Callable[..., tuple[float, ...]], weights: FloatArray) -> Family:
    """Return the kernels of a budget of divergences."""
    return Family(partial(greedy_sweep, kind), partial(evaluate_sweep, kind), row, (weights,))
