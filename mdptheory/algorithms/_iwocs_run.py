"""The loop of IWOCS: plan in a kernel, bound, let nature choose the next one."""

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms._against_nature import (
    Evaluation,
    estimate_coupled,
    evaluate_coupled,
    evaluate_robustly,
    solve_robustly,
)
from mdptheory.algorithms._iwocs_records import (
    IWOCSOptions,
    IWOCSRecord,
    IWOCSResult,
    IWOCSStatus,
    MonteCarlo,
)
from mdptheory.algorithms._nature import FiniteNature, opponent
from mdptheory.algorithms._rows import (
    TIE,
    Kernel,
    Rows,
    as_model,
    greedy_rows,
    join,
    normalised,
    slack,
    values,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models import AmbiguitySet, FiniteSet, IntervalSet, TabularMDP
from mdptheory.models.rows import row_sums
from mdptheory.solvers import policy_iteration, value_iteration


class Step(NamedTuple):
    """What one iteration finds."""

    q: FloatArray  # upper bound on the robust value of each row
    rows: IntArray  # of the policy
    found: Evaluation
    next_kernel: Kernel
    spent: bool  # the next kernel adds nothing
    backups: int
    solves: int
    standard_error: float = 0.0


class Run:
    """The state of one run: kernels found, least row values, best bounds so far."""

    def __init__(
        self,
        mdp: TabularMDP,
        ambiguity: AmbiguitySet,
        start: FloatArray,
        options: IWOCSOptions,
        rng: np.random.Generator | int,
    ) -> None:
        self.mdp, self.start, self.options = mdp, start, options
        self.coupled = isinstance(ambiguity, FiniteSet) and bool(ambiguity.coupled)
        self._check_coupling()
        self.nature = opponent(mdp, ambiguity)
        self.kernel = self._first(ambiguity)
        self.rng = np.random.default_rng(rng)
        self.known: dict[bytes, int] = {}
        self.kernels: list[Kernel] = []
        self._remember(self.kernel)
        self.q_min = np.full(mdp.n_rows, np.inf)
        self.rows: IntArray = np.asarray(mdp.choice_ptr[:-1])
        self.dual = np.inf  # least optimal value at the start over the kernels
        self.upper, self.lower = np.inf, -np.inf
        self.best: Step | None = None
        self.history: list[IWOCSRecord] = []

    def _check_coupling(self) -> None:
        selection = self.options.selection
        if self.coupled and selection in ("nature_greedy", "hull"):
            raise InvalidModelError(
                f"selection is {selection!r} and the kernels are coupled; its guarantee needs a"
                " choice for each pair: expected FiniteSet(kernels, coupled=False)"
            )
        if isinstance(self.options.evaluator, MonteCarlo) and not self.coupled:
            raise InvalidModelError(
                "evaluator is MonteCarlo, which simulates each kernel of a coupled family; nature's"
                " choices by pair are too many: expected evaluator='exact'"
            )

    def _first(self, ambiguity: AmbiguitySet) -> Kernel:
        index, mdp = self.options.T0, self.mdp
        if isinstance(self.nature, FiniteNature):
            if index >= self.nature.count:
                raise InvalidModelError(
                    f"T0 is {index}; expected an index in [0, {self.nature.count})"
                )
            return self.nature.kernel(np.full(mdp.n_rows, index))
        if index:
            raise InvalidModelError(f"T0 is {index}; only a FiniteSet has kernels to index")
        if isinstance(ambiguity, IntervalSet):  # the nominal kernel may lie outside
            return self.nature.reply(np.zeros(mdp.n_states))[1]
        ptr = np.asarray(mdp.row_ptr, dtype=np.int64)
        prob, paid, reward = normalised(ptr, mdp.prob), mdp.transition_reward, mdp.reward
        if paid is None:
            return Kernel(Rows(ptr, mdp.next_state, prob, np.empty(0), reward), None)
        return Kernel(Rows(ptr, mdp.next_state, prob, paid, row_sums(prob * paid, ptr)), None)

    # ---- the loop -----------------------------------------------------------------------------

    def loop(self, tol: float, max_iter: int) -> IWOCSStatus:
        """Iterate until the bounds meet, nothing new comes, or the limit is reached."""
        advance: dict[str, Callable[[], Step]] = {
            "policy_worst": self._least_of_all,
            "random": self._least_of_all,
            "nature_greedy": self._greedy_nature,
            "hull": self._hull,
        }
        simulated = isinstance(self.options.evaluator, MonteCarlo)
        for _ in range(max_iter):
            began = time.perf_counter()
            step = advance[self.options.selection]()
            self._record(step, began)
            gap = self.upper - self.lower
            if simulated and abs(gap) <= tol:
                return IWOCSStatus.ESTIMATED
            if not simulated and gap <= tol:
                return IWOCSStatus.CERTIFIED
            if step.spent:
                return IWOCSStatus.STALLED
        return IWOCSStatus.MAX_ITER

    def _record(self, step: Step, began: float) -> None:
        """Keep the least row values, the best policy and bounds, and the next kernel."""
        self.q_min, self.rows, self.kernel = step.q, step.rows, step.next_kernel
        upper = float(self.start @ np.maximum.reduceat(step.q, self.mdp.choice_ptr[:-1]))
        if self.coupled and np.count_nonzero(self.start) > 1:
            upper = self.dual
        lower = float(self.start @ step.found.v) - step.found.deficit
        self.upper = min(self.upper, upper)
        if lower > self.lower:
            self.lower, self.best = lower, step
        self.history.append(
            IWOCSRecord(
                upper=upper,
                lower=lower,
                kernel_id=self._remember(step.next_kernel),
                backups=step.backups,
                linear_solves=step.solves,
                seconds=time.perf_counter() - began,
                standard_error=step.standard_error,
            )
        )

    def _remember(self, kernel: Kernel) -> int:
        """Return the kernel's number, a new one if its indices are new or it has none."""
        if kernel.choice is not None:
            number = self.known.setdefault(kernel.choice.tobytes(), len(self.kernels))
            if number < len(self.kernels):
                return number
        self.kernels.append(kernel)
        return len(self.kernels) - 1

    # ---- the ways to the next kernel ----------------------------------------------------------

    def _solve(self) -> tuple[FloatArray, FloatArray, int, int]:
        """Return bounds from above on the kernel's optimal state and row values, and the cost."""
        model, tol, gamma = (
            as_model(self.mdp, self.kernel),
            self.options.planner_tol,
            self.mdp.gamma,
        )
        if self.options.planner == "pi":
            solution = policy_iteration(model, tol=tol)
            solves = solution.convergence.iterations - 1
        else:
            above = float(self.kernel.rows.reward.max()) / (1.0 - gamma)
            solution = value_iteration(model, tol=tol, v0=np.full(self.mdp.n_states, above))
            solves = 0
        w = solution.certificate.upper
        self.dual = min(self.dual, float(self.start @ w))
        return w, values(self.kernel.rows, gamma, w), solution.convergence.iterations, solves

    def _least_of_all(self) -> Step:
        """Greedy for the least optimal row values so far; nature replies to that policy."""
        _, own, backups, solves = self._solve()
        q = np.minimum(self.q_min, own)
        rows = greedy_rows(self.mdp, q)
        found, error = self._evaluate(rows)
        if self.options.selection == "random":
            following, spent = self._random(), False
        else:
            following = self._completed(found.worst, rows)
            simulated = isinstance(self.options.evaluator, MonteCarlo)
            spent = not simulated and self._is_known(following, q, rows)
        return Step(q, rows, found, following, spent, backups, solves + found.solves, error)

    def _greedy_nature(self) -> Step:
        """Let nature reply to the kernel's optimal value; rows that tie stay, against cycles."""
        w, own, backups, solves = self._solve()
        value, better = self.nature.reply(w)
        change = own - value > slack(self.mdp.gamma, value)
        following = self.nature.splice(self.kernel, better, change)
        rows = greedy_rows(self.mdp, np.where(change, value, own))
        q = np.minimum(self.q_min, own)
        spent = not change.any() or (
            following.choice is None and self._is_known(following, q, rows)
        )
        found, _ = self._evaluate(rows)
        return Step(q, rows, found, following, spent, backups, solves + found.solves)

    def _hull(self) -> Step:
        """Plan against all mixtures, pair by pair, of the kernels so far; nature replies."""
        stack = join([kernel.rows for kernel in self.kernels])
        mixtures = FiniteNature(self.mdp.gamma, stack, len(self.kernels))
        own, solves = solve_robustly(self.mdp, mixtures, self.rows)
        q = np.minimum(self.q_min, own)
        rows = greedy_rows(self.mdp, q)
        found, _ = self._evaluate(rows)
        following = found.worst
        if following.choice is None:
            spent = self._is_known(following, q, rows)
        else:
            used = np.array([kernel.choice for kernel in self.kernels])[:, rows]
            spent = bool((used == following.choice[rows]).any(axis=0).all())
        return Step(q, rows, found, following, spent, mixtures.sweeps, solves + found.solves)

    def _is_known(self, following: Kernel, q: FloatArray, rows: IntArray) -> bool:
        """Whether the next iteration would repeat an earlier one."""
        if following.choice is not None:
            return following.choice.tobytes() in self.known
        if not self.history:
            return False
        same = np.abs(q - self.q_min) <= TIE * (1.0 + np.abs(self.q_min))
        return bool(same.all()) and np.array_equal(rows, self.rows)

    def _completed(self, worst: Kernel, rows: IntArray) -> Kernel:
        """Fill in the rows that the policy does not use."""
        if self.coupled or self.options.completion == "greedy":
            return worst
        base = self.kernel if self.options.completion == "keep" else self.kernels[0]
        used = np.zeros(self.mdp.n_rows, dtype=np.bool_)
        used[rows] = True
        return self.nature.splice(base, worst, used)

    def _random(self) -> Kernel:
        """Return any kernel: an index or indices drawn uniformly, or the reply to random values."""
        if isinstance(self.nature, FiniteNature):
            size = 1 if self.coupled else self.mdp.n_rows
            drawn = self.rng.integers(self.nature.count, size=size)
            return self.nature.kernel(np.array(np.broadcast_to(drawn, (self.mdp.n_rows,))))
        scale = 1.0 + self.largest_reward()
        return self.nature.reply(scale * self.rng.standard_normal(self.mdp.n_states))[1]

    # ---- a policy against nature --------------------------------------------------------------

    def _evaluate(self, rows: IntArray) -> tuple[Evaluation, float]:
        """Return the policy's value in its worst kernel, and the standard error of an estimate."""
        if not self.coupled:
            return evaluate_robustly(self.nature, rows), 0.0
        assert isinstance(self.nature, FiniteNature)
        error, evaluator = 0.0, self.options.evaluator
        if isinstance(evaluator, MonteCarlo):
            mean, k, error = estimate_coupled(self.nature, rows, self.start, evaluator, self.rng)
            v, solves = np.full(self.mdp.n_states, mean), 0  # known at the start only
        else:
            v, k, solves = evaluate_coupled(self.nature, rows, self.start)
        worst = self.nature.kernel(np.full(self.mdp.n_rows, k))
        return Evaluation(v, worst, 0.0, solves), error

    def largest_reward(self) -> float:
        """Return the largest expected reward of a row in absolute value."""
        rows = self.nature.stack if isinstance(self.nature, FiniteNature) else self.kernel.rows
        return float(np.abs(rows.reward).max())

    # ---- the answer ---------------------------------------------------------------------------

    def result(self, status: IWOCSStatus, rng: np.random.Generator | int) -> IWOCSResult:
        """Assemble what the run found."""
        assert self.best is not None
        mdp, options = self.mdp, self.options
        one_start = np.count_nonzero(self.start) == 1
        several = isinstance(self.nature, FiniteNature) and self.nature.count > 1
        valid: Literal["all", "deterministic"] = (
            "deterministic" if self.coupled and several and one_start else "all"
        )
        random = options.selection == "random" or isinstance(options.evaluator, MonteCarlo)
        return IWOCSResult(
            policy=mdp.action[self.rows].astype(np.int64),
            best_policy=mdp.action[self.best.rows].astype(np.int64),
            lower=self.lower,
            upper=self.upper,
            gap=self.upper - self.lower,
            status=status,
            upper_valid_for=valid,
            worst_kernel=as_model(mdp, self.best.found.worst),
            kernels_found=tuple(self._named(kernel) for kernel in self.kernels),
            q_min=mdp.table(self.q_min),
            history=tuple(self.history),
            n_ordinary_backups=sum(step.backups for step in self.history),
            n_linear_solves=sum(step.linear_solves for step in self.history),
            seed=int(rng) if random and not isinstance(rng, np.random.Generator) else None,
        )

    def _named(self, kernel: Kernel) -> int | IntArray | TabularMDP:
        if kernel.choice is None:
            return as_model(self.mdp, kernel)
        if self.coupled:
            return int(kernel.choice[0])
        table = np.full((self.mdp.n_states, self.mdp.n_actions), -1)
        table[self.mdp.row_state(), self.mdp.action] = kernel.choice
        return table
