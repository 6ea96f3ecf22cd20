"""Sweeps of the robust Bellman operator when nature picks the factors of all rows at once."""

from typing import Self

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import InvalidModelError
from mdptheory.models import FactorSet, FiniteSet, IntervalSet, RowAmbiguity, TabularMDP
from mdptheory.operators.backup import PolicyRows, PolicySet, unsigned
from mdptheory.operators.crew import Crew
from mdptheory.operators.game import Reply
from mdptheory.operators.robust_backup import RobustBackup

MISFIT = 1e-9  # how far the nominal rows may be from the mixture of the nominal factors


class FactorBackup:
    """The game of an r-rectangular set: r inner problems a sweep serve every row.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model, whose rows are ``weights @ factors``; its rewards do not depend on the
        successor.
    ambiguity : FactorSet
        Mixing weights, nominal factors and where nature picks each factor from.
    stage : int
        Which stage's rows, for stage-dependent data.
    threads : int, optional
        Not used: the r inner problems are small.
    """

    dense = False

    def __init__(
        self,
        mdp: TabularMDP,
        ambiguity: FactorSet,
        *,
        stage: int = 0,
        threads: int | None = None,
    ) -> None:
        self.mdp, self.ambiguity, self.gamma = mdp, ambiguity, mdp.gamma
        first = mdp._first_block(stage)
        choice = np.asarray(mdp.choice_ptr[first : first + mdp.n_states + 1], dtype=np.int64)
        rows = slice(int(choice[0]), int(choice[-1]))
        self.starts = choice[:-1] - choice[0]
        self.states = np.repeat(np.arange(mdp.n_states), np.diff(choice))
        self.action = mdp.action[rows]
        self.reward = mdp.reward[rows]
        self.n_transitions = mdp.n_states * len(self.reward)
        self.weights = self._weights(rows)
        self.games = [
            RobustBackup(_factor_model(mdp, factor), _lifted(one), threads=1)
            for factor, one in zip(ambiguity.factors, ambiguity.each(), strict=True)
        ]
        self.work, self.crew = 0.0, Crew(0, 1)
        self.q = np.empty(len(self.reward))
        self.best = np.zeros(mdp.n_states, dtype=np.int64)

    def _weights(self, rows: slice) -> FloatArray:
        """Return the mixing weights of each row, or refuse a model that they do not make."""
        mdp, given = self.mdp, self.ambiguity.weights
        if mdp.transition_reward is not None:
            raise InvalidModelError(
                "mdp has rewards per transition; with a FactorSet nature picks all rows at once:"
                " expected rewards that do not depend on the successor"
            )
        shape = (mdp.n_states, mdp.n_actions, len(self.ambiguity.factors))
        if given.shape != shape or self.ambiguity.factors.shape[1] != mdp.n_states:
            raise InvalidModelError(f"weights has shape {given.shape}; expected {shape}")
        weights = given[self.states, self.action]
        empty = weights.sum(axis=1) == 0.0
        if empty.any():
            k = int(np.argmax(empty))
            raise InvalidModelError(
                f"weights[{self.states[k]}, {self.action[k]}] is zero for an available action;"
                " expected a distribution over factors"
            )
        ptr = mdp.row_ptr[rows.start : rows.stop + 1].astype(np.int64)
        nominal = np.zeros((len(self.reward), mdp.n_states))
        some = slice(int(ptr[0]), int(ptr[-1]))
        nominal[np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)), mdp.next_state[some]] = mdp.prob[
            some
        ]
        off = np.abs(weights @ self.ambiguity.factors - nominal).max(axis=1)
        if (off > MISFIT).any():
            k = int(np.argmax(off))
            raise InvalidModelError(
                f"row of state {mdp.state_label(int(self.states[k]))} and action"
                f" {mdp.action_label(int(self.action[k]))} differs from weights @ factors by"
                f" {off[k]:.3g}; expected at most {MISFIT:g}"
            )
        return weights

    def __enter__(self) -> Self:
        """Do nothing: one thread suffices."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def greedy(self, v: FloatArray, out: FloatArray) -> tuple[float, float, float]:
        """Write ``max_a r + gamma weights @ b`` with ``b_i`` the worst mean of factor i."""
        worth, slack = np.empty(len(self.games)), 0.0
        scratch = np.empty_like(v)
        for i, game in enumerate(self.games):
            *_, loose = game.greedy(v, scratch)
            worth[i], slack = game.q[0], max(slack, loose)
        self.q = self.reward + self.weights @ worth
        out[:] = np.maximum.reduceat(self.q, self.starts)
        for s, start in enumerate(self.starts):  # the first row that attains the maximum
            stop = self.starts[s + 1] if s + 1 < len(self.starts) else len(self.q)
            self.best[s] = start + int(np.argmax(self.q[start:stop]))
        self.work += 1.0
        step = out - v
        return float(step.min()), float(step.max()), slack

    def policy(self) -> IntArray:
        """Return the action ids of the last greedy sweep."""
        return self.action[self.best].astype(np.int64)

    def hold(self, policy: IntArray | FloatArray | None = None) -> "HeldFactors":
        """Return the rows of the last greedy sweep's, or another, policy."""
        if policy is None:
            return HeldFactors(self, self.best.copy())
        rows = self.mdp.policy_rows(policy) - int(self.mdp.choice_ptr[0])
        return HeldFactors(self, rows)

    def reply(self, v: FloatArray) -> Reply:
        """Return nature's factors at ``v``, and the rows that they make."""
        found = [game.reply(v) for game in self.games]
        factors = np.zeros((len(self.games), self.mdp.n_states))
        for i, one in enumerate(found):
            stop = int(one.row_ptr[1])
            factors[i, one.next_state[:stop]] = one.prob[:stop]
        prob = self.weights @ factors
        n_rows, n = prob.shape
        return Reply(
            row_ptr=np.arange(0, n_rows * n + 1, n),
            next_state=np.tile(np.arange(n), n_rows),
            prob=prob.ravel(),
            value=self.reward + self.gamma * (prob @ v),
            multiplier=np.array([one.multiplier[0] for one in found]),
            level=np.array([one.level[0] for one in found]),
            factors=factors,
        )


class HeldFactors:
    """One policy of a factor game."""

    def __init__(self, game: FactorBackup, rows: IntArray) -> None:
        self.game, self.rows = game, rows

    def sweeps(
        self, v: FloatArray, *, goal: float, limit: int
    ) -> tuple[FloatArray, int, float, float]:
        """Apply the policy's robust operator until the span of the step is at most ``goal``."""
        low = high = 0.0
        count = 0
        while count < limit:
            count += 1
            self.game.greedy(v, np.empty_like(v))
            after = self.game.q[self.rows]
            low, high = float((after - v).min()), float((after - v).max())
            v = after
            if high - low <= goal:
                break
        return v, count, low, high

    def frozen(self, v: FloatArray) -> PolicyRows:
        """Return the policy's rows with nature's factors at ``v`` held fixed."""
        n = self.game.mdp.n_states
        factors = self.game.reply(v).factors
        assert factors is not None  # reply of a factor game
        prob = self.game.weights[self.rows] @ factors
        columns = np.tile(np.arange(n, dtype=np.int32), n)
        part = PolicySet(
            first=0,
            ptr=unsigned(np.arange(0, n * n + 1, n)),
            next_state=unsigned(columns),
            prob=prob.ravel(),
            reward=self.game.reward[self.rows],
        )
        for array in part[1:]:
            array.setflags(write=False)
        return PolicyRows(self.game, [part])


def _factor_model(mdp: TabularMDP, factor: FloatArray) -> TabularMDP:
    """Return a model whose first row is the factor; the other states stay where they are."""
    n = mdp.n_states
    ones = np.arange(1, n)
    return TabularMDP(
        choice_ptr=np.arange(n + 1),
        action=np.zeros(n, dtype=np.int32),
        row_ptr=np.concatenate([[0], n + np.arange(n)]),
        next_state=np.concatenate([np.arange(n), ones]).astype(np.int32),
        prob=np.concatenate([factor, np.ones(n - 1)]),
        reward=np.zeros(n),
        objective=mdp.objective,
        n_states=n,
    )


def _lifted(one: RowAmbiguity) -> RowAmbiguity:
    """Return the set of one row as a set for `_factor_model`, whose other rows stay as they are."""
    if isinstance(one, FiniteSet):
        kernels = np.tile(np.eye(one.rows.shape[1]), (len(one.rows), 1, 1))
        kernels[:, 0] = one.rows
        return FiniteSet(kernels[:, :, None], coupled=False)
    if isinstance(one, IntervalSet):
        lower, upper = np.eye(len(one.lower)), np.eye(len(one.lower))
        lower[0], upper[0] = one.lower, one.upper
        return IntervalSet(lower[:, None], upper[:, None])
    return one
