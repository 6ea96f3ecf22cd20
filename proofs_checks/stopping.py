"""Bounds on the optimal value from one Bellman step: MacQueen's, and the solver's own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, Solution, TabularMDP
from mdptheory._typing import FloatArray
from mdptheory.operators import bellman
from mdptheory.solvers import value_iteration
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import (
    altered,
    build,
    is_plain,
    random_mdp,
    random_values,
    reward_span,
    short_sighted,
    span,
    sup,
    top,
    value_width,
)
from proofs_checks._oracles import linear_program_value, optimal_value

STEPS = 4  # applications of T in the unrolled link
Sweep = Callable[[TabularMDP, FloatArray], FloatArray]


@case
class Case:
    """A value vector to bound the optimal value from.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    v : array of shape (n_states,)
        Any values.
    tol : float
        Tolerance handed to the library's value iteration.
    """

    mdp: TabularMDP
    v: FloatArray
    tol: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One sweep, its step, what follows, and the truth.

    Attributes
    ----------
    case : Case
        The instance.
    tv, step : array of shape (n_states,)
        ``T v`` and ``d = T v - v``.
    later : array of shape (1 + STEPS, n_states)
        ``T v, T^2 v, ...``
    v_star, v_linear : array of shape (n_states,)
        Optimal value by exact policy iteration and by a linear program.
    solution : Solution
        What the library's value iteration returned.
    """

    case: Case
    tv: FloatArray
    step: FloatArray
    later: FloatArray
    v_star: FloatArray
    v_linear: FloatArray
    solution: Solution

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp, self.case.v, self.tv)


def sample(rng: np.random.Generator) -> Case:
    """Draw a model and a vector: zero, random or near the optimum; often a two-state cycle."""
    tol = float(rng.choice([1.0, 0.1, 1e-3]))
    mdp = random_mdp(rng)
    if rng.integers(4) == 0:
        mdp = two_cycle(rng)
    v = random_values(rng, mdp.n_states) * int(rng.integers(2))
    if rng.integers(2):
        v = optimal_value(mdp) + (1 - mdp.gamma) * random_values(rng, mdp.n_states)
    return Case(mdp, v, tol)


def two_cycle(rng: np.random.Generator) -> TabularMDP:
    """Draw two states that feed each other: the sweep's order matters most there."""
    gamma = float(rng.choice([0.5, 0.9, 0.99]))
    first, second = (float(x) / 8 for x in rng.integers(0, 9, 2))
    return build([[((0, 1), first)], [((1, 0), second)]], Discounted(gamma))


def run(case: Case, sweep: Sweep = top) -> Trace:
    """Take one step, unroll a few more, and solve along three routes."""
    tv = sweep(case.mdp, case.v)
    later = [tv]
    for _ in range(STEPS):
        later.append(top(case.mdp, later[-1]))
    return Trace(
        case,
        tv=tv,
        step=tv - case.v,
        later=np.array(later),
        v_star=optimal_value(case.mdp),
        v_linear=linear_program_value(case.mdp),
        solution=value_iteration(case.mdp, tol=case.tol),
    )


def admissible(case: Case) -> bool:
    """Tell whether the case is small and moderate, whatever its numbers."""
    return case.tol > 0 and is_plain(case.mdp, case.v)


# ---- links --------------------------------------------------------------------------------------


def routes_agree(trace: Trace) -> Checks:
    """Exact policy iteration and the linear program find one value."""
    size = 1.0 + sup(trace.v_star)
    return Check.equal(trace.v_linear, trace.v_star, slack=1e-6 * size, scale=size)


def next_step(trace: Trace) -> Checks:
    """Bound T(Tv) - Tv between gamma min d and gamma max d."""
    gain, gamma = trace.later[1] - trace.tv, trace.gamma
    low, high = gamma * trace.step.min(), gamma * trace.step.max()
    return (
        Check.worst(gain, high, scale=trace.width),
        Check.worst(-gain, -low, scale=trace.width),
    )


def unrolled(trace: Trace) -> Checks:
    """Sum the steps: T^{k+1} v - T v lies between (gamma + .. + gamma^k) times min d and max d."""
    k = np.arange(1, STEPS + 1)[:, None]
    weight = trace.gamma * (1 - trace.gamma**k) / (1 - trace.gamma)
    gain = trace.later[1:] - trace.tv
    return (
        Check.worst(gain, weight * trace.step.max(), scale=trace.width),
        Check.worst(-gain, -weight * trace.step.min(), scale=trace.width),
    )


def _weight(trace: Trace) -> float:
    return trace.gamma / (1 - trace.gamma)


def upper(trace: Trace) -> Checks:
    """v* <= T v + gamma/(1-gamma) max d."""
    above = trace.tv + _weight(trace) * trace.step.max()
    return Check.nonpositive(trace.v_star - above, scale=trace.width)


def lower(trace: Trace) -> Checks:
    """v* >= T v + gamma/(1-gamma) min d."""
    below = trace.tv + _weight(trace) * trace.step.min()
    return Check.nonpositive(below - trace.v_star, scale=trace.width)


def midpoint(trace: Trace, factor: float = 0.5) -> Checks:
    """Bound the midpoint's error by gamma/(2(1-gamma)) span(d).

    The trivial error is that of the middle of all values that rewards in this range allow.
    """
    middle = (trace.step.min() + trace.step.max()) / 2
    error = sup(trace.tv + _weight(trace) * middle - trace.v_star)
    prior = reward_span(trace.case.mdp) / (2 * (1 - trace.gamma))
    return Check(error, factor * _weight(trace) * span(trace.step), trivial=prior)


def sup_norm(trace: Trace) -> Checks:
    """Bound |T v - v*| by gamma/(1-gamma) |d|, which the span bounds imply."""
    return Check(sup(trace.tv - trace.v_star), _weight(trace) * sup(trace.step))


def library(trace: Trace) -> Checks:
    """Hold the library's value iteration to its error bound, and that to the tolerance."""
    bound = trace.solution.convergence.error_bound
    return (
        Check(sup(trace.solution.v - trace.v_star), bound),
        Check(bound, trace.case.tol),
    )


# ---- broken versions ----------------------------------------------------------------------------


def gauss_seidel(mdp: TabularMDP, v: FloatArray) -> FloatArray:
    """Sweep in place, so that later states see new values: a contraction, but not T."""
    w = v.copy()
    for s in range(mdp.n_states):
        w[s] = bellman(mdp, w)[s].max()
    return w


def swapped(trace: Trace) -> Checks:
    """Use min d for the upper bound."""
    above = trace.tv + _weight(trace) * trace.step.min()
    return Check.nonpositive(trace.v_star - above, scale=trace.width)


def unweighted(trace: Trace) -> Checks:
    """Use the factor 1, as if the step size were the error."""
    return Check(sup(trace.tv - trace.v_star), sup(trace.step))


def step_as_error(trace: Trace) -> Checks:
    """Stop when the step is below the tolerance, as several peers do."""
    mdp, tol = trace.case.mdp, trace.case.tol
    v = np.zeros(mdp.n_states)
    while sup(top(mdp, v) - v) > tol:
        v = top(mdp, v)
    return Check(sup(top(mdp, v) - trace.v_star), tol)


CHAIN = Chain(
    id="planning.stopping",
    title="MacQueen's bounds enclose the optimal value, and stop value iteration",
    source="MacQueen 1966; Porteus 1971; Puterman 1994, section 6.6; span form derived",
    statement=(
        "With d = Tv - v: Tv + gamma/(1-gamma) min d <= v* <= Tv + gamma/(1-gamma) max d, so the"
        " midpoint errs by at most gamma/(2(1-gamma)) span(d)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="v* by policy iteration in rational arithmetic, and by a linear program (HiGHS)",
    links=(
        Link("routes", "exact policy iteration = linear program", routes_agree),
        Link("next_step", "gamma min d <= T(Tv) - Tv <= gamma max d", next_step),
        Link("unrolled", "(g + .. + g^k) min d <= T^{k+1}v - Tv <= (g + .. + g^k) max d", unrolled),
        Link("upper", "v* <= Tv + gamma/(1-gamma) max d", upper),
        Link("lower", "v* >= Tv + gamma/(1-gamma) min d", lower),
        Link("midpoint", "|midpoint - v*| <= gamma/(2(1-gamma)) span(d)", midpoint),
        Link("sup_norm", "|Tv - v*| <= gamma/(1-gamma) |d|", sup_norm),
        Link("library", "|value_iteration - v*| <= its error_bound <= tol", library),
    ),
    twins=(
        Twin(
            "gauss_seidel",
            "d comes from an in-place (Gauss-Seidel) sweep",
            run=partial(run, sweep=gauss_seidel),
            expect_link=("next_step", "unrolled", "lower"),
        ),
        Twin(
            "wrong_reference",
            "the optimal value is computed with 0.9 gamma",
            run=altered(run, v_star=short_sighted),
            expect_link="routes",
        ),
        Twin(
            "swapped",
            "min d and max d change places",
            links={"upper": swapped},
            expect_link="upper",
        ),
        Twin(
            "unweighted",
            "the factor gamma/(1-gamma) is dropped",
            links={"sup_norm": unweighted},
            expect_link="sup_norm",
        ),
        Twin(
            "quarter_span",
            "the midpoint's error is claimed to be half as large",
            links={"midpoint": partial(midpoint, factor=0.25)},
            expect_link="midpoint",
        ),
        Twin(
            "step_as_error",
            "value iteration stops when the step is below the tolerance",
            links={"library": step_as_error},
            expect_link="library",
        ),
    ),
)
"""Tight: one state, or all states alike, where d is constant and both bounds meet in v*; the
midpoint's bound is tight when two absorbing states take the extremes of d."""
