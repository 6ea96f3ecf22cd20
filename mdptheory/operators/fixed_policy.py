"""The game in which the policy is given and only nature chooses."""

from typing import Self

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.operators.backup import PolicyRows, PolicySet, unsigned
from mdptheory.operators.game import Game, Reply
from mdptheory.operators.state_backup import StateBackup


class FixedPolicy:
    """A game whose ``greedy`` applies one policy's robust operator.

    Parameters
    ----------
    base : Game
        The game between any policy and nature.
    policy : array of int of shape (n_states,), or array of shape (n_states, n_actions)
        Action ids, or the probability of each available action.
    """

    dense = False

    def __init__(self, base: Game, policy: IntArray | FloatArray) -> None:
        self.base, self.given = base, policy
        self.mdp, self.gamma, self.n_transitions = base.mdp, base.gamma, base.n_transitions
        mdp = base.mdp
        choice = mdp.choice_ptr[: mdp.n_states + 1].astype(np.int64)
        self.starts = choice[:-1]
        states = np.repeat(np.arange(mdp.n_states), np.diff(choice))
        actions = mdp.action[: int(choice[-1])]
        if policy.ndim == 2:
            self.weight = policy[states, actions]
        else:
            self.weight = (actions == policy[states]).astype(np.float64)
        self.q, self.crew = base.q, base.crew

    @property
    def work(self) -> float:
        """Full sweeps done so far."""
        return self.base.work

    @work.setter
    def work(self, sweeps: float) -> None:
        self.base.work = sweeps

    def __enter__(self) -> Self:
        """Start the threads, if the model is large enough for them."""
        self.crew.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the threads."""
        self.crew.stop()

    def greedy(self, v: FloatArray, out: FloatArray) -> tuple[float, float, float]:
        """Write the policy's ``L v``; return the extremes of the step and nature's slack."""
        if isinstance(self.base, StateBackup):
            slack = self.base.evaluate(self.given, v, out)
        else:
            *_, slack = self.base.greedy(v, out)
            self.q = self.base.q
            out[:] = np.add.reduceat(self.weight * self.q, self.starts)
        step = out - v
        return float(step.min()), float(step.max()), slack

    def policy(self) -> IntArray | FloatArray:
        """Return the given policy."""
        return self.given

    def hold(self, policy: IntArray | FloatArray | None = None) -> "FixedPolicy":
        """Return self: there is one policy."""
        return self

    def sweeps(
        self, v: FloatArray, *, goal: float, limit: int
    ) -> tuple[FloatArray, int, float, float]:
        """Apply the policy's operator until the span of the step is at most ``goal``."""
        low = high = 0.0
        count = 0
        while count < limit:
            after = np.empty_like(v)
            low, high, _ = self.greedy(v, after)
            v, count = after, count + 1
            if high - low <= goal:
                break
        return v, count, low, high

    def reply(self, v: FloatArray) -> Reply:
        """Return nature's worst row for every row at ``v``."""
        if isinstance(self.base, StateBackup):
            return self.base.reply_to(self.given, v)
        return self.base.reply(v)

    def frozen(self, v: FloatArray) -> PolicyRows:
        """Return the policy's rows with nature's reply at ``v`` held fixed."""
        from scipy import sparse

        reply, n = self.reply(v), self.mdp.n_states
        rows = len(self.weight)
        paid = reply.value - self.gamma * np.add.reduceat(
            reply.prob * v[reply.next_state], reply.row_ptr[:-1]
        )
        mix = sparse.csr_matrix(
            (self.weight, np.arange(rows), np.append(self.starts, rows)), shape=(n, rows)
        )
        kernel = mix @ sparse.csr_matrix(
            (reply.prob, reply.next_state, reply.row_ptr), shape=(rows, n)
        )
        kernel.sum_duplicates()
        part = PolicySet(
            first=0,
            ptr=unsigned(kernel.indptr.astype(np.int64)),
            next_state=unsigned(kernel.indices.astype(self.mdp.next_state.dtype)),
            prob=kernel.data,
            reward=mix @ paid,
        )
        for array in part[1:]:
            array.setflags(write=False)
        return PolicyRows(self, [part])
