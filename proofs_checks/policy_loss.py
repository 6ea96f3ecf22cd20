"""How much a policy loses that is greedy for a wrong value function."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, Solution, TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.operators import bellman, greedy, policy_bellman
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
from proofs_checks._oracles import as_floats, exact_policy_value, optimal_value


@case
class Case:
    """A value vector to act on.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    v : array of shape (n_states,)
        Any values.
    """

    mdp: TabularMDP
    v: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The greedy policy, its value and the optimum.

    Attributes
    ----------
    case : Case
        The instance.
    policy : array of int of shape (n_states,)
        Greedy for ``v``.
    tv, t_policy : array of shape (n_states,)
        ``T v`` and ``T_policy v``.
    v_policy, v_star : array of shape (n_states,)
        Value of the policy and the optimum, both in rational arithmetic.
    solution : Solution
        Of the library's value iteration, stopped after one step from ``v``.
    v_solution : array of shape (n_states,)
        Value of the policy that the library returned.
    """

    case: Case
    policy: IntArray
    tv: FloatArray
    t_policy: FloatArray
    v_policy: FloatArray
    v_star: FloatArray
    solution: Solution
    v_solution: FloatArray

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def step(self) -> FloatArray:
        """Return ``d = T v - v``."""
        return self.tv - self.case.v

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp, self.case.v, self.tv)

    @property
    def most(self) -> float:
        """Largest loss that rewards in this range allow."""
        return reward_span(self.case.mdp) / (1 - self.gamma)


def sample(rng: np.random.Generator) -> Case:
    """Draw a model with values near its optimum, or the instance that is tight."""
    if rng.integers(4) == 0:
        return trap(rng)
    mdp = random_mdp(rng)
    error = random_values(rng, mdp.n_states) * (reward_span(mdp) + 0.125)
    return Case(mdp, optimal_value(mdp) + error * float(rng.choice([0.02, 0.1, 0.5])))


def trap(rng: np.random.Generator) -> Case:
    """Draw the tight instance: stay and pay 2 gamma e for ever, or leave for a state worth 0.

    State 0 looks worth e too much, state 1 (where reward 0 can be had for ever) e too little, so
    that to stay seems as good as to leave, up to one part in a thousand. Every second time the
    values are shifted until d is symmetric around 0, which makes the residual form tight.
    """
    gamma, error = float(rng.choice([0.5, 0.9, 0.99])), float(rng.integers(1, 9)) / 16
    cost = 2 * gamma * error * 0.999
    table = [[((1, 0), -cost), ((0, 1), 0.0)], [((0, 1), -2.0), ((0, 1), 0.0)]]
    shift = gamma * error / (1 - gamma) * int(rng.integers(2))
    return Case(build(table, Discounted(gamma)), np.array([error, -error]) - shift)


def run(case: Case, *, worst_state: int | None = None) -> Trace:
    """Act greedily and evaluate; ``worst_state`` plants a minimising state."""
    policy = greedy(case.mdp, case.v)
    if worst_state is not None:
        q = bellman(case.mdp, case.v)[worst_state]
        policy = policy.copy()
        policy[worst_state] = int(np.argmin(np.where(np.isfinite(q), q, np.inf)))
    solution = value_iteration(case.mdp, v0=case.v, max_iter=1)
    return Trace(
        case,
        policy=policy,
        tv=top(case.mdp, case.v),
        t_policy=policy_bellman(case.mdp, policy, case.v),
        v_policy=as_floats(exact_policy_value(case.mdp, policy)),
        v_star=optimal_value(case.mdp),
        solution=solution,
        v_solution=as_floats(exact_policy_value(case.mdp, solution.policy)),
    )


def admissible(case: Case) -> bool:
    """Tell whether the case is small and moderate, whatever its numbers."""
    return is_plain(case.mdp, case.v)


# ---- links --------------------------------------------------------------------------------------


def greedy_step(trace: Trace) -> Checks:
    """T_policy v = T v."""
    return Check.equal(trace.t_policy, trace.tv, scale=trace.width)


def policy_above(trace: Trace) -> Checks:
    """v_policy >= T v + gamma/(1-gamma) min d, since T_policy is monotone and shifts constants."""
    below = trace.tv + trace.gamma / (1 - trace.gamma) * trace.step.min()
    return Check.nonpositive(below - trace.v_policy, scale=trace.width)


def optimum_below(trace: Trace, pick: Callable[[FloatArray], float] = np.max) -> Checks:
    """v* <= T v + gamma/(1-gamma) max d."""
    above = trace.tv + trace.gamma / (1 - trace.gamma) * pick(trace.step)
    return Check.nonpositive(trace.v_star - above, scale=trace.width)


def feasible(trace: Trace) -> Checks:
    """v_policy <= v*."""
    return Check.nonpositive(trace.v_policy - trace.v_star, scale=trace.width)


def span_loss(trace: Trace) -> Checks:
    """Bound the loss by gamma/(1-gamma) span(d)."""
    bound = trace.gamma / (1 - trace.gamma) * span(trace.step)
    return Check(sup(trace.v_star - trace.v_policy), bound, trivial=trace.most)


def residual_loss(trace: Trace, factor: float = 2.0) -> Checks:
    """Bound the loss by 2 gamma/(1-gamma) |d|."""
    bound = factor * trace.gamma / (1 - trace.gamma) * sup(trace.step)
    return Check(sup(trace.v_star - trace.v_policy), bound, trivial=trace.most)


def error_loss(trace: Trace, factor: float = 2.0) -> Checks:
    """Bound the loss by 2 gamma/(1-gamma) |v - v*|."""
    error = sup(trace.case.v - trace.v_star)
    bound = factor * trace.gamma / (1 - trace.gamma) * error
    return Check(sup(trace.v_star - trace.v_policy), bound, trivial=trace.most)


def library(trace: Trace, factor: float = 1.0) -> Checks:
    """Bound what value iteration's policy loses by its certificate's gap."""
    loss = sup(trace.v_star - trace.v_solution)
    return Check(loss, factor * trace.solution.certificate.gap, trivial=trace.most)


CHAIN = Chain(
    id="planning.policy_loss",
    title="What a policy loses that is greedy for a wrong value",
    source="Singh and Yee 1994 (error form); Puterman 1994, section 6.6; span form derived",
    statement=(
        "For a policy greedy at v, with d = Tv - v: 0 <= v* - v_policy <= gamma/(1-gamma) span(d)"
        " <= 2 gamma/(1-gamma) |d|, and v* - v_policy <= 2 gamma/(1-gamma) |v - v*|."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="both values by elimination in rational arithmetic",
    links=(
        Link("greedy", "T_policy v = T v", greedy_step),
        Link("policy_above", "v_policy >= Tv + gamma/(1-gamma) min d", policy_above),
        Link("optimum_below", "v* <= Tv + gamma/(1-gamma) max d", optimum_below),
        Link("feasible", "v_policy <= v*", feasible),
        Link("span", "v* - v_policy <= gamma/(1-gamma) span(d)", span_loss),
        Link("residual", "v* - v_policy <= 2 gamma/(1-gamma) |d|", residual_loss),
        Link("error", "v* - v_policy <= 2 gamma/(1-gamma) |v - v*|", error_loss),
        Link("library", "value_iteration's policy loses at most its certificate's gap", library),
    ),
    twins=(
        Twin(
            "half_of_it",
            "the factor 2 of the error form is dropped",
            links={"error": partial(error_loss, factor=1.0)},
            expect_link="error",
        ),
        Twin(
            "half_residual",
            "the factor 2 of the residual form is dropped",
            links={"residual": partial(residual_loss, factor=1.0)},
            expect_link="residual",
        ),
        Twin(
            "mean_step",
            "the mean of d takes the place of its maximum",
            links={"optimum_below": partial(optimum_below, pick=np.mean)},
            expect_link="optimum_below",
        ),
        Twin(
            "wrong_reference",
            "the optimal value is computed with 0.9 gamma",
            run=altered(run, v_star=short_sighted),
            expect_link="feasible",
        ),
        Twin(
            "half_gap",
            "the policy is claimed to lose half of the certificate's gap at most",
            links={"library": partial(library, factor=0.5)},
            expect_link="library",
        ),
        Twin(
            "worst_action",
            "the policy minimises in state 0",
            run=partial(run, worst_state=0),
            expect_link=("greedy", "policy_above", "span"),
        ),
    ),
)
"""Tight: `trap`, where the loss is 2 gamma e/(1-gamma) up to one part in a thousand, span(d) is
2 e and, after the shift, |d| is e."""
