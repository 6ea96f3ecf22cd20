"""Rows of a state that share one L1 budget: randomised policies and their saddle point."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory import RobustSolution, TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates import check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models.ambiguity import L1Ball
from mdptheory.operators.robust import RobustStep, robust_bellman
from mdptheory.solvers import robust_solve
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, random_mdp, random_values, value_width
from proofs_checks._oracles import dense_policy_value, optimal_value
from proofs_checks._robust_games import GAMMAS, Opponent, is_game
from proofs_checks._robust_oracles import Game

INSIDE = 1e-9  # how far a state's rows may leave the budget


@case
class Case:
    """A model, the budget of its states, and values.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    ambiguity : L1Ball
        What the rows of a state may move by in all.
    v : array of shape (n_states,)
        Any values.
    """

    mdp: TabularMDP
    ambiguity: L1Ball
    v: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One step at ``v``, by the library and by linear programs, and the library's saddle point.

    Attributes
    ----------
    case : Case
        The instance.
    game : Game
        Rows and rewards of the model.
    step : RobustStep
        The library's step: value and randomised policy.
    by_programs : array of shape (n_states,)
        The step's value by one linear program a state, in nature's rows.
    solution : RobustSolution
        The library's.
    own_budgets : array of shape (n_states,)
        Robust value if every row has the whole budget for itself.
    """

    case: Case
    game: Game
    step: RobustStep
    by_programs: FloatArray
    solution: RobustSolution
    own_budgets: FloatArray

    @property
    def weight(self) -> float:
        """``gamma / (1 - gamma)``."""
        return self.game.gamma / (1 - self.game.gamma)

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return max(value_width(self.case.mdp, self.case.v), 1e-3)


def sample(rng: np.random.Generator) -> Case:
    """Draw a small model with up to three actions a state, and a budget."""
    mdp = random_mdp(rng, max_states=3, gammas=GAMMAS)
    budget, anywhere = float(rng.choice([0.1, 0.25, 0.5, 1.0])), bool(rng.integers(2))
    ball = L1Ball(budget, "all" if anywhere else "nominal", "s")
    return Case(mdp, ball, random_values(rng, mdp.n_states))


def own(ball: L1Ball) -> L1Ball:
    """Give every row the whole budget."""
    return replace(ball, rectangularity="sa")


def run(case: Case, budgets: Callable[[L1Ball], L1Ball] | None = None) -> Trace:
    """Step and solve; a twin changes the budgets that the library is told."""
    told = case.ambiguity if budgets is None else budgets(case.ambiguity)
    mdp, game = case.mdp, Game.of(case.mdp)
    return Trace(
        case,
        game,
        step=robust_bellman(mdp, told, case.v),
        by_programs=by_programs(game, case.ambiguity, case.v),
        solution=robust_solve(mdp, told, tol=1e-10),
        own_budgets=Opponent.of(mdp, own(case.ambiguity)).optimum(),
    )


def mixture(mdp: TabularMDP, policy: IntArray | FloatArray) -> FloatArray:
    """Return a policy as probabilities."""
    if policy.ndim == 2:
        return np.asarray(policy, dtype=np.float64)
    return np.eye(mdp.n_actions)[policy.astype(np.int64)]


def admissible(case: Case) -> bool:
    """Tell whether the model is small and moderate, and its budget one number."""
    shared = case.ambiguity.rectangularity == "s"
    return shared and case.mdp.n_rows <= 9 and is_game(case.mdp, case.ambiguity, case.v)


# ---- second routes ------------------------------------------------------------------------------


def by_programs(game: Game, ball: L1Ball, v: FloatArray) -> FloatArray:
    """Minimise over the rows of each state what the best action earns, by scipy's HiGHS."""
    z, states = game.worth(v), range(game.state[-1] + 1)
    return np.array([program(game.rows[game.state == s], z[game.state == s], ball) for s in states])


def program(p: FloatArray, z: FloatArray, ball: L1Ball) -> float:
    """Minimise u with q_a.z_a <= u for rows q_a that move by at most the budget in all."""
    from scipy.optimize import linprog

    k, n = p.shape
    eye, size = np.eye(k * n), k * n
    earn = np.hstack([np.kron(np.eye(k), np.ones(n)) * z.ravel(), np.zeros((k, size))])
    above = np.vstack([np.hstack([eye, -eye]), np.hstack([-eye, -eye]), np.repeat([0, 1], size)])
    left = np.block([[earn, -np.ones((k, 1))], [above, np.zeros((2 * size + 1, 1))]])
    right = np.concatenate([np.zeros(k), p.ravel(), -p.ravel(), [float(ball.radius)]])
    sums = np.hstack([np.kron(np.eye(k), np.ones(n)), np.zeros((k, size + 1))])
    room = np.where((p.ravel() > 0) | (ball.support == "all"), 1.0, 0.0)
    bounds = [(0.0, x) for x in room] + [(0.0, None)] * size + [(None, None)]
    cost = np.append(np.zeros(2 * size), 1.0)
    answer = linprog(cost, A_ub=left, b_ub=right, A_eq=sums, b_eq=p.sum(axis=1), bounds=bounds)
    if not answer.success:
        raise RuntimeError(f"the linear program ended with: {answer.message}")
    return float(answer.fun)


def against(game: Game, ball: L1Ball, v: FloatArray, pi: FloatArray, mdp: TabularMDP) -> FloatArray:
    """Return what nature leaves of a policy's step in each state."""
    weight, z = pi[game.state, mdp.action], game.worth(v)
    parts = [np.flatnonzero(game.state == s) for s in range(game.state[-1] + 1)]
    return np.array([purchases(game.rows[k], z[k], weight[k], ball) for k in parts])


def purchases(p: FloatArray, z: FloatArray, weight: FloatArray, ball: L1Ball) -> float:
    """Return what nature leaves of one state: she buys the moves that hurt the policy most.

    Moving mass from outcome j of row a to its worst outcome costs 2 a unit and takes
    pi_a (z_aj - min z_a), so that she spends the budget on the largest of these.
    """
    able = np.ones_like(p, dtype=np.bool_) if ball.support == "all" else p > 0
    least = np.where(able, z, np.inf).min(axis=1, keepdims=True)
    harm = (weight[:, None] * (z - least)).ravel()
    left, value = float(ball.radius) / 2, float(weight @ (p * z).sum(axis=1))
    for k in np.argsort(-harm, kind="stable"):
        mass = min(left, p.ravel()[k])
        value, left = value - harm[k] * mass, left - mass
    return value


# ---- links --------------------------------------------------------------------------------------


def minimax(trace: Trace) -> Checks:
    """Compare the library's step with nature's linear programs."""
    value = trace.step.value
    return Check.equal(value, trace.by_programs, slack=1e-7 * trace.width, scale=trace.width)


def policy_attains(trace: Trace) -> Checks:
    """Let nature spend her budget against the step's policy: it still gets the step's value."""
    case = trace.case
    pi = mixture(case.mdp, trace.step.policy)
    left = against(trace.game, case.ambiguity, case.v, pi, case.mdp)
    return Check.nonpositive(trace.by_programs - left, slack=1e-7, scale=trace.width)


def bounds(trace: Trace, *, swap: bool = False) -> Checks:
    """Lv + gamma/(1-gamma) min d <= v* <= Lv + gamma/(1-gamma) max d."""
    step = trace.by_programs - trace.case.v
    low, high = (step.max(), step.min()) if swap else (step.min(), step.max())
    below, above = (trace.by_programs + trace.weight * x for x in (low, high))
    v, slack = trace.solution.v, 1e-7 * trace.width
    return (
        Check.nonpositive(below - v, slack=slack, scale=trace.width),
        Check.nonpositive(v - above, slack=slack, scale=trace.width),
    )


def inside(trace: Trace) -> Checks:
    """Hold what nature moved in each state to the budget."""
    moved = np.abs(Game.of(trace.solution.worst_case).rows - trace.game.rows).sum(axis=1)
    spent = np.bincount(trace.game.state, weights=moved)
    budget = float(trace.case.ambiguity.radius)
    return Check.nonpositive(spent - budget, scale=1.0, slack=INSIDE)


def saddle(trace: Trace) -> Checks:
    """V*_{T*} = V^{pi*}_{T*} = v*, and one step of pi* at v* against any nature gives v*."""
    solution, scale = trace.solution, trace.width
    case, slack = trace.case, 1e-7 * scale
    pi = mixture(case.mdp, solution.policy)
    held = against(trace.game, case.ambiguity, solution.v, pi, case.mdp)
    found = (
        optimal_value(solution.worst_case),
        dense_policy_value(solution.worst_case, pi),
        held,
    )
    checks = [Check.equal(x, solution.v, slack=slack, scale=scale) for x in found]
    return [one for pair in checks for one in pair]


def above_own(trace: Trace) -> Checks:
    """v* is at least the value against rows that have the whole budget each."""
    return Check.nonpositive(trace.own_budgets - trace.solution.v, scale=trace.width)


def certified(trace: Trace, raised: float = 0.0) -> Checks:
    """Let the independent checker accept the certificate, within a gap of 1e-9."""
    claim = trace.solution.certificate
    claim = replace(claim, lower=claim.lower + raised)
    try:
        gap = check(claim, trace.case.mdp).gap
    except InvalidCertificateError:
        gap = np.inf
    return Check.nonpositive(gap - 1e-9, scale=trace.width)


# ---- broken versions ----------------------------------------------------------------------------


def rounded_step(trace: Trace) -> RobustStep:
    """Take the most likely action of the step's policy."""
    return replace(trace.step, policy=_rounded(trace, trace.step.policy))


def rounded_solution(trace: Trace) -> RobustSolution:
    """Take the most likely action of the solution's policy."""
    return replace(trace.solution, policy=_rounded(trace, trace.solution.policy))


def _rounded(trace: Trace, policy: IntArray | FloatArray) -> IntArray:
    return mixture(trace.case.mdp, policy).argmax(axis=1)


def idle(trace: Trace) -> FloatArray:
    """Return the nominal optimum."""
    return optimal_value(trace.case.mdp)


def twice(ball: L1Ball) -> L1Ball:
    """Double the budget."""
    return replace(ball, radius=2 * ball.radius)


CHAIN = Chain(
    id="robust_core.shared_budget",
    title="Rows that share a budget: a saddle point in randomised policies",
    source=(
        "the minimax step: Ho, Petrik and Wiesemann 2018, 2021; bounds, saddle point and second"
        " routes derived"
    ),
    statement=(
        "If the rows of a state may move by kappa in all, L v(s) = max over distributions of"
        " actions of min_q = min_q max_a q_a.z_a. MacQueen's bounds hold; T* and the randomised"
        " pi* of the last step have V*_{T*} = V^{pi*}_{T*} = v*; and v* is at least the value"
        " against rows that may move by kappa each."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="nature's linear programs (HiGHS); her best purchases against a fixed policy",
    links=(
        Link("minimax", "L v = min_q max_a q_a.z_a", minimax),
        Link("policy", "the step's policy gets L v from any nature", policy_attains),
        Link("bounds", "Lv + g/(1-g) min d <= v* <= Lv + g/(1-g) max d", bounds),
        Link("inside", "nature's rows move by kappa in all", inside),
        Link("saddle", "V*_{T*} = V^{pi*}_{T*} = L_{pi*} v* = v*", saddle),
        Link("above_own", "v* >= the value with kappa for each row", above_own),
        Link("certified", "the checker accepts the library's certificate", certified),
    ),
    twins=(
        Twin(
            "rounded",
            "the most likely action is taken instead of randomising",
            run=altered(run, step=rounded_step, solution=rounded_solution),
            expect_link=("policy", "saddle"),
        ),
        Twin(
            "own_budgets",
            "the library gives every row the whole budget",
            run=partial(run, budgets=own),
            expect_link=("minimax", "inside"),
        ),
        Twin(
            "twice",
            "the library doubles the budget",
            run=partial(run, budgets=twice),
            expect_link=("minimax", "inside"),
        ),
        Twin(
            "idle",
            "the nominal optimum stands for the value against rows with budgets of their own",
            run=altered(run, own_budgets=idle),
            expect_link="above_own",
        ),
        Twin(
            "swapped",
            "min d and max d change places",
            links={"bounds": partial(bounds, swap=True)},
            expect_link="bounds",
        ),
        Twin(
            "raised",
            "the certificate's lower bound is raised by 1e-3",
            links={"certified": partial(certified, raised=1e-3)},
            expect_link="certified",
        ),
    ),
)
"""Tight: equalities; the bounds where d is constant."""
