"""What `iwocs` takes and gives back."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias, get_args

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import check_count, check_number
from mdptheory.errors import InvalidModelError
from mdptheory.models import TabularMDP

Selection: TypeAlias = Literal["policy_worst", "nature_greedy", "hull", "random"]
Completion: TypeAlias = Literal["greedy", "keep", "nominal"]
Planner: TypeAlias = Literal["pi", "vi"]


class IWOCSStatus(Enum):
    """How a run ended; each member's value is the sentence shown to the user."""

    CERTIFIED = "The upper and the lower bound are within the tolerance of each other."
    ESTIMATED = (
        "The upper bound and the simulated value are within the tolerance of each other; the"
        " simulated value is an estimate, not a bound."
    )
    STALLED = "The next kernel adds nothing while the bounds are apart: no further step helps."
    MAX_ITER = "The iteration limit was reached before the tolerance; the bounds still hold."


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """Estimate a policy's value in each kernel of a coupled family from simulated runs.

    Parameters
    ----------
    n_rollouts : int
        Runs for each kernel, at least 2; fresh ones in every iteration.
    horizon : int
        Largest number of steps of a run.
    """

    n_rollouts: int = 300
    horizon: int = 10_000

    def __post_init__(self) -> None:
        """Refuse less than two runs, which have no standard error, or runs without a step."""
        check_count("n_rollouts", self.n_rollouts, low=2)
        check_count("horizon", self.horizon)


@dataclass(frozen=True, slots=True)
class IWOCSOptions:
    """Choices that the paper leaves open or that repair it; they change what is computed.

    Parameters
    ----------
    selection : {"policy_worst", "nature_greedy", "hull", "random"}
        The next kernel: worst for the current policy (as published); nature's best reply to the
        last kernel's optimal value (each solve contracts by gamma); worst for the robust policy of
        all rows found so far (finitely many steps for finite sets); any.
    completion : {"greedy", "keep", "nominal"}
        The next kernel's rows at actions that the policy does not take, with ``"policy_worst"``:
        worst one step ahead, those of the last kernel, or those of the first.
    T0 : int
        Index of the first kernel in a `FiniteSet`; 0 for other sets, which start from the nominal
        kernel (an `IntervalSet` from a kernel within its bounds).
    planner : {"pi", "vi"}
        Policy iteration, or value iteration from above the optimal value.
    planner_tol : float
        Certified error of each ordinary solve, discounted reward.
    evaluator : "exact" or MonteCarlo
        How the worst kernel of a policy is found.
    """

    selection: Selection = "policy_worst"
    completion: Completion = "greedy"
    T0: int = 0
    planner: Planner = "pi"
    planner_tol: float = 1e-10
    evaluator: Literal["exact"] | MonteCarlo = "exact"

    def __post_init__(self) -> None:
        """Refuse unknown words, numbers out of range, and choices that do not go together."""
        for name, words in (
            ("selection", get_args(Selection)),
            ("completion", get_args(Completion)),
            ("planner", get_args(Planner)),
        ):
            check_word(name, getattr(self, name), words)
        if self.evaluator != "exact" and not isinstance(self.evaluator, MonteCarlo):
            raise TypeError(f"evaluator is {self.evaluator!r}; expected 'exact' or MonteCarlo(...)")
        check_count("T0", self.T0, low=0)
        check_number("planner_tol", self.planner_tol, low=0.0, open_low=True)
        if self.selection != "policy_worst" and self.completion != "greedy":
            raise InvalidModelError(
                f"completion is {self.completion!r}; selection {self.selection!r} says itself what"
                " the next kernel is: expected completion='greedy'"
            )


@dataclass(frozen=True, slots=True)
class IWOCSRecord:
    """One iteration.

    Attributes
    ----------
    upper : float
        Bound of this iteration on the robust optimal value at the start.
    lower : float
        Robust value of this iteration's policy at the start, or its estimate.
    kernel_id : int
        Place in ``kernels_found`` of the kernel that this iteration chose.
    backups : int
        Ordinary Bellman sweeps.
    linear_solves : int
        Linear systems solved.
    seconds : float
        Wall-clock time; the one field that differs between equal runs.
    standard_error : float
        Of ``lower``; 0 if it is exact.
    """

    upper: float
    lower: float
    kernel_id: int
    backups: int
    linear_solves: int
    seconds: float
    standard_error: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class IWOCSResult:
    """A policy with bounds on what any policy can reach against nature.

    Attributes
    ----------
    policy : array of int of shape (n_states,)
        Policy of the last iteration, which is what the published algorithm returns.
    best_policy : array of int of shape (n_states,)
        Policy of the iteration with the largest ``lower``.
    lower : float
        Robust value of ``best_policy`` at the start: discounted reward that it earns against every
        kernel of the set. With `MonteCarlo` an estimate.
    upper : float
        What no policy can beat at the start; see ``upper_valid_for``.
    gap : float
        ``upper - lower``.
    status : IWOCSStatus
        How the run ended, as a sentence.
    upper_valid_for : {"all", "deterministic"}
        Whether ``upper`` holds for all policies, or for deterministic stationary ones only: a
        randomised policy may beat it if nature's kernels are coupled.
    worst_kernel : TabularMDP
        The ordinary model with the kernel that was worst for ``best_policy``.
    kernels_found : tuple of int, array of int of shape (n_states, n_actions), or TabularMDP
        Distinct kernels in the order found, the first one first: index in a coupled family, index
        of each pair (-1 where an action is not available), or a model for sets without indices.
    q_min : array of shape (n_states, n_actions)
        Upper bound on the robust value of each action, ``-inf`` where not available: the least
        optimal value over the kernels found (with ``"hull"``, over all their mixtures by pair).
    history : tuple of IWOCSRecord
        One entry an iteration.
    n_ordinary_backups, n_linear_solves : int
        Sums over the iterations.
    seed : int or None
        Seed of the random numbers; None if none were used or a Generator was given.
    """

    policy: IntArray
    best_policy: IntArray
    lower: float
    upper: float
    gap: float
    status: IWOCSStatus
    upper_valid_for: Literal["all", "deterministic"]
    worst_kernel: TabularMDP
    kernels_found: tuple[int | IntArray | TabularMDP, ...]
    q_min: FloatArray
    history: tuple[IWOCSRecord, ...]
    n_ordinary_backups: int
    n_linear_solves: int
    seed: int | None = None


def check_word(name: str, value: Any, words: tuple[str, ...]) -> None:
    """Refuse a value that is not one of the words."""
    if value not in words:
        listed = ", ".join(map(repr, words[:-1])) + f" or {words[-1]!r}"
        raise InvalidModelError(f"{name} is {value!r}; expected {listed}")
