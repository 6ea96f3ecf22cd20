"""Action elimination by MacQueen's bounds never removes an optimal action."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, TabularMDP
from mdptheory._typing import BoolArray, FloatArray
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
    short_sighted,
    span,
    sup,
    value_width,
)
from proofs_checks._oracles import dense_rows, linear_program_value, optimal_value


@case
class Case:
    """A value vector near the optimum.

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
    """What the test removes, and what is truly optimal.

    Attributes
    ----------
    case : Case
        The instance.
    q, q_star : array of shape (n_states, n_actions)
        One step on ``v`` and on the optimal value.
    removed : array of bool of shape (n_states, n_actions)
        Available actions that the test removes.
    v_star : array of shape (n_states,)
        Optimal value by exact policy iteration.
    v_reduced : array of shape (n_states,)
        The same of the model without the removed actions.
    v_library : array of shape (n_states,)
        What the library's eliminating value iteration returned at a fine tolerance.
    """

    case: Case
    q: FloatArray
    q_star: FloatArray
    removed: BoolArray
    v_star: FloatArray
    v_reduced: FloatArray
    v_library: FloatArray

    @property
    def tv(self) -> FloatArray:
        """Return ``T v``."""
        return self.q.max(axis=1)

    @property
    def step(self) -> FloatArray:
        """Return ``d = T v - v``."""
        return self.tv - self.case.v

    @property
    def weight(self) -> float:
        """Return ``gamma/(1-gamma)``."""
        return self.case.mdp.gamma / (1 - self.case.mdp.gamma)

    @property
    def available(self) -> BoolArray:
        """Which actions the model has."""
        return np.isfinite(self.q)

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp, self.case.v, self.tv)


def sample(rng: np.random.Generator) -> Case:
    """Draw values near the optimum of a random model, or of the model that is tight."""
    if rng.integers(4) == 0:
        mdp = detour(rng)
        error = np.array([1.0, -1.0]) * float(rng.integers(-4, 5)) / 32
        return Case(mdp, optimal_value(mdp) + error)
    mdp = random_mdp(rng, max_actions=4)
    degree = float(rng.choice([0.03, 0.1, 0.3])) * (1 - mdp.gamma)
    return Case(mdp, optimal_value(mdp) + random_values(rng, mdp.n_states) * degree)


def detour(rng: np.random.Generator) -> TabularMDP:
    """Draw a model whose two ways differ by little: be paid here, or walk to where pay is better.

    Values that err by e in state 0 and by -e in state 1 make both ends of the test bite at once.
    """
    gamma = float(rng.choice([0.75, 0.9, 0.99]))
    now = gamma + float(rng.integers(-3, 4)) / 64
    return build([[((1, 0), 0.0), ((0, 1), 0.0), ((1, 0), now * (1 - gamma))],
                  [((0, 1), 1 - gamma)]], Discounted(gamma))  # fmt: skip


def run(case: Case, *, weighted: bool = True) -> Trace:
    """Test every action at ``v``; ``weighted=False`` drops the factor gamma/(1-gamma)."""
    q = bellman(case.mdp, case.v)
    tv, gamma = q.max(axis=1), case.mdp.gamma
    factor = gamma / (1 - gamma) if weighted else 1.0
    threshold = tv - factor * span(tv - case.v) - 1e-9
    removed = np.isfinite(q) & (q < threshold[:, None])
    v_star = optimal_value(case.mdp)
    return Trace(
        case,
        q=q,
        q_star=bellman(case.mdp, v_star),
        removed=removed,
        v_star=v_star,
        v_reduced=optimal_value(without(case.mdp, removed)),
        v_library=value_iteration(case.mdp, tol=1e-7, v0=case.v).v,
    )


def without(mdp: TabularMDP, removed: BoolArray) -> TabularMDP:
    """Return the model that lacks the removed actions."""
    P, r = dense_rows(mdp)
    kept = np.isfinite(r) & ~removed
    table = [
        [(P[s, a].tolist(), float(r[s, a])) for a in np.flatnonzero(kept[s])]
        for s in range(mdp.n_states)
    ]
    return build(table, mdp.objective)


def admissible(case: Case) -> bool:
    """Tell whether the case is small and moderate, whatever its numbers."""
    return is_plain(case.mdp, case.v)


# ---- links --------------------------------------------------------------------------------------


def action_above(trace: Trace, pick: Callable[[FloatArray], float] = np.max) -> Checks:
    """q* <= q + gamma/(1-gamma) max d, from v* <= v + max d/(1-gamma)."""
    above = trace.q[trace.available] + trace.weight * pick(trace.step)
    return Check.nonpositive(trace.q_star[trace.available] - above, scale=trace.width)


def state_below(trace: Trace, pick: Callable[[FloatArray], float] = np.min) -> Checks:
    """v* >= T v + gamma/(1-gamma) min d."""
    below = trace.tv + trace.weight * pick(trace.step)
    return Check.nonpositive(below - trace.v_star, scale=trace.width)


def advantage(trace: Trace, factor: float = 1.0) -> Checks:
    """Each action's shortfall (Tv - q) exceeds its true one by gamma/(1-gamma) span(d) at most."""
    state = np.nonzero(trace.available)[0]
    shortfall = trace.tv[state] - trace.q[trace.available]
    true = trace.v_star[state] - trace.q_star[trace.available]
    bound = factor * trace.weight * span(trace.step)
    return Check.worst(shortfall - true, bound, trivial=float(shortfall.max()))


def optimal_kept(trace: Trace) -> Checks:
    """Every removed action is strictly worse than the best, so no optimal one is removed."""
    if not trace.removed.any():
        return ()
    loss = trace.v_star[:, None] - trace.q_star
    return Check.nonpositive(1e-9 - loss[trace.removed], scale=trace.width, slack=1e-10)


def value_kept(trace: Trace) -> Checks:
    """Compare v* of the model without the removed actions with v*."""
    if not trace.removed.any():
        return ()
    return Check.equal(trace.v_reduced, trace.v_star, scale=trace.width)


def library(trace: Trace) -> Checks:
    """Compare the library's value iteration, which eliminates as it goes, with v*."""
    return Check(sup(trace.v_library - trace.v_star), 1e-7, slack=1e-10)


def second_route(trace: Trace) -> Checks:
    """Exact policy iteration and the linear program find one value."""
    size = 1.0 + sup(trace.v_star)
    linear = linear_program_value(trace.case.mdp)
    return Check.equal(linear, trace.v_star, slack=1e-6 * size, scale=size)


CHAIN = Chain(
    id="planning.elimination",
    title="Action elimination is safe",
    source="MacQueen 1967; Puterman 1994, section 6.7; span form derived",
    statement=(
        "With d = Tv - v: an action with q(s, a) < Tv(s) - gamma/(1-gamma) span(d) is not optimal"
        " in s, so that removing it leaves v* as it is."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="v* with and without the removed actions in rational arithmetic; linear program",
    links=(
        Link("routes", "exact policy iteration = linear program", second_route),
        Link("action_above", "q*(s, a) <= q(s, a) + gamma/(1-gamma) max d", action_above),
        Link("state_below", "v*(s) >= Tv(s) + gamma/(1-gamma) min d", state_below),
        Link("advantage", "(Tv - q) - (v* - q*) <= gamma/(1-gamma) span(d)", advantage),
        Link("optimal_kept", "a removed action has q* < v*", optimal_kept),
        Link("value_kept", "v* of the reduced model = v*", value_kept),
        Link("library", "|value_iteration - v*| <= 1e-7 with elimination on", library),
    ),
    twins=(
        Twin(
            "unweighted",
            "the threshold lacks the factor gamma/(1-gamma)",
            run=partial(run, weighted=False),
            expect_link=("optimal_kept", "value_kept"),
        ),
        Twin(
            "swapped",
            "min d and max d change places",
            links={
                "action_above": partial(action_above, pick=np.min),
                "state_below": partial(state_below, pick=np.max),
            },
            expect_link=("action_above", "state_below"),
        ),
        Twin(
            "wrong_reference",
            "the optimal value is computed with 0.9 gamma",
            run=altered(run, v_star=short_sighted),
            expect_link="routes",
        ),
        Twin(
            "one_step",
            "the library's value iteration is cut off after one step",
            run=altered(
                run, v_library=lambda t: value_iteration(t.case.mdp, v0=t.case.v, max_iter=1).v
            ),
            expect_link="library",
        ),
        Twin(
            "half_span",
            "each end of the threshold takes half of what it needs",
            links={"advantage": partial(advantage, factor=0.5)},
            expect_link="advantage",
        ),
    ),
)
"""Tight: `detour` (wait for a better state or be paid now), where v errs in opposite directions in
the two states, so that max d enters through the successor and min d through the state itself."""
