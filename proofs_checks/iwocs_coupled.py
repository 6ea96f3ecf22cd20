"""Nature's kernels are coupled: iwocs' bounds hold for deterministic policies, or for a mean."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import IWOCSResult
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, random_mixture, random_start, value_width
from proofs_checks._iwocs_families import (
    RULES,
    are_family,
    given,
    in_fields,
    random_family,
    run_iwocs,
)
from proofs_checks._robust_games import Pair, policies_of
from proofs_checks.robust_saddle import guess
from proofs_checks.robust_static_dynamic import two_states

PUBLISHED, ANY = 0, 4  # rules: worst for the policy, random


@case
class Case:
    """Models of which nature picks one, a policy, and a start.

    Attributes
    ----------
    mdp, other : TabularMDP
        Discounted models; the rewards are the first one's, and it is the first kernel.
    third : TabularMDP, optional
        One more.
    random : bool
        Whether any kernel comes next, or the worst one for the policy.
    pi : array of shape (n_states, n_actions)
        A stochastic policy.
    start : array of shape (n_states,)
        Distribution of the first state.
    """

    mdp: TabularMDP
    other: TabularMDP
    third: TabularMDP | None
    random: bool
    pi: FloatArray
    start: FloatArray

    @property
    def models(self) -> list[TabularMDP]:
        """All models."""
        return given(self.mdp, self.other, self.third)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Every deterministic policy, and a stochastic one, under every model.

    Attributes
    ----------
    case : Case
        The instance.
    pair : Pair
        The models' rows.
    policies : list of array of int of shape (n_states,)
        Every deterministic policy, as action ids.
    values : array of shape (n_policies, K, n_states)
        Value of each under each model.
    mixed : array of shape (K, n_states)
        Value of the case's stochastic policy.
    q : array of shape (K, n_rows)
        ``Q*`` of each model.
    kernels : list of int
        The models that the library planned in, in order.
    best : float
        Best worst-case value at the start over deterministic policies.
    lower, upper : array of shape (i,)
        The library's bounds in each iteration.
    result : IWOCSResult
        Everything else that it returned.
    """

    case: Case
    pair: Pair
    policies: list[IntArray]
    values: FloatArray
    mixed: FloatArray
    q: FloatArray
    kernels: list[int]
    best: float
    lower: FloatArray
    upper: FloatArray
    result: IWOCSResult

    @property
    def at_start(self) -> FloatArray:
        """Value of each policy at the start under each model, shape (n_policies, K)."""
        return self.values @ self.case.start

    @property
    def tables(self) -> FloatArray:
        """Return ``Q_i`` of each iteration, shape (i, n_states, n_actions)."""
        least = np.minimum.accumulate(self.q[self.kernels], axis=0)
        return tabled(self.pair, least)

    @property
    def one_start(self) -> bool:
        """Whether the first state is known."""
        return int(np.count_nonzero(self.case.start)) == 1

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        paid = np.append(self.pair.paid, 0.0)
        return float(np.ptp(paid)) / (1 - self.pair.gamma) + value_width(self.case.mdp)


def sample(rng: np.random.Generator) -> Case:
    """Draw a family, the guess that only a coin wins, or two states that never both pay."""
    kind = int(rng.integers(6))
    models = list(guess(rng) if kind == 0 else two_states() if kind == 1 else random_family(rng))
    n, policy = models[0].n_states, random_mixture(rng, models[0])
    start = random_start(rng, n) if rng.integers(2) else np.eye(1, n)[0]
    return Case(*in_fields(models), bool(rng.integers(2)), policy, start)


def tabled(pair: Pair, q: FloatArray) -> FloatArray:
    """Return row values by state and action, shape (i, n_states, n_actions); -inf elsewhere."""
    table = np.full((len(q), *pair.table(0.0).shape), -np.inf)
    table[:, pair.state, pair.action] = q
    return table


def run(case: Case, *, pointwise: bool = False, toss: bool = False) -> Trace:
    """Enumerate; ``pointwise`` and ``toss`` claim more than is true of starts and of policies."""
    pair, policies = Pair.of(*case.models), policies_of(case.mdp)
    values = np.array([pair.values(pair.options, policy) for policy in policies])
    optimal = values.max(axis=0)
    q = np.array([pair.worth(v)[k] for k, v in enumerate(optimal)])
    rule = RULES[ANY if case.random else PUBLISHED]
    result = run_iwocs(case.models, rule, case.start, coupled=True)
    places = [int(np.asarray(found)) for found in result.kernels_found]
    kernels = [places[0], *(places[step.kernel_id] for step in result.history[:-1])]
    mixed = pair.values(pair.options, case.pi)
    best = float((values @ case.start).min(axis=1).max())
    upper = np.array([step.upper for step in result.history])
    if toss:
        best = max(best, float((mixed @ case.start).min()))
    if pointwise:
        least = np.minimum.accumulate(q[kernels], axis=0)
        upper = tabled(pair, least).max(axis=2) @ case.start
    lower = np.array([step.lower for step in result.history])
    return Trace(case, pair, policies, values, mixed, q, kernels, best, lower, upper, result)


def admissible(case: Case) -> bool:
    """Tell whether the models belong together, with a proper policy and start."""
    fits = case.start.shape == (case.mdp.n_states,) and bool((case.start >= 0).all())
    proper = fits and abs(float(case.start.sum()) - 1.0) <= 1e-12
    available = np.isfinite(case.mdp.table(np.zeros(case.mdp.n_rows)))
    chosen = case.pi.shape == available.shape and bool((case.pi >= 0).all())
    chosen = chosen and bool((case.pi[~available] == 0).all())
    chosen = chosen and bool(np.allclose(case.pi.sum(axis=1), 1.0, atol=1e-12))
    return proper and chosen and are_family(*case.models)


# ---- links --------------------------------------------------------------------------------------


def each_kernel(trace: Trace, *, plan: bool = True) -> Checks:
    """min_T mu.V^pi_T <= mu.V*_{T_j} for every j, also for the stochastic policy."""
    mine = np.append(trace.at_start.min(axis=1), (trace.mixed @ trace.case.start).min())
    optimal = trace.values.max(axis=0) if plan else trace.values[0]
    above = optimal[trace.kernels] @ trace.case.start
    return Check.nonpositive(mine[:, None] - above, scale=trace.width)


def first_action(trace: Trace, reading: Callable[[Trace], FloatArray] | None = None) -> Checks:
    """min_T V^pi_T(s0) <= min_j Q*_{T_j}(s0, pi(s0)) for a deterministic pi and a known s0."""
    if not trace.one_start:
        return ()
    pair, s = trace.pair, int(trace.case.start.argmax())
    least = trace.q[trace.kernels].min(axis=0)
    rows = [int(np.flatnonzero((pair.state == s) & (pair.action == p[s]))[0])
            for p in trace.policies]  # fmt: skip
    mine = trace.at_start.min(axis=1) if reading is None else reading(trace)
    return Check.nonpositive(mine - least[rows], scale=trace.width)


def lower(trace: Trace) -> Checks:
    """Find every lower bound attained by some policy, hence at most the best."""
    return Check.nonpositive(trace.lower - trace.best, scale=trace.width)


def upper(trace: Trace) -> Checks:
    """Bound the best value by upper_i, for deterministic policies."""
    return Check.nonpositive(trace.best - trace.upper, scale=trace.width)


def upper_for_all(trace: Trace) -> Checks:
    """Hold the bound to the stochastic policy where the library says that it covers it."""
    if trace.result.upper_valid_for != "all":
        return ()
    tossed = float((trace.mixed @ trace.case.start).min())
    return Check.nonpositive(tossed - trace.upper, scale=trace.width)


def library(trace: Trace) -> Checks:
    """Hold both bounds of every iteration to their forms, with the plain greedy policies."""
    optimal = trace.values.max(axis=0)[trace.kernels] @ trace.case.start
    form = np.minimum.accumulate(optimal)
    if trace.one_start:
        form = trace.tables.max(axis=2) @ trace.case.start
    uppers = [step.upper for step in trace.result.history]
    return (
        *Check.equal(trace.lower, worst_of_greedy(trace), scale=trace.width),
        *Check.equal(uppers, form, scale=trace.width),
    )


def worst_of_greedy(trace: Trace, *, found_only: bool = False) -> FloatArray:
    """Return the worst value at the start of each iteration's greedy policy."""
    least = []
    for i, table in enumerate(trace.tables):
        best = table.max(axis=1, keepdims=True)
        policy = np.argmax(table >= best - 1e-11 * (1 + np.abs(best)), axis=1)
        known = trace.kernels[: i + 1] if found_only else list(range(len(trace.q)))
        values = trace.pair.values(trace.pair.options[known], policy)
        least.append(float((values @ trace.case.start).min()))
    return np.array(least)


# ---- broken versions ----------------------------------------------------------------------------


def coin(trace: Trace) -> FloatArray:
    """Grant every policy what the stochastic one earns."""
    tossed = float((trace.mixed @ trace.case.start).min())
    return np.maximum(trace.at_start.min(axis=1), tossed)


def rewards_only(trace: Trace) -> FloatArray:
    """Let every kernel be worth nothing after one step."""
    zero = np.zeros(trace.values.shape[2])
    return np.asarray(trace.pair.worth(zero))


CHAIN = Chain(
    id="iwocs.coupled",
    title="With coupled kernels the bounds hold for deterministic policies",
    source="derived; setting of Zouitine et al. 2024 (arXiv:2410.06212), section 4",
    statement=(
        "If nature picks one of K kernels for all pairs: for a known s0 and deterministic pi,"
        " min_T V^pi_T(s0) <= min_j Q*_{T_j}(s0, pi(s0)), so that iwocs' bounds enclose the best"
        " deterministic value; for a start distribution mu, min_T mu.V^pi_T <= min_j mu.V*_{T_j}"
        " for every policy, randomised or not."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="enumeration of all deterministic policies under every kernel",
    links=(
        Link("each_kernel", "min_T mu.V^pi_T <= mu.V*_{T_j}, all pi", each_kernel),
        Link("first_action", "min_T V^pi_T(s0) <= min_j Q*_{T_j}(s0, pi(s0))", first_action),
        Link("lower", "lower_i <= best deterministic value", lower),
        Link("upper", "best deterministic value <= upper_i", upper),
        Link("upper_for_all", "mu.V^pi <= upper_i for spread mu, stochastic pi", upper_for_all),
        Link("library", "iwocs' bounds = min over all kernels; max_a Q_i, or mu.V*", library),
    ),
    twins=(
        Twin(
            "randomised",
            "the bounds are held against a randomised policy",
            run=partial(run, toss=True),
            links={"first_action": partial(first_action, reading=coin)},
            expect_link=("upper", "first_action"),
        ),
        Twin(
            "pointwise",
            "for a random start the bound is mu.max_a Q_i",
            run=partial(run, pointwise=True),
            expect_link=("upper", "upper_for_all"),
        ),
        Twin(
            "rewards_only",
            "a kernel's row values are its rewards",
            run=altered(run, q=rewards_only),
            expect_link=("first_action", "library"),
        ),
        Twin(
            "fixed_policy",
            "a kernel's optimal value is replaced by that of the first policy",
            links={"each_kernel": partial(each_kernel, plan=False)},
            expect_link="each_kernel",
        ),
        Twin(
            "known_kernels_only",
            "the worst kernel of a policy is sought among those found so far",
            run=altered(run, lower=partial(worst_of_greedy, found_only=True)),
            expect_link="lower",
        ),
    ),
)
"""Tight: families of one kernel. In `guess` the last upper bound is 0 and a fair coin guarantees
half of the best; in `two_states` mu.max_a Q_i is 0 for the uniform start and the only policy earns
1: that a start distribution merely replaces V(s0) by mu.V is true of values, not of this bound. The
paper's windy walk is such a family, one wind for all cells; it has the robust value of a wind for
each pair only because the strongest wind is worst everywhere."""
