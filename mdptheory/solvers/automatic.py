"""The solver that picks the solver."""

import math
from dataclasses import replace

from mdptheory._typing import FloatArray
from mdptheory.models import Discounted, FiniteHorizon, Solution, Status, TabularMDP
from mdptheory.operators.backup import Backup
from mdptheory.solvers._evaluation import evaluate_exactly
from mdptheory.solvers._planning import check_options, plan
from mdptheory.solvers.backward_induction import backward_induction
from mdptheory.solvers.policy_iteration import policy_iteration

MAX_STEPS = 10_000
SLOW = 0.8  # a greedy step that leaves this part of the last one's span: values travel slowly
SAFETY = 1.5
KRYLOV_STEPS = 100
KRYLOV_FORCING = 0.005
PATIENCE = 20  # slow steps within which the span must halve


class Adaptation:
    """Sweep over promising rows while the span falls fast, else in place and by a Krylov method.

    On well-mixing models the span of the greedy step falls fast: nothing is cheaper than sweeps
    over the rows that promise to be optimal. On chains and grids values travel one state a sweep:
    there, greedy updates in place (forwards and backwards) carry them across the whole model, and
    BiCGSTAB with a symmetric Gauss-Seidel preconditioner finds the policy's value. Loosely solved,
    two policies may take turns for ever: where the span stops to fall, policies are evaluated
    exactly from then on, and it ends as policy iteration does. The choice depends on spans only,
    so that equal runs take equal steps.
    """

    def __init__(self) -> None:
        self.slow = False
        self.exact = False
        self.before = math.inf
        self.lowest, self.idle = math.inf, 0  # span of a slow step, and steps since it halved

    def evaluate(self, backup: Backup, v: FloatArray, span: float, target: float) -> FloatArray:
        """Improve ``v`` towards the value of the best rows, where sweeps alone are slow."""
        if span > max(SLOW * self.before, target):
            self.slow = True
        self.before = span
        if not self.slow:
            return v
        if span < 0.5 * self.lowest:
            self.lowest, self.idle = span, 0
        else:
            self.idle += 1
        self.exact |= self.idle >= PATIENCE
        return self.evaluate_slowly(backup, v, target)

    def evaluate_slowly(self, backup: Backup, v: FloatArray, target: float) -> FloatArray:
        """Carry values across the model in place, then solve for the policy's value.

        From a policy's exact value the in-place updates only rise, and so does the next policy's
        value: with exact evaluation no policy comes back.
        """
        backup.greedy_in_place(v, backwards=True)
        change = backup.greedy_in_place(v, backwards=False)
        if self.exact:
            return evaluate_exactly(backup, v, change, target)
        goal = max(KRYLOV_FORCING * change, 0.2 * target)
        backup.policy_rows(whole=True).krylov(v, goal=goal, limit=KRYLOV_STEPS)
        return v

    def narrow(self, gamma: float, before: float, span: float) -> float:
        """Return the threshold within which an action may still become the best one.

        Where steps shrink by a factor ``rate``, values will move by ``rate / (1 - rate)`` times
        the last step: a guess, which the sweep over all rows at the end checks, whereas
        `value_iteration` insists on a proof.
        """
        if self.slow or not before < math.inf:
            return math.inf
        rate = min(max(span / before, 0.1), SLOW) if before > 0 else 0.0
        return min(SAFETY * rate / (1.0 - rate), gamma / (1.0 - gamma)) * span


def solve(mdp: TabularMDP, *, tol: float = 1e-6) -> Solution:
    """Find an optimal policy and prove its value, by the fastest planner for this model.

    Parameters
    ----------
    mdp : TabularMDP
        A model with any objective.
    tol : float
        Largest certified error of ``v`` in the sup norm, (discounted) reward.

    Returns
    -------
    Solution
        Value, action values, policy, convergence and certificate.

    Raises
    ------
    InvalidModelError
        If ``tol`` is not positive, or the total reward of the model is not finite.

    Notes
    -----
    A finite horizon is solved by `backward_induction`, a total reward by `policy_iteration`. A
    discounted reward starts as value iteration over the rows that promise to be optimal, and
    changes to in-place updates with Krylov evaluation as soon as a greedy step shrinks too little;
    either way the solve ends with a sweep over all rows, which proves the bounds.

    Examples
    --------
    >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    >>> solution = solve(mdp, tol=1e-9)
    >>> solution.v.round(6), solution.policy
    (array([1.818182, 0.      ]), array([0, 0]))
    """
    if isinstance(mdp.objective, FiniteHorizon):
        check_options(tol, MAX_STEPS)
        return _within(backward_induction(mdp), tol)
    if not isinstance(mdp.objective, Discounted):
        return policy_iteration(mdp, tol=tol)
    adapt = Adaptation()
    return plan(mdp, adapt.evaluate, tol=tol, max_iter=MAX_STEPS, narrowing=adapt.narrow)


def _within(solution: Solution, tol: float) -> Solution:
    """Say so where rounding alone exceeds the tolerance of an otherwise exact solution."""
    if solution.convergence.error_bound <= tol:
        return solution
    return replace(solution, convergence=replace(solution.convergence, status=Status.ROUNDING))
