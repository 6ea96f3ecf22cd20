"""Modified policy iteration from below: monotone, never above v*, never behind value iteration."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, Solution, TabularMDP
from mdptheory._typing import FloatArray
from mdptheory.operators import greedy, policy_bellman
from mdptheory.solvers import modified_policy_iteration
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import (
    altered,
    build,
    is_plain,
    random_mdp,
    random_values,
    short_sighted,
    sup,
    top,
    value_width,
)
from proofs_checks._oracles import best_of_all_policies, optimal_value

ROUNDS = 5


@case
class Case:
    """A model, how often each policy is swept, and how far below the start is.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    sweeps : int
        Sweeps of each policy, at least 1 (1 is value iteration).
    below : float
        The start is the least reward for ever, minus this.
    tol : float
        Tolerance handed to the library's modified policy iteration.
    """

    mdp: TabularMDP
    sweeps: int
    below: float
    tol: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The textbook iteration beside value iteration from the same start.

    Attributes
    ----------
    case : Case
        The instance.
    values : array of shape (1 + ROUNDS, n_states)
        The iterates ``v_k``.
    backups : array of shape (1 + ROUNDS, n_states)
        ``T v_k``.
    plain : array of shape (1 + ROUNDS, n_states)
        Value iteration's iterates ``T^k v_0``.
    v_star : array of shape (n_states,)
        Optimal value by exact policy iteration.
    solution : Solution
        What the library's modified policy iteration returned from the same start.
    """

    case: Case
    values: FloatArray
    backups: FloatArray
    plain: FloatArray
    v_star: FloatArray
    solution: Solution

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp, self.values)


def sample(rng: np.random.Generator) -> Case:
    """Draw a model, two to six sweeps and a start at or below the least value."""
    mdp = late_prize(rng) if rng.integers(4) == 0 else random_mdp(rng)
    below = float(rng.integers(0, 5)) / 4 * int(rng.integers(2))
    return Case(mdp, int(rng.integers(2, 7)), below, float(rng.choice([1.0, 0.1, 1e-3])))


def late_prize(rng: np.random.Generator) -> TabularMDP:
    """Draw a model where a policy's sweeps gain no more than one: each state leads to the last."""
    gamma = float(rng.choice([0.5, 0.9, 0.99]))
    later = [((0.0, 1.0), 0.0), ((1.0, 0.0), float(rng.integers(0, 2)) / 8)]
    return build([later, [((0.0, 1.0), 1.0)]], Discounted(gamma))


def run(
    case: Case, *, start: str = "below", stale: bool = False, gamma_inside: float = 1.0
) -> Trace:
    """Sweep each greedy policy ``case.sweeps`` times.

    The twins start anywhere (``start="random"``), act on the policy of the round before
    (``stale``), or discount the inner sweeps by another factor (``gamma_inside``).
    """
    mdp = case.mdp
    least = mdp.reward.min() / (1 - mdp.gamma) - case.below
    v = np.full(mdp.n_states, least)
    if start == "random":
        v = v + 2 + random_values(np.random.default_rng(case.sweeps), mdp.n_states)
    inner = mdp.with_objective(Discounted(gamma_inside * mdp.gamma))
    values, plain, policy = [v], [v], greedy(mdp, v)
    for _ in range(ROUNDS):
        following = greedy(mdp, v)
        policy = policy if stale else following
        for _ in range(case.sweeps):
            v = policy_bellman(inner, policy, v)
        values.append(v)
        plain.append(top(mdp, plain[-1]))
        policy = following
    return Trace(
        case,
        values=np.array(values),
        backups=np.array([top(mdp, x) for x in values]),
        plain=np.array(plain),
        v_star=optimal_value(mdp),
        solution=modified_policy_iteration(mdp, tol=case.tol, v0=values[0]),
    )


def admissible(case: Case) -> bool:
    """Tell whether the case is small and moderate, whatever its numbers."""
    return min(case.sweeps, case.tol) > 0 <= case.below and is_plain(case.mdp)


# ---- links --------------------------------------------------------------------------------------


def routes_agree(trace: Trace) -> Checks:
    """Exact policy iteration finds the best of all policies."""
    best = best_of_all_policies(trace.case.mdp)
    return Check.equal(best, trace.v_star, scale=trace.width)


def starts_below(trace: Trace) -> Checks:
    """T v_0 >= v_0."""
    return Check.nonpositive(trace.values[0] - trace.backups[0], scale=trace.width)


def stays_below(trace: Trace) -> Checks:
    """T v_k >= v_k for all k: T_k v_{k+1} >= v_{k+1}, since T_k's sweeps are monotone."""
    return Check.nonpositive(trace.values - trace.backups, scale=trace.width)


def gains_a_step(trace: Trace) -> Checks:
    """v_{k+1} >= T v_k >= v_k: the first sweep is T, the others add."""
    return Check.nonpositive(trace.backups[:-1] - trace.values[1:], scale=trace.width)


def never_above(trace: Trace) -> Checks:
    """v_k <= v*."""
    return Check.nonpositive(trace.values - trace.v_star, scale=trace.width)


def never_behind(trace: Trace) -> Checks:
    """v_k >= T^k v_0, by induction and monotonicity."""
    return Check.nonpositive(trace.plain - trace.values, scale=trace.width)


def rate(trace: Trace, *, count_sweeps: bool = False) -> Checks:
    """|v* - v_k| <= gamma^k |v* - v_0|: a rate in rounds, not in sweeps."""
    error = np.abs(trace.v_star - trace.values).max(axis=1)
    k = np.arange(1, len(error)) * (trace.case.sweeps if count_sweeps else 1)
    return Check.worst(error[1:], trace.gamma**k * error[0], trivial=error[0])


def library(trace: Trace) -> Checks:
    """Hold the library's solver to its error bound, and that to the tolerance."""
    bound = trace.solution.convergence.error_bound
    return (
        Check(sup(trace.solution.v - trace.v_star), bound),
        Check(bound, trace.case.tol),
    )


CHAIN = Chain(
    id="planning.modified_policy_iteration",
    title="Modified policy iteration converges from below",
    source="Puterman and Shin 1978; Puterman 1994, section 6.5",
    statement=(
        "If T v_0 >= v_0 then v_k <= T v_k <= v_{k+1} <= v* and v_k >= T^k v_0, whatever the number"
        " of sweeps a round; hence |v* - v_k| <= gamma^k |v* - v_0|."
    ),
    provenance=Provenance.FOLKLORE,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="v* in rational arithmetic and by enumeration of every policy",
    links=(
        Link("routes", "exact policy iteration = best of all policies", routes_agree),
        Link("start", "T v_0 >= v_0", starts_below),
        Link("stays_below", "T v_k >= v_k", stays_below),
        Link("gains_a_step", "v_{k+1} >= T v_k", gains_a_step),
        Link("never_above", "v_k <= v*", never_above),
        Link("never_behind", "v_k >= T^k v_0", never_behind),
        Link("rate", "|v* - v_k| <= gamma^k |v* - v_0|", rate),
        Link("library", "|modified_policy_iteration - v*| <= its error_bound <= tol", library),
    ),
    twins=(
        Twin(
            "start_anywhere",
            "the start is not below T v_0",
            run=partial(run, start="random"),
            expect_link=("start", "stays_below", "gains_a_step", "never_above", "never_behind"),
        ),
        Twin(
            "wrong_reference",
            "the optimal value is computed with 0.9 gamma",
            run=altered(run, v_star=short_sighted),
            expect_link=("routes", "library"),
        ),
        Twin(
            "stale_policy",
            "each round sweeps the policy of the round before",
            run=partial(run, stale=True),
            expect_link="gains_a_step",
        ),
        Twin(
            "discounted_twice",
            "the inner sweeps use 0.9 gamma",
            run=partial(run, gamma_inside=0.9),
            expect_link="gains_a_step",
        ),
        Twin(
            "rate_in_sweeps",
            "the error is claimed to shrink by gamma in each sweep of a round",
            links={"rate": partial(rate, count_sweeps=True)},
            expect_link="rate",
        ),
    ),
)
"""Tight: one state (both sides of every order link meet in the limit), and models whose first
greedy policies are wrong (`late_prize`), where a round gains hardly more than one sweep."""
