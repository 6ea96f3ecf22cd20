"""What solvers return: the answer, how it was reached, and the evidence for it."""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import NotConvergedError
from mdptheory.models.objective import Objective


class Status(Enum):
    """How a solver ended; each member's value is the sentence shown to the user."""

    CONVERGED = "The certified error bound is within the tolerance."
    MAX_ITER = "The iteration limit was reached before the tolerance; the error bound still holds."
    ROUNDING = (
        "The tolerance is finer than float64 can certify for this model; the error bound is the"
        " one that holds."
    )
    UNCERTIFIED = (
        "The iteration settled but no bound could be proved: some policy never reaches absorption."
    )


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The certified gap as the work proceeds, one entry an outer iteration.

    Attributes
    ----------
    work : array of shape (k,)
        Transitions read so far, in full sweeps of the model (1 = each transition once).
    gap : array of shape (k,)
        Certified sup-norm error of the value at that moment.
    seconds : array of shape (k,)
        Wall-clock seconds since the start; the one field that differs between equal runs.
    """

    work: FloatArray
    gap: FloatArray
    seconds: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Convergence:
    """Evidence about how a solver ended.

    Attributes
    ----------
    status : Status
        How it ended, as a sentence.
    iterations : int
        Outer iterations (greedy steps).
    residual : float
        Sup norm of ``T v - v`` at the last full application of the Bellman operator.
    error_bound : float
        Certified bound on ``max |v - v*|``; ``inf`` when theory gives none.
    work : float
        Transitions read, in full sweeps of the model.
    trace : Trace
        Certified gap against work and time.
    """

    status: Status
    iterations: int
    residual: float
    error_bound: float
    work: float
    trace: Trace


@dataclass(frozen=True, slots=True, eq=False)
class BoundsCertificate:
    """A claim about one MDP that `mdptheory.certificates.check` verifies without any solver.

    ``lower <= v_policy <= v* <= upper`` follows from ``lower <= T_policy lower`` and
    ``upper >= T upper``, because both operators are monotone contractions.

    Attributes
    ----------
    objective : Discounted, FiniteHorizon or TotalReward
        The objective the claim is about.
    lower, upper : array of shape (n_states,), or (horizon + 1, n_states) for a finite horizon
        Bounds on the optimal value.
    policy : array of int of shape (n_states,), or (horizon, n_states)
        Action ids; the policy's own value is at least ``lower``.
    absorption : array of shape (n_states,), optional
        Only for `TotalReward`: a function with ``absorption >= 1 + P_policy absorption`` outside
        the absorbing states, which proves that the policy reaches them.
    """

    objective: Objective
    lower: FloatArray
    upper: FloatArray
    policy: IntArray
    absorption: FloatArray | None = None

    @property
    def gap(self) -> float:
        """Largest ``upper - lower`` over states."""
        return float(np.max(self.upper - self.lower))


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """An optimal value, a policy, and the proof of both.

    Attributes
    ----------
    v : array of shape (n_states,), or (horizon + 1, n_states) for a finite horizon
        Optimal value within ``convergence.error_bound``.
    q : array of shape (n_states, n_actions), or (horizon, n_states, n_actions)
        One Bellman step on ``v``; ``-inf`` where an action is not available.
    policy : array of int of shape (n_states,), or (horizon, n_states)
        Action ids, greedy for ``q``, ties to the lowest id.
    convergence : Convergence
        How the solver ended.
    certificate : BoundsCertificate
        What `mdptheory.certificates.check` verifies.
    state_names, action_names : tuple of str, optional
        The model's names, kept for reading results.
    """

    v: FloatArray
    q: FloatArray
    policy: IntArray
    convergence: Convergence
    certificate: BoundsCertificate
    state_names: tuple[str, ...] | None = field(default=None)
    action_names: tuple[str, ...] | None = field(default=None)

    def require_converged(self) -> "Solution":
        """Return self, or raise `NotConvergedError` unless the tolerance was reached."""
        if self.convergence.status is not Status.CONVERGED:
            raise NotConvergedError(
                f"{self.convergence.status.value} (error bound {self.convergence.error_bound:.3g}"
                f" after {self.convergence.iterations} iterations)"
            )
        return self
