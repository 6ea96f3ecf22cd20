"""How much a policy loses against nature that is robustly greedy for a wrong value function."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, RobustSolution, TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.models.ambiguity import L1Ball, RowAmbiguity
from mdptheory.operators.robust import robust_bellman
from mdptheory.solvers import robust_value_iteration
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import (
    altered,
    build,
    random_values,
    reward_span,
    span,
    sup,
    value_width,
)
from proofs_checks._oracles import optimal_value
from proofs_checks._robust_games import Opponent, both, is_game, random_game


@case
class Case:
    """A game and a value vector to act on.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    ambiguity : RowAmbiguity
        Where nature picks each row from.
    v : array of shape (n_states,)
        Any values.
    """

    mdp: TabularMDP
    ambiguity: RowAmbiguity
    v: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The greedy policy, what nature leaves of it, and the optimum.

    Attributes
    ----------
    case : Case
        The instance.
    policy : array of int of shape (n_states,)
        The library's robust greedy actions for ``v``.
    tv, t_policy : array of shape (n_states,)
        ``L v`` and ``L_policy v``.
    v_policy, v_star : array of shape (n_states,)
        Robust value of the policy, and the robust optimum.
    solution : RobustSolution
        Of the library's robust value iteration, stopped after one step from ``v``.
    v_solution : array of shape (n_states,)
        Robust value of the policy that it returned.
    """

    case: Case
    policy: IntArray
    tv: FloatArray
    t_policy: FloatArray
    v_policy: FloatArray
    v_star: FloatArray
    solution: RobustSolution
    v_solution: FloatArray

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def step(self) -> FloatArray:
        """Return ``d = L v - v``."""
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
    """Draw a game with values near its optimum, or the instance that is tight."""
    if rng.integers(4) == 0:
        return trap(rng) if rng.integers(2) else betrayed(rng)
    mdp, ambiguity = random_game(rng)
    error = random_values(rng, mdp.n_states) * (reward_span(mdp) + 0.125)
    truth = Opponent.of(mdp, ambiguity).optimum()
    return Case(mdp, ambiguity, truth + error * float(rng.choice([0.02, 0.1, 0.5])))


def trap(rng: np.random.Generator) -> Case:
    """Draw the tight instance: stay and pay 2 gamma e for ever, or leave for a state worth 0.

    Its rows are certain, so that a ball on their support leaves nature no choice. Every second
    time the values are shifted until d is symmetric around 0.
    """
    gamma, error = float(rng.choice([0.5, 0.9, 0.95])), float(rng.integers(1, 9)) / 16
    cost = 2 * gamma * error * 0.999
    table = [[((1, 0), -cost), ((0, 1), 0.0)], [((0, 1), -2.0), ((0, 1), 0.0)]]
    shift = gamma * error / (1 - gamma) * int(rng.integers(2))
    mdp = build(table, Discounted(gamma))
    return Case(mdp, L1Ball(0.5, "nominal"), np.array([error, -error]) - shift)


def betrayed(rng: np.random.Generator) -> Case:
    """Draw a tie that nature breaks: one of two actions lets her end what pays 1 for ever.

    At equal values both actions look alike, and the first one loses gamma/(1-gamma), which is the
    bound itself. Every second time the values are shifted until d is symmetric around 0.
    """
    goal = Discounted(float(rng.choice([0.5, 0.9, 0.95])))
    ends, pays = ((1, 0), 1.0), ((0, 1), 1.0)
    models = [build([[((1, 0), 0.0)], [first, pays]], goal) for first in (pays, ends)]
    shift = 1 / (2 * (1 - goal.gamma)) * int(rng.integers(2))
    return Case(models[0], both(*models), np.zeros(2) + shift)


def run(case: Case, *, worst_state: int | None = None) -> Trace:
    """Act greedily and evaluate against nature; ``worst_state`` plants a minimising state."""
    mdp, opponent = case.mdp, Opponent.of(case.mdp, case.ambiguity)
    step = robust_bellman(mdp, case.ambiguity, case.v)
    policy = np.array(step.policy, dtype=np.int64)
    if worst_state is not None:
        q = step.q[worst_state]
        policy[worst_state] = int(np.argmin(np.where(np.isfinite(q), q, np.inf)))
    own = opponent.only(mdp.policy_rows(policy))
    solution = robust_value_iteration(mdp, case.ambiguity, v0=case.v, max_iter=1)
    returned = opponent.only(mdp.policy_rows(solution.policy))
    return Trace(
        case,
        policy=policy,
        tv=opponent.top(case.v),
        t_policy=own.top(case.v),
        v_policy=own.optimum(),
        v_star=opponent.optimum(),
        solution=solution,
        v_solution=returned.optimum(),
    )


def admissible(case: Case) -> bool:
    """Tell whether the game is small and moderate, whatever its numbers."""
    return is_game(case.mdp, case.ambiguity, case.v)


# ---- links --------------------------------------------------------------------------------------


def greedy_step(trace: Trace) -> Checks:
    """L_policy v = L v."""
    return Check.equal(trace.t_policy, trace.tv, scale=trace.width)


def policy_above(trace: Trace, pick: Callable[[FloatArray], float] = np.min) -> Checks:
    """v_policy >= L v + gamma/(1-gamma) min d, since L_policy v = L v."""
    below = trace.tv + trace.gamma / (1 - trace.gamma) * pick(trace.step)
    return Check.nonpositive(below - trace.v_policy, scale=trace.width)


def optimum_below(trace: Trace, pick: Callable[[FloatArray], float] = np.max) -> Checks:
    """v* <= L v + gamma/(1-gamma) max d."""
    above = trace.tv + trace.gamma / (1 - trace.gamma) * pick(trace.step)
    return Check.nonpositive(trace.v_star - above, scale=trace.width)


def feasible(trace: Trace) -> Checks:
    """v_policy <= v*."""
    return Check.nonpositive(trace.v_policy - trace.v_star, scale=trace.width)


def span_loss(trace: Trace, factor: float = 1.0) -> Checks:
    """Bound the loss by gamma/(1-gamma) span(d)."""
    bound = factor * trace.gamma / (1 - trace.gamma) * span(trace.step)
    return Check(sup(trace.v_star - trace.v_policy), bound, trivial=trace.most)


def ordered(trace: Trace, factor: float = 2.0) -> Checks:
    """Bound the span form by the residual form: span(d) <= 2 |d|."""
    return Check(span(trace.step), factor * sup(trace.step))


def residual_loss(trace: Trace, factor: float = 2.0) -> Checks:
    """Bound the loss by 2 gamma/(1-gamma) |d|."""
    bound = factor * trace.gamma / (1 - trace.gamma) * sup(trace.step)
    return Check(sup(trace.v_star - trace.v_policy), bound, trivial=trace.most)


def library(trace: Trace, factor: float = 1.0) -> Checks:
    """Bound what robust value iteration's policy loses by its certificate's gap."""
    loss = sup(trace.v_star - trace.v_solution)
    return Check(loss, factor * trace.solution.certificate.gap, trivial=trace.most)


# ---- broken versions ----------------------------------------------------------------------------


def short_sighted(trace: Trace) -> FloatArray:
    """Return the robust optimum for 0.9 gamma: a wrong reference."""
    mdp = trace.case.mdp.with_objective(Discounted(0.9 * trace.gamma))
    return Opponent.of(mdp, trace.case.ambiguity).optimum()


def without_nature(trace: Trace) -> FloatArray:
    """Return the optimum of the nominal model."""
    return optimal_value(trace.case.mdp)


CHAIN = Chain(
    id="robust_core.policy_loss",
    title="What a policy loses against nature that is greedy for a wrong value",
    source=(
        "residual form: Badger, Huang and Petrik 2026 (arXiv:2508.06661), Proposition 3.1; span"
        " form and proof derived"
    ),
    statement=(
        "For a policy robustly greedy at v, with d = Lv - v: 0 <= v* - v_policy <= gamma/(1-gamma)"
        " span(d) <= 2 gamma/(1-gamma) |d|, all values against nature."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="both values by loops over worst_case, of the game and of the policy's rows",
    links=(
        Link("greedy", "L_policy v = L v", greedy_step),
        Link("policy_above", "v_policy >= Lv + gamma/(1-gamma) min d", policy_above),
        Link("optimum_below", "v* <= Lv + gamma/(1-gamma) max d", optimum_below),
        Link("feasible", "v_policy <= v*", feasible),
        Link("span", "v* - v_policy <= gamma/(1-gamma) span(d)", span_loss),
        Link("ordered", "span(d) <= 2 |d|", ordered),
        Link("residual", "v* - v_policy <= 2 gamma/(1-gamma) |d|", residual_loss),
        Link("library", "the library's policy loses at most its certificate's gap", library),
    ),
    twins=(
        Twin(
            "half_span",
            "the span form is claimed with half of its constant",
            links={"span": partial(span_loss, factor=0.5)},
            expect_link="span",
        ),
        Twin(
            "half_residual",
            "the factor 2 of the residual form is dropped",
            links={
                "ordered": partial(ordered, factor=1.0),
                "residual": partial(residual_loss, factor=1.0),
            },
            expect_link=("ordered", "residual"),
        ),
        Twin(
            "mean_step",
            "the mean of d takes the place of its extremes",
            links={
                "policy_above": partial(policy_above, pick=np.mean),
                "optimum_below": partial(optimum_below, pick=np.mean),
            },
            expect_link=("policy_above", "optimum_below"),
        ),
        Twin(
            "wrong_reference",
            "the robust optimum is computed with 0.9 gamma",
            run=altered(run, v_star=short_sighted),
            expect_link="feasible",
        ),
        Twin(
            "without_nature",
            "the loss is measured against the nominal optimum",
            run=altered(run, v_star=without_nature),
            expect_link=("optimum_below", "span"),
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
"""Tight: `betrayed`, where both forms are equalities; `trap`, up to one part in a thousand, where
span(d) is 2 e and, after the shift, |d| is e."""
