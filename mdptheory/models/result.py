"""What solvers return: the answer, how it was reached, and the evidence for it."""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import NotConvergedError
from mdptheory.models.ambiguity import AmbiguitySet
from mdptheory.models.objective import Objective
from mdptheory.models.tabular import TabularMDP


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
class TransportPlan:
    """How nature moves the nominal mass of each row, in CSR form.

    Attributes
    ----------
    row_ptr : array of int of shape (n_rows + 1,)
        Moves of row ``k`` are ``row_ptr[k]:row_ptr[k + 1]``.
    source, target : array of int of shape (n_moves,)
        Successor states the mass is taken from and brought to; equal where it stays.
    mass : array of shape (n_moves,)
        Probability moved. The masses of one source sum to its nominal probability.
    """

    row_ptr: IntArray
    source: IntArray
    target: IntArray
    mass: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SaddleCertificate:
    """A claim about one robust MDP that `mdptheory.certificates.check` verifies without any solver.

    The policy and nature's model certify each other. ``upper >= T upper``, with T the ordinary
    Bellman operator of ``worst_case``, whose rows lie in the ambiguity set, proves that no policy
    earns more than ``upper`` against nature. The multipliers prove, by weak duality, that no row of
    the set brings the policy below ``lower`` in one step, which proves that the policy earns at
    least ``lower``::

        lower <= robust value of policy <= robust optimal value <= upper

    Attributes
    ----------
    objective : Discounted or FiniteHorizon
        The objective the claim is about.
    ambiguity : AmbiguitySet
        Where nature picks her rows.
    lower, upper : array of shape (n_states,), or (horizon + 1, n_states)
        Bounds on the robust optimal value.
    policy : array of int of shape (n_states,), or of float of shape (n_states, n_actions)
        Action ids, or probabilities if the rows of a state share a budget; a finite horizon adds a
        leading stage axis.
    worst_case : TabularMDP
        The model with nature's rows for every action, in the order of the nominal rows; a finite
        horizon stacks its stages.
    multiplier, level : array of shape (n_rows of worst_case,), or (r,) for a `FactorSet`
        Dual variables at ``lower`` of the rows that the policy uses; see
        `mdptheory.certificates` for their meaning in each set.
    plan : TransportPlan, optional
        Only for `WassersteinBall`: the transport that makes nature's rows.
    factors : array of shape (r, n_states), optional
        Only for `FactorSet`: nature's factors (leading stage axis for a finite horizon).
    fixed : bool
        Whether the claim is about this policy alone, ``lower <= robust value of policy <= upper``:
        then ``upper >= T_policy upper`` with the policy's operator in ``worst_case``.
    """

    objective: Objective
    ambiguity: AmbiguitySet
    lower: FloatArray
    upper: FloatArray
    policy: IntArray | FloatArray
    worst_case: TabularMDP
    multiplier: FloatArray
    level: FloatArray
    plan: TransportPlan | None = None
    factors: FloatArray | None = None
    fixed: bool = False

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
        _require_converged(self.convergence)
        return self


@dataclass(frozen=True, slots=True, eq=False)
class RobustSolution:
    """A robust value, a policy, nature's reply, and the proof that they belong together.

    Attributes
    ----------
    v : array of shape (n_states,), or (horizon + 1, n_states) for a finite horizon
        Robust value within ``convergence.error_bound``.
    q : array of shape (n_states, n_actions), or (horizon, n_states, n_actions)
        Value of each action against nature's row for it, one step ahead; ``-inf`` where an action
        is not available.
    policy : array of int of shape (n_states,), or of float of shape (n_states, n_actions)
        Action ids, ties to the lowest, or probabilities if the rows of a state share a budget; a
        finite horizon adds a leading stage axis.
    worst_case : TabularMDP
        Nature's reply: an ordinary model with the worst row for every action.
    convergence : Convergence
        How the solver ended.
    certificate : SaddleCertificate
        What `mdptheory.certificates.check` verifies.
    state_names, action_names : tuple of str, optional
        The model's names, kept for reading results.
    """

    v: FloatArray
    q: FloatArray
    policy: IntArray | FloatArray
    worst_case: TabularMDP
    convergence: Convergence
    certificate: SaddleCertificate
    state_names: tuple[str, ...] | None = field(default=None)
    action_names: tuple[str, ...] | None = field(default=None)

    def require_converged(self) -> "RobustSolution":
        """Return self, or raise `NotConvergedError` unless the tolerance was reached."""
        _require_converged(self.convergence)
        return self


def _require_converged(convergence: Convergence) -> None:
    if convergence.status is not Status.CONVERGED:
        raise NotConvergedError(
            f"{convergence.status.value} (error bound {convergence.error_bound:.3g}"
            f" after {convergence.iterations} iterations)"
        )
