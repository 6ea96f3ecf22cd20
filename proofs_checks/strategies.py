"""One Hypothesis strategy per chain's case; importing this needs the extra ``checks``."""

from collections.abc import Callable

import numpy as np

from mdptheory import Discounted, FiniteHorizon, TabularMDP, TotalReward
from mdptheory.models.ambiguity import KLBall, L1Ball, LinfBall, RowAmbiguity
from mdptheory.theory import strategies as parts
from proofs_checks import (
    absorption,
    certificate_soundness,
    contraction,
    elimination,
    finite_horizon,
    modified_policy_iteration,
    performance_difference,
    policy_iteration,
    policy_loss,
    robust_coverage,
    robust_duality,
    robust_partial_policy_iteration,
    robust_policy_loss,
    robust_residual_contraction,
    robust_saddle,
    robust_sensitivity,
    robust_sets,
    robust_shared_budget,
    robust_static_dynamic,
    robust_stopping,
    simulation,
    stopping,
)
from proofs_checks._bandit_strategies import CASES as BANDIT_CASES
from proofs_checks._cases import Arm, build
from proofs_checks._fair_strategies import CASES as FAIR_CASES
from proofs_checks._iwocs_strategies import CASES as IWOCS_CASES
from proofs_checks._loop_strategies import CASES as LOOP_CASES
from proofs_checks._oracles import as_floats, exact_policy_iteration, exact_policy_value
from proofs_checks._r2pvi_strategies import CASES as R2PVI_CASES
from proofs_checks._robust_games import both
from proofs_checks._soft_strategies import CASES as SOFT_CASES

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

GAMMAS = (0.5, 0.1, 0.9, 0.99)
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
TOLERANCES = (1.0, 0.1, 1e-3)
ROBUST_RADII = (0.0, 0.1, 0.25, 0.5, 1.0)


def _mdps() -> SearchStrategy[TabularMDP]:
    return parts.mdps(gammas=GAMMAS)


@st.composite
def contraction_cases(draw: DrawFn) -> contraction.Case:
    """Generate a model, two value vectors and a constant; shrinks towards zeros."""
    mdp = draw(_mdps())
    u, v = (draw(parts.values(mdp.n_states, low=-2.0, high=2.0)) for _ in range(2))
    return contraction.Case(mdp, u, v, draw(st.sampled_from((0.0, 1.0, -1.0, 2.0))))


@st.composite
def stopping_cases(draw: DrawFn) -> stopping.Case:
    """Generate a model and a value vector; shrinks towards zeros."""
    mdp = draw(_mdps())
    v = draw(parts.values(mdp.n_states, low=-2.0, high=2.0))
    return stopping.Case(mdp, v, draw(st.sampled_from(TOLERANCES)))


@st.composite
def policy_loss_cases(draw: DrawFn) -> policy_loss.Case:
    """Generate a model and a value vector; shrinks towards zeros."""
    mdp = draw(_mdps())
    return policy_loss.Case(mdp, draw(parts.values(mdp.n_states, low=-2.0, high=2.0)))


@st.composite
def elimination_cases(draw: DrawFn) -> elimination.Case:
    """Generate a model and values near its optimum; shrinks towards the optimum."""
    mdp = draw(_mdps())
    error = draw(parts.values(mdp.n_states)) * (1 - mdp.gamma)
    return elimination.Case(mdp, as_floats(exact_policy_iteration(mdp)[0]) + error)


@st.composite
def policy_iteration_cases(draw: DrawFn) -> policy_iteration.Case:
    """Generate a model and a first policy; shrinks towards the first action everywhere."""
    mdp = draw(_mdps())
    return policy_iteration.Case(mdp, draw(parts.policies(mdp)))


@st.composite
def modified_policy_iteration_cases(draw: DrawFn) -> modified_policy_iteration.Case:
    """Generate a model, one to six sweeps and a start; shrinks towards value iteration."""
    sweeps, below = draw(st.integers(1, 6)), draw(st.sampled_from(QUARTERS))
    tol = draw(st.sampled_from(TOLERANCES))
    return modified_policy_iteration.Case(draw(_mdps()), sweeps, below, tol)


@st.composite
def simulation_cases(draw: DrawFn) -> simulation.Case:
    """Generate two models with the same states and actions, and a policy."""
    mdp = draw(_mdps())
    table: list[list[Arm]] = []
    for count in np.diff(mdp.choice_ptr).tolist():
        kernel = draw(parts.kernels(count, mdp.n_states))
        rewards = draw(st.lists(st.sampled_from(QUARTERS), min_size=count, max_size=count))
        table.append(list(zip(kernel.tolist(), rewards, strict=True)))
    return simulation.Case(mdp, build(table, Discounted(mdp.gamma)), draw(parts.policies(mdp)))


@st.composite
def performance_difference_cases(draw: DrawFn) -> performance_difference.Case:
    """Generate two stochastic policies and a first distribution; shrinks towards uniform ones."""
    mdp = draw(_mdps())
    pi, other = (draw(parts.stochastic_policies(mdp)) for _ in range(2))
    return performance_difference.Case(mdp, pi, other, draw(parts.rows(mdp.n_states)))


@st.composite
def finite_horizon_cases(draw: DrawFn) -> finite_horizon.Case:
    """Generate one or two stages of data for two steps, and two policies."""
    n_states, stages = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    terminal = draw(parts.values(n_states, low=0.0, high=2.0))
    goal = FiniteHorizon(2, draw(st.sampled_from((1.0, 0.5, 0.9))), terminal)
    mdp = draw(
        parts.mdps(
            min_states=n_states, max_states=n_states, max_actions=2, objective=goal, stages=stages
        )
    )
    count = 2 // stages  # stage-dependent data give a policy for both stages at once
    plans = [
        np.vstack([draw(parts.policies(mdp)) for _ in range(count)]).reshape(2, n_states)
        for _ in range(2)
    ]
    return finite_horizon.Case(mdp, plans[0], plans[1], draw(parts.rows(n_states)))


@st.composite
def certificate_cases(draw: DrawFn) -> certificate_soundness.Case:
    """Generate a claim whose bounds miss the truth by eighths; shrinks towards the truth."""
    mdp = draw(_mdps())
    policy = draw(parts.policies(mdp))
    low, high = (draw(parts.values(mdp.n_states, low=-0.25)) for _ in range(2))
    own, best = exact_policy_value(mdp, policy), exact_policy_iteration(mdp)[0]
    return certificate_soundness.Case(mdp, policy, as_floats(own) - low, as_floats(best) + high)


@st.composite
def absorption_cases(draw: DrawFn) -> absorption.Case:
    """Generate a path whose first actions may end it, and a claim in plain numbers."""
    inner = draw(st.integers(1, 3))
    table: list[list[Arm]] = []
    for _ in range(inner):
        count = draw(st.integers(1, 2))
        kernel = draw(parts.kernels(count, inner + 1))
        kernel[0, -1] += 1.0
        costs = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
        table.append([(row, 0.0 - c / 4) for row, c in zip(kernel.tolist(), costs, strict=True)])
    mdp = build([*table, [([0] * inner + [1], 0.0)]], TotalReward())
    whole = [draw(parts.values(inner + 1, low=-8.0, high=8.0, steps=16)) for _ in range(3)]
    return absorption.Case(mdp, draw(parts.policies(mdp)), -abs(whole[0]), whole[1], abs(whole[2]))


@st.composite
def robust_duality_cases(draw: DrawFn) -> robust_duality.Case:
    """Generate a row and the data of all sets around it; shrinks towards radius 0."""
    n = draw(st.integers(1, 4))
    quarters = st.sampled_from((1.0, 0.25, 0.5, 2.0))
    cost = np.array(draw(st.lists(quarters, min_size=n * n, max_size=n * n))).reshape(n, n)
    np.fill_diagonal(cost, 0.0)
    return robust_duality.Case(
        draw(parts.rows(n)),
        draw(parts.values(n)),
        draw(st.sampled_from(ROBUST_RADII)),
        np.array(draw(st.lists(quarters, min_size=n, max_size=n))),
        cost,
        draw(parts.kernels(draw(st.integers(1, 3)), n)),
    )


@st.composite
def robust_sets_cases(draw: DrawFn) -> robust_sets.Case:
    """Generate a row, its outcomes' worth and a radius."""
    n = draw(st.integers(1, 5))
    radius = draw(st.sampled_from(ROBUST_RADII[1:-1]))
    return robust_sets.Case(draw(parts.rows(n)), draw(parts.values(n)), radius)


@st.composite
def robust_sensitivity_cases(draw: DrawFn) -> robust_sensitivity.Case:
    """Generate a model with few rows, other values and a radius."""
    mdp = draw(parts.mdps(max_states=3, max_actions=2, gammas=GAMMAS[:3]))
    u = draw(parts.values(mdp.n_states, low=-2.0, high=2.0))
    return robust_sensitivity.Case(mdp, u, draw(st.sampled_from(ROBUST_RADII[1:3])))


@st.composite
def robust_coverage_cases(draw: DrawFn) -> robust_coverage.Case:
    """Generate true rows with rewards, and a few draws from them."""
    n, actions = draw(st.integers(2, 3)), draw(st.integers(1, 2))
    P = draw(parts.kernels(n * actions, n)).reshape(n, actions, n)
    reward = draw(st.lists(st.sampled_from(QUARTERS), min_size=n * actions, max_size=n * actions))
    trials, seed = draw(st.sampled_from((1, 2, 5, 20))), draw(st.integers(0, 99))
    return robust_coverage.Case(P, np.array(reward).reshape(n, actions), trials, seed)


@st.composite
def _pairs(draw: DrawFn) -> tuple[TabularMDP, TabularMDP]:
    """Generate two models with the same rewards, whose rows nature mixes."""
    mdp = draw(parts.mdps(max_states=3, max_actions=2, gammas=GAMMAS[:3]))
    kernel = iter(draw(parts.kernels(mdp.n_rows, mdp.n_states)).tolist())
    table: list[list[Arm]] = [
        [(next(kernel), float(r)) for r in mdp.reward[i:j]]
        for i, j in zip(mdp.choice_ptr[:-1], mdp.choice_ptr[1:], strict=True)
    ]
    return mdp, build(table, mdp.objective)


@st.composite
def _games(draw: DrawFn) -> tuple[TabularMDP, RowAmbiguity]:
    """Generate a model and a set around its rows; shrinks towards two rows for nature."""
    mdp, other = draw(_pairs())
    radius = draw(st.sampled_from(ROBUST_RADII[1:4]))
    balls = (L1Ball(radius, "all"), LinfBall(radius / 2, "all"), KLBall(radius))
    sets: tuple[RowAmbiguity, ...] = (both(mdp, other), *balls)
    return mdp, draw(st.sampled_from(sets))


@st.composite
def robust_static_dynamic_cases(draw: DrawFn) -> robust_static_dynamic.Case:
    """Generate two models, a stochastic policy and values at the end."""
    mdp, other = draw(_pairs())
    end = draw(parts.values(mdp.n_states, low=-2.0, high=2.0))
    return robust_static_dynamic.Case(mdp, other, draw(parts.stochastic_policies(mdp)), end)


@st.composite
def robust_saddle_cases(draw: DrawFn) -> robust_saddle.Case:
    """Generate two models and a radius."""
    return robust_saddle.Case(*draw(_pairs()), draw(st.sampled_from(ROBUST_RADII[1:4])))


@st.composite
def robust_shared_budget_cases(draw: DrawFn) -> robust_shared_budget.Case:
    """Generate a model, the budget of its states and values; shrinks towards zeros."""
    mdp = draw(parts.mdps(max_states=3, max_actions=3, gammas=GAMMAS[:3]))
    budget, support = draw(st.sampled_from(ROBUST_RADII[1:])), draw(st.booleans())
    ball = L1Ball(budget, "nominal" if support else "all", "s")
    v = draw(parts.values(mdp.n_states, low=-2.0, high=2.0))
    return robust_shared_budget.Case(mdp, ball, v)


@st.composite
def robust_stopping_cases(draw: DrawFn) -> robust_stopping.Case:
    """Generate a game, two value vectors and a constant; shrinks towards zeros."""
    mdp, ambiguity = draw(_games())
    u, v = (draw(parts.values(mdp.n_states, low=-2.0, high=2.0)) for _ in range(2))
    shift, tol = draw(st.sampled_from((0.0, 1.0, -1.0))), draw(st.sampled_from(TOLERANCES))
    return robust_stopping.Case(mdp, ambiguity, u, v, shift, tol)


@st.composite
def robust_policy_loss_cases(draw: DrawFn) -> robust_policy_loss.Case:
    """Generate a game and a value vector; shrinks towards zeros."""
    mdp, ambiguity = draw(_games())
    v = draw(parts.values(mdp.n_states, low=-2.0, high=2.0))
    return robust_policy_loss.Case(mdp, ambiguity, v)


@st.composite
def robust_partial_cases(draw: DrawFn) -> robust_partial_policy_iteration.Case:
    """Generate a game, a start and a first tolerance; shrinks towards a start at zero."""
    mdp, ambiguity = draw(_games())
    v = draw(parts.values(mdp.n_states, low=-2.0, high=2.0))
    first, tol = draw(st.sampled_from((1.0, 0.25, 4.0))), draw(st.sampled_from(TOLERANCES))
    return robust_partial_policy_iteration.Case(mdp, ambiguity, v, first, tol)


@st.composite
def robust_residual_cases(draw: DrawFn) -> robust_residual_contraction.Case:
    """Generate a game and a start; shrinks towards a start at zero."""
    mdp, ambiguity = draw(_games())
    v = draw(parts.values(mdp.n_states, low=-2.0, high=2.0))
    return robust_residual_contraction.Case(mdp, ambiguity, v)


CASES: dict[str, Callable[[], SearchStrategy[object]]] = {
    "planning.contraction": contraction_cases,
    "planning.stopping": stopping_cases,
    "planning.policy_loss": policy_loss_cases,
    "planning.elimination": elimination_cases,
    "planning.policy_iteration": policy_iteration_cases,
    "planning.modified_policy_iteration": modified_policy_iteration_cases,
    "planning.simulation": simulation_cases,
    "planning.performance_difference": performance_difference_cases,
    "planning.finite_horizon": finite_horizon_cases,
    "planning.certificate": certificate_cases,
    "planning.absorption": absorption_cases,
    "robust_core.weak_duality": robust_duality_cases,
    "robust_core.nesting": robust_sets_cases,
    "robust_core.sensitivity": robust_sensitivity_cases,
    "robust_core.coverage": robust_coverage_cases,
    "robust_core.static_dynamic": robust_static_dynamic_cases,
    "robust_core.saddle": robust_saddle_cases,
    "robust_core.shared_budget": robust_shared_budget_cases,
    "robust_core.stopping": robust_stopping_cases,
    "robust_core.policy_loss": robust_policy_loss_cases,
    "robust_core.partial_policy_iteration": robust_partial_cases,
    "robust_core.residual_contraction": robust_residual_cases,
    **IWOCS_CASES,
    **R2PVI_CASES,
    **SOFT_CASES,
    **BANDIT_CASES,
    **LOOP_CASES,
    **FAIR_CASES,
}
