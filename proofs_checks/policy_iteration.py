"""Policy iteration improves in every step and ends at an exact optimum."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np

from mdptheory import Discounted, Solution, TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.operators import bellman, policy_bellman, policy_value
from mdptheory.solvers import policy_iteration
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import (
    altered,
    build,
    is_plain,
    random_mdp,
    random_policy,
    short_sighted,
    sup,
    value_width,
)
from proofs_checks._oracles import (
    as_floats,
    best_of_all_policies,
    exact_backup,
    exact_policy_iteration,
    exact_policy_value,
    exact_rows,
    linear_program_value,
)

TIE = 1e-11  # an action must beat the incumbent by this, relative, to replace it
Improve = Callable[[TabularMDP, FloatArray, IntArray], IntArray]
Evaluate = Callable[[TabularMDP, IntArray], FloatArray]


@case
class Case:
    """A model and the policy to start from.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    start : array of int of shape (n_states,)
        The first policy.
    """

    mdp: TabularMDP
    start: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Howard's iteration, step by step.

    Attributes
    ----------
    case : Case
        The instance.
    policies : array of int of shape (k, n_states)
        The policies in order; the last one repeats no earlier one unless the run was cut off.
    values, q : array of shape (k, n_states) and (k, n_states, n_actions)
        Their values, and one step on each.
    v_star : array of shape (n_states,)
        Optimal value by exact policy iteration.
    solution : Solution
        What the library's policy iteration returned.
    """

    case: Case
    policies: IntArray
    values: FloatArray
    q: FloatArray
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

    @property
    def n_policies(self) -> int:
        """Number of deterministic policies."""
        return math.prod(np.diff(self.case.mdp.choice_ptr).tolist())


def sample(rng: np.random.Generator) -> Case:
    """Draw a model and a policy: random, or a row of states that must be found one by one."""
    mdp = corridor(rng) if rng.integers(4) == 0 else random_mdp(rng)
    start = random_policy(rng, mdp)
    return Case(mdp, start if rng.integers(2) else mdp.action[mdp.choice_ptr[:-1]])


def corridor(rng: np.random.Generator) -> TabularMDP:
    """Draw states in a row: stay for a little, or walk on to the last one, which pays 1."""
    n, gamma = int(rng.integers(2, 6)), float(rng.choice([0.9, 0.99]))
    table = []
    for s in range(n):
        here, onward = np.eye(n)[s].tolist(), np.eye(n)[min(s + 1, n - 1)].tolist()
        table.append([(here, float(s == n - 1) or 0.125), (onward, float(s == n - 1))])
    return build(table, Discounted(gamma))


def improve(mdp: TabularMDP, v: FloatArray, policy: IntArray) -> IntArray:
    """Return a greedy policy that keeps the incumbent action on ties."""
    q = bellman(mdp, v)
    states = np.arange(mdp.n_states)
    better = q.max(axis=1) > q[states, policy] + TIE * (1 + np.abs(v).max())
    return np.where(better, q.argmax(axis=1), policy)


def run(case: Case, *, better: Improve = improve, evaluate: Evaluate = policy_value) -> Trace:
    """Evaluate and improve until the policy repeats (or twice every policy was seen)."""
    mdp, policies, values = case.mdp, [np.asarray(case.start)], []
    limit = 2 * math.prod(np.diff(mdp.choice_ptr).tolist()) + 2
    for _ in range(limit):
        values.append(evaluate(mdp, policies[-1]))
        following = better(mdp, values[-1], policies[-1])
        if (following == policies[-1]).all():
            break
        policies.append(following)
    policies = policies[: len(values)]
    return Trace(
        case,
        policies=np.array(policies),
        values=np.array(values),
        q=np.array([bellman(mdp, v) for v in values]),
        v_star=as_floats(exact_policy_iteration(mdp)[0]),
        solution=policy_iteration(mdp, tol=1e-9),
    )


def admissible(case: Case) -> bool:
    """Tell whether the case is small and moderate, whatever its numbers."""
    return is_plain(case.mdp)


# ---- links --------------------------------------------------------------------------------------


def routes_agree(trace: Trace) -> Checks:
    """Fractions, every policy in turn, and the linear program find one value."""
    mdp, size = trace.case.mdp, 1.0 + sup(trace.v_star)
    return (
        *Check.equal(best_of_all_policies(mdp), trace.v_star, scale=trace.width),
        *Check.equal(linear_program_value(mdp), trace.v_star, slack=1e-6 * size, scale=size),
    )


def evaluated(trace: Trace) -> Checks:
    """v_k = T_k v_k."""
    images = [
        policy_bellman(trace.case.mdp, policy, v)
        for policy, v in zip(trace.policies, trace.values, strict=True)
    ]
    return Check.equal(np.array(images), trace.values, scale=trace.width)


def greedy_step(trace: Trace) -> Checks:
    """T_{k+1} v_k = T v_k >= v_k."""
    if len(trace.policies) < 2:
        return ()
    image = np.take_along_axis(trace.q[:-1], trace.policies[1:, :, None], axis=2)[..., 0]
    best = trace.q[:-1].max(axis=2)
    return (
        *Check.equal(image, best, scale=trace.width),
        Check.nonpositive(trace.values[:-1] - best, scale=trace.width),
    )


def improved(trace: Trace) -> Checks:
    """v_{k+1} >= T v_k, by applying the monotone T_{k+1} for ever."""
    if len(trace.policies) < 2:
        return ()
    return Check.nonpositive(trace.q[:-1].max(axis=2) - trace.values[1:], scale=trace.width)


def contracted(trace: Trace, power: int = 1) -> Checks:
    """|v* - v_{k+1}| <= gamma |v* - v_k|."""
    error = np.abs(trace.values - trace.v_star).max(axis=1)
    if len(error) < 2:
        return ()
    return Check.worst(error[1:], trace.gamma**power * error[:-1], trivial=error[:-1])


def never_again(trace: Trace) -> Checks:
    """|T_k v* - v*| <= gamma^k/(1-gamma) |T_0 v* - v*|: the worst action is dropped for good."""
    if len(trace.policies) < 2:
        return ()
    states = np.arange(trace.case.mdp.n_states)
    q_star = bellman(trace.case.mdp, trace.v_star)
    shortfall = np.array([sup(trace.v_star - q_star[states, p]) for p in trace.policies])
    k = np.arange(len(shortfall))
    bound = trace.gamma**k / (1 - trace.gamma) * shortfall[0]
    return Check.worst(shortfall[1:], bound[1:], trivial=trace.width)


def terminates(trace: Trace, *, policies: bool = True) -> Checks:
    """Fewer improvements than policies; and at most (rows - states) times gamma's horizon.

    The horizon is the least k with gamma^k < 1 - gamma: every k improvements one action that was
    in use is dropped for good, by the link above.
    """
    steps, mdp = len(trace.policies) - 1, trace.case.mdp
    horizon = math.floor(math.log(1 - trace.gamma) / math.log(trace.gamma)) + 1
    dropped = float((mdp.n_rows - mdp.n_states) * horizon)
    limit = trace.n_policies - 1 if policies else mdp.n_states - 1
    return (
        Check(steps, limit, trivial=math.inf),
        Check(steps, dropped, trivial=trace.n_policies),
    )


def fixed_point(trace: Trace) -> Checks:
    """Find v >= T v for the last policy's exact value, in rational arithmetic."""
    mdp = trace.case.mdp
    v = exact_policy_value(mdp, trace.policies[-1])
    gamma = Fraction(mdp.gamma)
    excess = [
        float(max(exact_backup(row, gamma, v) for row in rows) - v[s])
        for s, rows in enumerate(exact_rows(mdp))
    ]
    return Check.nonpositive(excess, scale=trace.width)


def library(trace: Trace) -> Checks:
    """Hold the library's value, and its policy's exact value, to v*."""
    mine = as_floats(exact_policy_value(trace.case.mdp, trace.solution.policy))
    return (
        *Check.equal(trace.solution.v, trace.v_star, scale=trace.width),
        *Check.equal(mine, trace.v_star, scale=trace.width),
    )


# ---- broken versions ----------------------------------------------------------------------------


def minimise_in_state_0(mdp: TabularMDP, v: FloatArray, policy: IntArray) -> IntArray:
    """Improve, but take the worst action in state 0."""
    q = bellman(mdp, v)[0]
    chosen = improve(mdp, v, policy)
    chosen[0] = int(np.argmin(np.where(np.isfinite(q), q, np.inf)))
    return chosen


def wrong_gamma(mdp: TabularMDP, policy: IntArray) -> FloatArray:
    """Evaluate with 0.9 gamma."""
    return policy_value(mdp.with_objective(Discounted(0.9 * mdp.gamma)), policy)


CHAIN = Chain(
    id="planning.policy_iteration",
    title="Policy iteration improves and terminates",
    source="Howard 1960; Puterman 1994, section 6.4; step count after Ye 2011 and Scherrer 2013",
    statement=(
        "v_{k+1} >= T v_k >= v_k and |v* - v_{k+1}| <= gamma |v* - v_k|; the number of improvements"
        " is below the number of policies and at most (rows - states) k for the least k with"
        " gamma^k < 1 - gamma; the last policy satisfies v = T v exactly."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="rational arithmetic, enumeration of every policy, linear program",
    links=(
        Link("routes", "fractions = enumeration = linear program", routes_agree),
        Link("evaluated", "v_k = T_k v_k", evaluated),
        Link("greedy", "T_{k+1} v_k = T v_k >= v_k", greedy_step),
        Link("improved", "v_{k+1} >= T v_k", improved),
        Link("contracted", "|v* - v_{k+1}| <= gamma |v* - v_k|", contracted),
        Link("never_again", "|v* - T_k v*| <= gamma^k/(1-gamma) |v* - T_0 v*|", never_again),
        Link("terminates", "improvements < policies, <= (rows - states) k", terminates),
        Link("fixed_point", "v = T v at the end, in rational arithmetic", fixed_point),
        Link("library", "policy_iteration returns v* and an optimal policy", library),
    ),
    twins=(
        Twin(
            "worst_in_state_0",
            "the improvement minimises in state 0",
            run=partial(run, better=minimise_in_state_0),
            expect_link=("greedy", "improved", "never_again", "fixed_point"),
        ),
        Twin(
            "wrong_gamma",
            "policies are evaluated with 0.9 gamma",
            run=partial(run, evaluate=wrong_gamma),
            expect_link="evaluated",
        ),
        Twin(
            "wrong_reference",
            "the optimal value is computed with 0.9 gamma",
            run=altered(run, v_star=short_sighted),
            expect_link=("routes", "library"),
        ),
        Twin(
            "gamma_squared",
            "the error is claimed to shrink by gamma^2",
            links={"contracted": partial(contracted, power=2)},
            expect_link="contracted",
        ),
        Twin(
            "as_few_as_states",
            "the improvements are claimed to be fewer than the states",
            links={"terminates": partial(terminates, policies=False)},
            expect_link="terminates",
        ),
    ),
)
"""Tight: `corridor` started in "stay", where each round finds the way for one more state (the error
shrinks by gamma exactly), and two policies, where one improvement is the most there can be."""
