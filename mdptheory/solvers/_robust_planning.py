"""What the robust planners share: sweeps against nature, certified bounds, the saddle."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory.errors import InvalidModelError
from mdptheory.iterate import Step, iterate
from mdptheory.models import (
    AmbiguitySet,
    Convergence,
    Discounted,
    FactorSet,
    RobustSolution,
    TabularMDP,
)
from mdptheory.operators.backup import PolicyRows
from mdptheory.operators.dispatch import game
from mdptheory.operators.fixed_policy import FixedPolicy
from mdptheory.operators.game import Game, Held
from mdptheory.operators.nature import reaches_beyond
from mdptheory.solvers._evaluation import KRYLOV_STEPS, solve_directly
from mdptheory.solvers._planning import (
    PATIENCE,
    TINY,
    UNIT,
    check_options,
    check_range,
    starting_value,
)
from mdptheory.solvers._robust_certificate import duals, saddle

ROUNDINGS = 6  # of a row's outcomes: sums, walks over donors, the checker's repair of the row
DENSE_STATES = 64  # below this, dense elimination beats anything
SPARSE_STATES = 5_000  # above this, fill-in makes elimination slower than more sweeps
STALE = 3  # rounds of nature's without progress before rounding is held to be in the way
CONTRACT = 0.01  # of the residual, which a linear solve leaves at most
FIRST_ROUNDS = 5  # of nature's, for the first policy, which is about to change
ROUNDS = 200
FLOOR = 1e-14  # of the residual, relative to the value: rounding
CONSTANT = 64  # roundings that do not grow with a row


def require_robust(mdp: TabularMDP, solver: str) -> None:
    """Refuse another objective, naming the solver that fits."""
    kind = type(mdp.objective).__name__
    if kind == "FiniteHorizon":
        raise InvalidModelError(
            f"mdp has objective {kind}; {solver} expects Discounted (robust_backward_induction and"
            " robust_solve take it)"
        )
    if not isinstance(mdp.objective, Discounted):
        raise InvalidModelError(
            f"mdp has objective {kind}; {solver} expects Discounted: nature may put off absorption"
            " for ever"
        )


def largest_reward(mdp: TabularMDP) -> float:
    """Return the largest reward in absolute value that nature's rows can pay."""
    size = float(np.abs(mdp.reward).max())
    if mdp.transition_reward is None:
        return size
    return max(size, float(np.abs(mdp.transition_reward).max()))


def row_rounding(mdp: TabularMDP, ambiguity: AmbiguitySet) -> float:
    """Return a bound on the relative rounding of nature's value of a row, and of its proof."""
    everywhere = isinstance(ambiguity, FactorSet) or reaches_beyond(ambiguity)
    longest = mdp.n_states if everywhere else int(np.diff(mdp.row_ptr).max())
    return (ROUNDINGS * longest + CONSTANT) * UNIT


Improve: TypeAlias = Callable[["RobustPlanner"], object]
"""Moves ``planner.v`` and leaves ``planner.sweep()`` done there."""


def play(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    improve: Improve,
    *,
    tol: float,
    max_iter: int,
    v0: npt.ArrayLike | None = None,
    policy: IntArray | FloatArray | None = None,
) -> RobustSolution:
    """Alternate greedy sweeps against nature with ``improve`` until the enclosure is narrow enough.

    The robust operator L is monotone and moves with constants, so that MacQueen's bounds hold:
    with ``d = L v - v``, ``L v + g/(1-g) min d <= v* <= L v + g/(1-g) max d``. With a ``policy``, L
    is that policy's operator and ``v*`` its value.
    """
    check_options(tol, max_iter)
    board = game(mdp, ambiguity)
    if policy is not None:
        board = FixedPolicy(board, policy)
    with board:
        planner = RobustPlanner(mdp, ambiguity, board, improve, tol, v0)
        convergence = iterate(planner.advance, tol=tol, max_iter=max_iter)
        return planner.conclude(convergence)


class RobustPlanner:
    """The state of one robust solve, advanced by `iterate`."""

    def __init__(
        self,
        mdp: TabularMDP,
        ambiguity: AmbiguitySet,
        board: Game,
        improve: Improve,
        tol: float,
        v0: npt.ArrayLike | None,
    ) -> None:
        self.mdp, self.ambiguity, self.game, self.tol = mdp, ambiguity, board, tol
        self.improve = improve
        self.gamma = mdp.gamma
        self.discount = mdp.gamma / (1.0 - mdp.gamma)
        self.scale, self.relative = largest_reward(mdp), row_rounding(mdp, ambiguity)
        check_range(self.scale * (1.0 + self.discount) * (1.0 + self.discount) * 8.0, self.scale)
        least = mdp.reward if mdp.transition_reward is None else mdp.transition_reward
        self.v = starting_value(mdp, v0, float(least.min()) / (1.0 - mdp.gamma))
        self.top = np.empty(mdp.n_states)
        self.low = self.high = self.slack = self.pad = 0.0
        self.narrowest, self.stale = math.inf, 0
        self.rounding = math.inf  # the pad one step earlier

    def advance(self, i: int) -> Step:
        """Improve the value, with one sweep of the robust operator at the end of it."""
        if i == 0:
            self.sweep()
        else:
            self.improve(self)
        gap = self.gap
        settled = self.pad > self.rounding / 2.0
        self.rounding = self.pad
        if not settled:  # what is left of the starting value rounds more than the model does
            self.narrowest = min(self.narrowest, gap)
            return Step(self.low, self.high, gap + self.pad, 0.0, self.game.work)
        if gap < self.narrowest:
            self.narrowest, self.stale = gap, 0
        else:
            self.stale += 1
        near = gap * (1.0 - self.gamma) <= 2.0 * self.pad + self.slack
        if self.stale >= PATIENCE and near:  # roundings that add up round a cycle
            return Step(self.low, self.high, 0.0, gap + self.pad, self.game.work)
        return Step(self.low, self.high, gap, self.pad, self.game.work)

    @property
    def gap(self) -> float:
        """Half the width of the enclosure, before rounding."""
        return (self.discount * (self.high - self.low) + self.slack / (1.0 - self.gamma)) / 2

    @property
    def residual(self) -> float:
        """Sup norm of ``L v - v``."""
        return max(abs(self.low), abs(self.high))

    @property
    def floor(self) -> float:
        """What rounding leaves of a residual."""
        return (1.0 - self.gamma) * self.pad

    @property
    def target(self) -> float:
        """The span of a greedy step at which the solve ends."""
        goal = max(self.tol - self.pad, self.pad)
        return 2.0 * goal / max(self.discount, 1e-300)

    def sweep(self) -> None:
        """Apply the robust operator at ``v``; bound what rounding may have done."""
        self.low, self.high, self.slack = self.game.greedy(self.v, self.top)
        reach = float(np.abs(self.top).max()) + self.residual * (1.0 + self.discount)
        size = self.scale + reach
        self.pad = (self.relative * size + TINY) / (1.0 - self.gamma) if size > 0.0 else 0.0
        check_range(size + self.pad, self.scale)

    def conclude(self, convergence: Convergence) -> RobustSolution:
        """Assemble the solution and its certificate from the last sweep."""
        mdp, game = self.mdp, self.game
        low = (self.gamma * self.low - self.slack) / (1.0 - self.gamma) - self.pad
        high = self.discount * self.high + self.pad
        lower, upper = self.top + low, self.top + high
        reply = game.reply(self.v)
        shift = self.gamma * (self.low + low)
        variables = duals(game, self.ambiguity, reply, lower, shift)
        certificate = saddle(
            mdp,
            self.ambiguity,
            (lower, upper),
            game.policy(),
            [reply],
            [variables],
            fixed=isinstance(game, FixedPolicy),
        )
        middle = self.discount * (self.low + self.high) / 2
        return RobustSolution(
            v=self.top + (low + high) / 2,
            q=mdp.table(reply.value + middle),
            policy=certificate.policy,
            worst_case=certificate.worst_case,
            convergence=convergence,
            certificate=certificate,
            state_names=mdp.state_names,
            action_names=mdp.action_names,
        )


def solve_frozen(rows: PolicyRows, v: FloatArray, gamma: float, goal: float) -> FloatArray:
    """Solve for the value of a policy with nature's reply held fixed; ``v`` is overwritten.

    Krylov steps leave a residual of ``goal`` at most, unless values travel too slowly for them:
    then a medium model is eliminated.
    """
    n = len(v)
    if n <= DENSE_STATES:
        P = rows.matrix().toarray()
        value: FloatArray = np.linalg.solve(np.eye(n) - gamma * P, rows.reward)
        return value
    if rows.krylov(v, goal=goal, limit=KRYLOV_STEPS) > goal and n <= SPARSE_STATES:
        return solve_directly(rows, gamma)
    return v


def evaluate_held(
    held: Held, v: FloatArray, gamma: float, *, goal: float, rounds: int
) -> FloatArray:
    """Evaluate a policy against nature until its residual is at most ``goal``.

    This is policy iteration of nature's: solve with her reply held fixed, let her reply again.
    Stops as well where a round no longer helps: rounding, or a linear solve that broke down.
    """
    best, stale = math.inf, 0
    for _ in range(rounds):
        v, _, low, high = held.sweeps(v, goal=-1.0, limit=1)
        residual = max(abs(low), abs(high))
        stale = 0 if residual < best else stale + 1
        if residual <= goal or stale >= STALE:
            break
        best = min(best, residual)
        v = solve_frozen(held.frozen(v), v.copy(), gamma, 0.1 * goal)
    return v


def contract(planner: RobustPlanner) -> bool:
    """Solve with both players' choices held fixed, unless ``L v`` contracts the residual more.

    The residual shrinks by ``gamma`` at least, up to nature's slack and rounding. Returns whether
    the solve did that.
    """
    psi, inexact = planner.residual, 2.0 * (1.0 + planner.gamma) * planner.slack
    following = planner.top.copy()
    rows = planner.game.hold().frozen(planner.v)
    goal = max(CONTRACT * psi, 0.1 * planner.target)
    planner.v = solve_frozen(rows, following.copy(), planner.gamma, goal)
    planner.sweep()
    if planner.residual > planner.gamma * psi + inexact and planner.residual > planner.floor:
        planner.v = following
        planner.sweep()
        return False
    return True


class Schedule:
    """Partial policy iteration: the tolerance of the evaluations so far."""

    def __init__(self) -> None:
        self.goal, self.count = 1.0, 0

    def evaluate(self, planner: RobustPlanner) -> None:
        """Evaluate the greedy policy to the tolerance of this step."""
        floor = FLOOR * (1.0 + float(abs(planner.v).max()))
        rounds = FIRST_ROUNDS if self.count == 0 else ROUNDS
        planner.v = evaluate_held(
            planner.game.hold(), planner.top.copy(), planner.gamma, goal=self.goal, rounds=rounds
        )
        planner.sweep()
        rate = min(planner.gamma**2, 0.95)
        self.goal = max(rate * min(0.5 * planner.residual, self.goal), floor)
        self.count += 1
