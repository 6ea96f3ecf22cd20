"""Unfinished solves and a grid in place of a continuum: what they add to the bracket."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory import TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import IWOCSResult
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, random_mixture
from proofs_checks._iwocs_families import RULES, are_family, random_family, run_iwocs
from proofs_checks._robust_games import Pair, policies_of

FINE = 8  # steps of the fine grid for each step of the coarse one
LIMIT = 10_000  # sweeps
TOLERANCES = (1.0, 0.25, 0.01)


@case
class Case:
    """Two models, every mixture of which nature may pick, and what is done by halves.

    Attributes
    ----------
    mdp, other : TabularMDP
        Discounted models; the rewards are the first one's.
    steps : int
        Steps of the coarse grid of mixtures.
    tau : float
        Step of value iteration at which a solve stops, discounted reward.
    pi : array of shape (n_states, n_actions)
        A stochastic policy.
    """

    mdp: TabularMDP
    other: TabularMDP
    steps: int
    tau: float
    pi: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Mixtures on both grids, unfinished and true values.

    Attributes
    ----------
    case : Case
        The instance.
    pair : Pair
        The two models' rows.
    coarse, fine : array of shape (m, n_rows, n_states)
        Mixtures in steps of h and of h/8.
    mine : array of shape (m, n_states)
        Value of the case's policy on the fine grid.
    values : array of shape (n_policies, m, n_states)
        Value of every deterministic policy on the fine grid.
    q : array of shape (m, n_rows)
        ``Q*`` of each mixture on the coarse grid, by trying every policy.
    stopped, from_above : array of shape (m, n_rows)
        The same by value iteration from 0, and from the largest reward for ever.
    result : IWOCSResult
        The library's on the coarse grid, by value iteration.
    """

    case: Case
    pair: Pair
    coarse: FloatArray
    fine: FloatArray
    mine: FloatArray
    values: FloatArray
    q: FloatArray
    stopped: FloatArray
    from_above: FloatArray
    result: IWOCSResult

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.pair.gamma

    @property
    def delta(self) -> float:
        """Error of row values when value iteration stops at a step of tau."""
        return self.gamma / (1 - self.gamma) * self.case.tau

    @property
    def apart(self) -> float:
        """Largest total variation distance of the two models' rows."""
        return 0.5 * float(np.abs(self.pair.options[0] - self.pair.options[1]).sum(axis=1).max())

    @property
    def on_coarse(self) -> FloatArray:
        """Value of every deterministic policy on the coarse grid, (n_policies, m, n_states)."""
        return self.values[:, ::FINE]

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return float(np.ptp(np.append(self.pair.paid, 0.0))) / (1 - self.gamma)


def sample(rng: np.random.Generator) -> Case:
    """Draw two models; in every second case each transition pays a reward of its own."""
    mdp, other = (model.completed(0.0) for model in random_family(rng, 2))
    if rng.integers(2):
        mdp = with_rewards(mdp, rng.integers(0, 9, mdp.n_transitions) / 8)
    steps, tau = int(rng.integers(1, 5)), float(rng.choice(np.asarray(TOLERANCES)))
    return Case(mdp, other, steps, tau, random_mixture(rng, mdp))


def with_rewards(mdp: TabularMDP, paid: FloatArray) -> TabularMDP:
    """Return the model with these rewards of its transitions."""
    mean = np.add.reduceat(mdp.prob * paid, mdp.row_ptr[:-1].astype(np.int64))
    return replace(mdp, transition_reward=paid, reward=mean)


def mixtures(pair: Pair, steps: int) -> FloatArray:
    """Return the mixtures of the two models in equal steps."""
    weight = np.linspace(0.0, 1.0, steps + 1)[:, None, None]
    return np.asarray((1 - weight) * pair.options[0] + weight * pair.options[1])


def iterated(pair: Pair, rows: FloatArray, start: float, tau: float) -> FloatArray:
    """Return row values after value iteration whose last step is at most tau."""
    v = np.full(rows.shape[1], start)
    for _ in range(LIMIT):
        q = (rows * (pair.paid + pair.gamma * v)).sum(axis=1)
        after = np.full(len(v), -np.inf)
        np.maximum.at(after, pair.state, q)
        if np.abs(after - v).max() <= tau:
            break
        v = after
    return np.asarray(q)


def run(case: Case, *, below: bool = False) -> Trace:
    """Evaluate on both grids and solve by halves; ``below`` starts from the smallest reward."""
    pair = Pair.of(case.mdp, case.other)
    coarse, fine = mixtures(pair, case.steps), mixtures(pair, case.steps * FINE)
    values = np.array([pair.values(fine, policy) for policy in policies_of(case.mdp)])
    optimal = values[:, ::FINE].max(axis=0)
    high = float(pair.paid.min() if below else pair.paid.max()) / (1 - pair.gamma)
    return Trace(
        case,
        pair,
        coarse=coarse,
        fine=fine,
        mine=pair.values(fine, case.pi),
        values=values,
        q=np.array([worth(pair, k, v) for k, v in zip(coarse, optimal, strict=True)]),
        stopped=np.array([iterated(pair, rows, 0.0, case.tau) for rows in coarse]),
        from_above=np.array([iterated(pair, rows, high, case.tau) for rows in coarse]),
        result=by_library(case),
    )


def worth(pair: Pair, rows: FloatArray, v: FloatArray) -> FloatArray:
    """Return row values one step ahead of ``v``."""
    return np.asarray((rows * (pair.paid + pair.gamma * v)).sum(axis=1))


def best_of(pair: Pair, q: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the best row value of each state, and the action ids that attain it."""
    table = np.full(pair.table(0.0).shape, -np.inf)
    table[pair.state, pair.action] = q
    return table.max(axis=1), table.argmax(axis=1)


def by_library(case: Case) -> IWOCSResult:
    """Run the library on the coarse grid, planning by value iteration within tau."""
    kernels = [model.to_dense()[0] for model in (case.mdp, case.other)]
    weights = np.linspace(0.0, 1.0, case.steps + 1)
    rows = np.array([(1 - x) * kernels[0] + x * kernels[1] for x in weights])
    options = replace(RULES[0], planner="vi", planner_tol=case.tau)
    return run_iwocs([case.mdp], options, 0, coupled=True, rows=rows)


def admissible(case: Case) -> bool:
    """Tell whether the models belong together and know every transition, and the rest is fine."""
    n_rows, n = case.mdp.n_rows, case.mdp.n_states
    complete = case.mdp.n_transitions == n_rows * n or case.mdp.transition_reward is None
    available = np.isfinite(case.mdp.table(np.zeros(n_rows)))
    chosen = case.pi.shape == available.shape and bool((case.pi >= 0).all())
    chosen = chosen and bool((case.pi[~available] == 0).all())
    chosen = chosen and bool(np.allclose(case.pi.sum(axis=1), 1.0, atol=1e-12))
    numbers = 1 <= case.steps <= 8 and 1e-3 <= case.tau <= 10.0
    return complete and chosen and numbers and are_family(case.mdp, case.other)


# ---- links --------------------------------------------------------------------------------------


def stopped(trace: Trace, *, horizon: bool = True) -> Checks:
    """Bound the error of row values by delta = gamma tau/(1-gamma)."""
    bound = trace.delta if horizon else trace.case.tau
    return Check.worst(np.abs(trace.stopped - trace.q), bound, trivial=trace.width)


def from_above(trace: Trace) -> Checks:
    """Stay above Q* when value iteration starts from the largest reward for ever."""
    return Check.nonpositive(trace.q - trace.from_above, scale=trace.width)


def spans(trace: Trace, values: FloatArray) -> FloatArray:
    """Return the largest span of what a row's outcomes pay and are worth, for each value."""
    pair = trace.pair
    return np.ptp(pair.paid + pair.gamma * values[:, None], axis=2).max(axis=1)


def _distances(trace: Trace) -> tuple[FloatArray, FloatArray]:
    """Return the largest differences of the policy's values, and TV, of all pairs of mixtures."""
    mine, weight = trace.mine, np.linspace(0.0, 1.0, len(trace.mine))
    differences = np.abs(mine[:, None] - mine[None]).max(axis=2)
    return differences, trace.apart * np.abs(weight[:, None] - weight)


def two_kernels(trace: Trace, *, corrected: bool = True) -> Checks:
    """Bound |V_T - V_T'| by TV max span(r(s, a, .) + gamma V_T)/(1-gamma)."""
    measured, apart = _distances(trace)
    size = spans(trace, trace.mine) if corrected else trace.gamma * np.ptp(trace.mine, axis=1)
    return Check.worst(measured, apart * size[:, None] / (1 - trace.gamma), trivial=trace.width)


def pair_rewards(trace: Trace, *, horizon: bool = True) -> Checks:
    """Bound it by gamma/(1-gamma) TV span(V_T), if rewards do not depend on the successor."""
    if trace.case.mdp.transition_reward is not None:
        return ()
    measured, apart = _distances(trace)
    factor = trace.gamma / ((1 - trace.gamma) if horizon else 1.0)
    bound = apart * factor * np.ptp(trace.mine, axis=1)[:, None]
    return Check.worst(measured, bound, trivial=trace.width)


def eta(trace: Trace, values: FloatArray) -> float:
    """Return what a coarse grid may miss of a policy whose values on it are given."""
    half_step = 0.5 / trace.case.steps
    return half_step * trace.apart * float(spans(trace, values).max()) / (1 - trace.gamma)


def grid(trace: Trace, *, forgive: bool = True) -> Checks:
    """Bound by eta how much more the policy earns on the coarse grid than on the fine one."""
    coarse = trace.mine[::FINE]
    missed = float((coarse.min(axis=0) - trace.mine.min(axis=0)).max())
    bound = eta(trace, coarse)
    return Check(missed, bound if forgive else 0.0, scale=bound, trivial=trace.width)


def bracket(trace: Trace, *, forgive: bool = True) -> Checks:
    """V - eta <= best <= max_a Q + delta in state 0, for the unfinished Q and its greedy policy."""
    pair = trace.pair
    tops, actions = best_of(pair, trace.stopped.min(axis=0))
    values = pair.values(trace.coarse, actions)
    search, solve = (eta(trace, values), trace.delta) if forgive else (0.0, 0.0)
    best = float(trace.values[:, :, 0].min(axis=1).max())
    return (
        Check.nonpositive(float(values[:, 0].min()) - search - best, scale=trace.width),
        Check.nonpositive(best - float(tops[0]) - solve, scale=trace.width),
    )


def library(trace: Trace) -> Checks:
    """Hold the library's bounds, from solves within tau, to the best value and to exact bounds."""
    result, width = trace.result, trace.width
    places = [int(np.asarray(found)) for found in result.kernels_found]
    kernels = [places[0], *(places[step.kernel_id] for step in result.history[:-1])]
    exact = [best_of(trace.pair, q)[0][0] for q in np.minimum.accumulate(trace.q[kernels], axis=0)]
    upper = np.array([step.upper for step in result.history])
    best = float(trace.on_coarse[:, :, 0].min(axis=1).max())
    return (
        Check.nonpositive(np.array(exact) - upper, scale=width),
        Check.nonpositive(upper - np.array(exact) - 2 * trace.case.tau, scale=width),
        Check.nonpositive(best - upper, scale=width),
        Check.nonpositive(result.lower - best, scale=width),
    )


# ---- broken versions ----------------------------------------------------------------------------


def optimistic(trace: Trace) -> FloatArray:
    """Return row values a tenth of the width too large: no kernel's."""
    return trace.q + 0.1 * trace.width


CHAIN = Chain(
    id="iwocs.errors",
    title="What unfinished solves and a grid of kernels add to the bracket",
    source="derived; setting of Zouitine et al. 2024 (arXiv:2410.06212), appendix E",
    statement=(
        "Row values from value iteration stopped at a step of tau err by at most"
        " delta = gamma tau/(1-gamma); |V^pi_T - V^pi_T'| <= TV max span(r(s, a, .) + gamma"
        " V^pi_T)/(1-gamma), so that a grid of step h misses at most eta = (h/2) times that; then"
        " V - eta <= V* <= max_a Q + delta."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="enumeration of policies on a grid eight times as fine; plain value iteration",
    links=(
        Link("stopped", "|Q - Q*| <= gamma tau/(1-gamma) after a step of tau", stopped),
        Link("from_above", "Q >= Q* if value iteration starts above", from_above),
        Link("two_kernels", "|V_T - V_T'| <= TV span(r + gamma V_T)/(1-gamma)", two_kernels),
        Link("pair_rewards", "... <= gamma/(1-gamma) TV span(V_T) for r(s, a)", pair_rewards),
        Link("grid", "min over a grid <= min over the line + eta", grid),
        Link("bracket", "V - eta <= V* <= max_a Q + delta", bracket),
        Link("library", "iwocs with value iteration encloses V* on the grid", library),
    ),
    twins=(
        Twin(
            "step_as_error",
            "a step of tau is taken for an error of tau",
            links={"stopped": partial(stopped, horizon=False)},
            expect_link="stopped",
        ),
        Twin(
            "from_below",
            "value iteration starts from the smallest reward for ever",
            run=partial(run, below=True),
            expect_link="from_above",
        ),
        Twin(
            "rewards_of_transitions",
            "the form for rewards r(s, a) is used for r(s, a, s')",
            links={"two_kernels": partial(two_kernels, corrected=False)},
            expect_link="two_kernels",
        ),
        Twin(
            "no_horizon",
            "the factor 1/(1-gamma) is dropped",
            links={"pair_rewards": partial(pair_rewards, horizon=False)},
            expect_link="pair_rewards",
        ),
        Twin(
            "unforgiving",
            "delta and eta are dropped",
            links={
                "grid": partial(grid, forgive=False),
                "bracket": partial(bracket, forgive=False),
            },
            expect_link=("grid", "bracket"),
        ),
        Twin(
            "optimistic",
            "exact row values are a tenth of the width too large",
            run=altered(run, q=optimistic),
            expect_link=("from_above", "library"),
        ),
    ),
)
"""Tight: two absorbing states, where a step of tau is followed by all the others; a single row
with two outcomes. The grid's eta is hardly ever used: along a line the worst kernel of a policy is
mostly an end, which every grid contains."""
