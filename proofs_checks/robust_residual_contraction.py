"""Both players held fixed: a residual that contracts with the safeguard, and cycles without it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, RobustSolution, Status, TabularMDP
from mdptheory._typing import FloatArray
from mdptheory.models.ambiguity import RowAmbiguity
from mdptheory.solvers import rcpi
from mdptheory.solvers._robust_planning import RobustPlanner, play, solve_frozen
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, build, random_values, sup, value_width
from proofs_checks._robust_games import Opponent, both, is_game, policies_of, random_game

STEPS = 5
EXACT = 1e-6  # an eps that is not told from none
LIMIT = 60  # greedy steps of the library's solver; value iteration would need more

Solve = Callable[["Case", int], RobustSolution]


@case
class Case:
    """A game and a start.

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
    """The iteration in plain loops, the pair of players that each step froze, and the truth.

    Attributes
    ----------
    case : Case
        The instance.
    opponent : Opponent
        The game in plain loops.
    values, swept : array of shape (1 + STEPS, n_states)
        The iterates ``v_k`` and ``L v_k``.
    joint : array of shape (STEPS, n_states)
        One step at ``v_k`` with both players' choices at ``v_k``.
    held : array of shape (STEPS, n_states)
        Value of the k-th policy under the k-th kernel: ``u_k``.
    best_held : array of shape (STEPS, n_states)
        Best value of any policy under the k-th kernel.
    own : array of shape (STEPS, n_states)
        Robust value of the k-th policy.
    v_star : array of shape (n_states,)
        Robust optimal value.
    solution : RobustSolution
        What the library's solver returned.
    reported : array of shape (k,)
        Residuals that it reports after 1, 2, ... greedy steps, STEPS at most.
    """

    case: Case
    opponent: Opponent
    values: FloatArray
    swept: FloatArray
    joint: FloatArray
    held: FloatArray
    best_held: FloatArray
    own: FloatArray
    v_star: FloatArray
    solution: RobustSolution
    reported: FloatArray

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def residuals(self) -> FloatArray:
        """Return ``psi_k = |L v_k - v_k|``."""
        return np.asarray(np.abs(self.swept - self.values).max(axis=1))

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp, self.values)


def sample(rng: np.random.Generator) -> Case:
    """Draw a game and a start near its optimum or anywhere, or the instance that cycles."""
    if rng.integers(8) == 0:
        return cycle()
    mdp, ambiguity = random_game(rng)
    v = random_values(rng, mdp.n_states) * float(rng.choice([0.0, 0.25, 1.0]))
    if rng.integers(2):
        v = v + Opponent.of(mdp, ambiguity).optimum()
    return Case(mdp, ambiguity, v)


def cycle() -> Case:
    """Return the instance on which freezing both players cycles: 80, 20, 80, 20.

    State 0 pays 3 for ever, 60 in all. State 1 may stay for 1, or ask for 4 and let nature choose
    between staying and state 0; it is worth 61.
    """
    home, stay = ((1, 0), 3.0), ((0, 1), 1.0)
    models = [build([[home], [stay, (end, 4.0)]], Discounted(0.95)) for end in ((0, 1), (1, 0))]
    return Case(models[0], both(*models), np.array([60.0, 80.0]))


def by_library(case: Case, limit: int) -> RobustSolution:
    """Solve by the library's residual-contracting policy iteration."""
    return rcpi(case.mdp, case.ambiguity, tol=1e-9, v0=case.v, max_iter=limit)


def naively(case: Case, limit: int) -> RobustSolution:
    """Solve with both players frozen and no safeguard, in the library's loop."""
    return play(case.mdp, case.ambiguity, freeze_both, tol=1e-9, max_iter=limit, v0=case.v)


def freeze_both(planner: RobustPlanner) -> None:
    """Move to the value of the greedy policy under nature's reply, come what may."""
    rows = planner.game.hold().frozen(planner.v)
    planner.v = solve_frozen(rows, planner.top.copy(), planner.gamma, 1e-12)
    planner.sweep()


def run(case: Case, *, safe: bool = True, idle: bool = False, solve: Solve = by_library) -> Trace:
    """Freeze both players at each iterate; without ``safe`` go wherever that leads."""
    opponent = Opponent.of(case.mdp, case.ambiguity)
    game, gamma, v = opponent.game, case.mdp.gamma, case.v
    values, swept, joint, held, best, own = [v], [opponent.top(v)], [], [], [], []
    policies = [case.mdp.policy_rows(policy) for policy in policies_of(case.mdp)]
    for _ in range(STEPS):
        q, rows = opponent.rows(v)
        chosen = game.greedy(q)
        rows = game.rows if idle else rows
        u = game.value(rows, chosen)
        joint.append(game.reward[chosen] + gamma * rows[chosen] @ v)
        held.append(u)
        best.append(np.max([game.value(rows, policy) for policy in policies], axis=0))
        own.append(opponent.only(chosen).optimum())
        v = _following(opponent, v, u) if safe else u
        values.append(v)
        swept.append(opponent.top(v))
    solution = solve(case, LIMIT)
    return Trace(
        case,
        opponent,
        values=np.array(values),
        swept=np.array(swept),
        joint=np.array(joint),
        held=np.array(held),
        best_held=np.array(best),
        own=np.array(own),
        v_star=opponent.optimum(),
        solution=solution,
        reported=_reported(case, solve, solution.convergence.iterations),
    )


def _following(opponent: Opponent, v: FloatArray, u: FloatArray) -> FloatArray:
    """Return u if its residual is at most gamma times that of v, else L v."""
    swept = opponent.top(v)
    return u if sup(opponent.top(u) - u) <= opponent.game.gamma * sup(swept - v) else swept


def _reported(case: Case, solve: Solve, iterations: int) -> FloatArray:
    limits = range(1, min(STEPS, iterations) + 1)
    return np.array([solve(case, limit).convergence.residual for limit in limits])


def admissible(case: Case) -> bool:
    """Tell whether the game is small and moderate, whatever its numbers."""
    return is_game(case.mdp, case.ambiguity, case.v)


# ---- links --------------------------------------------------------------------------------------


def joint_step(trace: Trace) -> Checks:
    """Take a step with both players' choices at v_k held fixed: it gives L v_k."""
    return Check.equal(trace.joint, trace.swept[:-1], scale=trace.width)


def contracts(trace: Trace, power: int = 1) -> Checks:
    """psi_{k+1} <= gamma psi_k."""
    psi = trace.residuals
    return Check.worst(psi[1:], trace.gamma**power * psi[:-1], trivial=np.maximum(psi[:-1], 1e-6))


def rate(trace: Trace, *, horizon: bool = True) -> Checks:
    """Bound |v_k - v*| by gamma^k psi_0/(1-gamma)."""
    error = np.abs(trace.values - trace.v_star).max(axis=1)
    steps = 1 / (1 - trace.gamma) if horizon else 1.0
    return Check.worst(error, trace.gamma ** np.arange(1 + STEPS) * trace.residuals[0] * steps)


def duality(trace: Trace) -> Checks:
    """Find v* below what the best policy earns under the frozen kernel."""
    return Check.nonpositive(trace.v_star - trace.best_held, scale=trace.width)


def two_eps(trace: Trace, factor: float = 2.0) -> Checks:
    """Bound v* - w_k by 2 eps, eps being the most that either player gains by deviating.

    (pi, q) is an eps-saddle: no policy earns more than u + eps against q, and no kernel holds pi
    below u - eps. Exact saddle points say nothing about the factor and are skipped.
    """
    gain = np.abs(trace.best_held - trace.held).max(axis=1)
    harm = np.abs(trace.held - trace.own).max(axis=1)
    loss, eps = np.abs(trace.v_star - trace.own).max(axis=1), np.maximum(gain, harm)
    told = eps > EXACT
    return Check.worst(loss[told], factor * eps[told]) if told.any() else ()


def library(trace: Trace) -> Checks:
    """Find the solver converged, at v*, with residuals that contract."""
    psi, ended = trace.reported, trace.solution.convergence.status is Status.CONVERGED
    steps = (Check.worst(psi[1:], trace.gamma * psi[:-1]),) if len(psi) > 1 else ()
    return (
        Check(float(not ended), 0.0, slack=0.0, scale=1.0),
        Check(sup(trace.solution.v - trace.v_star), trace.solution.convergence.error_bound),
        *steps,
    )


# ---- broken versions ----------------------------------------------------------------------------


def wishful_optimum(trace: Trace) -> FloatArray:
    """Return the optimum, and the largest reward once more: a wrong reference."""
    return trace.v_star + 1.0


CHAIN = Chain(
    id="robust_core.residual_contraction",
    title="With its safeguard, freezing both players contracts the residual",
    source=(
        "Badger, Huang and Petrik 2026 (arXiv:2508.06661): residual contraction (Lemma 5.3),"
        " eps-saddles; proofs derived"
    ),
    statement=(
        "Let u be the value of the greedy policy under nature's reply at v, psi = |Lv - v|. Going"
        " on from u if psi(u) <= gamma psi(v), else from Lv, gives psi_{k+1} <= gamma psi_k and"
        " |v_k - v*| <= gamma^k psi_0/(1-gamma). If neither player gains more than eps by deviating"
        " from (pi, q), then pi is 2 eps-optimal against nature."
    ),
    provenance=Provenance.PAPER,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="loops over worst_case; every policy under the frozen kernels",
    links=(
        Link("joint", "r + gamma P v = L v with both players' choices at v", joint_step),
        Link("contracts", "psi_{k+1} <= gamma psi_k", contracts),
        Link("rate", "|v_k - v*| <= gamma^k psi_0/(1-gamma)", rate),
        Link("duality", "v* <= max_pi' V^pi'_q for every kernel q", duality),
        Link("two_eps", "an eps-saddle's policy loses at most 2 eps", two_eps),
        Link("library", "rcpi converges to v*, and its residuals contract", library),
    ),
    twins=(
        Twin(
            "naive",
            "both players are frozen without the safeguard (naive policy iteration)",
            run=partial(run, safe=False, solve=naively),
            expect_link=("contracts", "library"),
        ),
        Twin(
            "idle",
            "the nominal rows are frozen instead of nature's reply",
            run=partial(run, idle=True),
            expect_link="joint",
        ),
        Twin(
            "wrong_reference",
            "the robust optimum is taken to be larger by 1",
            run=altered(run, v_star=wishful_optimum),
            expect_link=("rate", "duality", "library"),
        ),
        Twin(
            "gamma_squared",
            "the residual is claimed to shrink by gamma^2",
            links={"contracts": partial(contracts, power=2)},
            expect_link="contracts",
        ),
        Twin(
            "no_horizon",
            "the factor 1/(1-gamma) of the rate is dropped",
            links={"rate": partial(rate, horizon=False)},
            expect_link="rate",
        ),
        Twin(
            "one_eps",
            "an eps-saddle's policy is claimed to lose at most eps",
            links={"two_eps": partial(two_eps, factor=1.0)},
            expect_link="two_eps",
        ),
    ),
)
"""Tight: value iteration's own steps, where both players' choices change nothing."""
