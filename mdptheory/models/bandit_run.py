"""What is known of a closed loop, and what a run of a bandit algorithm returns."""

from dataclasses import dataclass

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models.fair_constraints import FairConstraint


@dataclass(frozen=True, slots=True, eq=False)
class LoopConstants:
    """How fast a closed loop forgets, how far it moves, and what that does to what is seen.

    Attributes
    ----------
    kappa : float
        Under a fixed arm two states come closer by this factor a round, in the largest coordinate;
        0 for an open loop.
    diameter : float
        Largest distance between a state that can be reached and an arm's steady state; 0 for an
        open loop.
    lipschitz : array of shape (C,)
        Lipschitz constants of the channels' means in the state.
    box : array of shape (d, 2)
        Ends of a box that no arm leaves.
    is_open : bool
        Whether nothing moves; the guarantees of plain bandits apply.
    """

    kappa: float
    diameter: float
    lipschitz: FloatArray
    box: FloatArray
    is_open: bool


@dataclass(frozen=True, slots=True, eq=False)
class BestArm:
    """The best fixed arm, by its steady state.

    Attributes
    ----------
    arm : int
        Feasible arm with the largest steady reward, or the least violating one if none is.
    feasible : bool
        Whether there is a feasible arm.
    reward : float
        Steady mean reward of the arm.
    violation : float
        Steady violation of the arm: its largest positive residual.
    means : array of shape (K, C)
        Steady means of all channels under each arm.
    violations : array of shape (K,)
        Steady violation of each arm.
    states : array of shape (K, d)
        Steady states.
    """

    arm: int
    feasible: bool
    reward: float
    violation: float
    means: FloatArray
    violations: FloatArray
    states: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BanditRun:
    """One run of an algorithm in an environment.

    Attributes
    ----------
    arms : array of int of shape (T,)
        Arm of each round.
    counts : array of int of shape (K,)
        How often each arm was played.
    rounds : array of int of shape (n,)
        Numbers, from 1, of the rounds at which the next fields were recorded; the last is T.
    means : array of shape (n, C)
        Mean of every channel in that round, exact: what was observed less its noise.
    states : array of shape (n, d)
        State in which that round was played.
    reward : array of shape (n,)
        Sum of mean rewards up to that round.
    violation : array of shape (n,)
        Sum of the violations of the means: each round's largest positive residual.
    signed : array of shape (n, M)
        Sums of the residuals of the means with their signs, which may cancel.
    observed_violation : array of shape (n,)
        Sum of the violations of what was observed; noise makes it grow on every arm that is close
        to its limit.
    regret : array of shape (n,)
        Sum of ``max(0, best reward - mean reward)`` against the best fixed arm; nan if no arm is
        feasible.
    fallback_rounds : int
        Rounds whose arm was chosen while none looked feasible.
    switches : int
        How often the arm changed.
    certificate_regret, certificate_violation : float or None
        Upper bounds on the sums at the end that hold with probability 1 - delta, computed from
        counts alone; None where nothing is proved.
    best : BestArm
        What regret is measured by.
    constraints : tuple of FairConstraint
        As given.
    names : tuple of str
        Names of the channels.
    """

    arms: IntArray
    counts: IntArray
    rounds: IntArray
    means: FloatArray
    states: FloatArray
    reward: FloatArray
    violation: FloatArray
    signed: FloatArray
    observed_violation: FloatArray
    regret: FloatArray
    fallback_rounds: int
    switches: int
    certificate_regret: float | None
    certificate_violation: float | None
    best: BestArm
    constraints: tuple[FairConstraint, ...]
    names: tuple[str, ...]
