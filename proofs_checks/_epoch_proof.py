"""Every quantity in the proof of the closed-loop bound (OFS-T8), of a run by epochs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.algorithms.fair_bounds import Epochs, closed_loop_bound, epoch_log_term
from proofs_checks._loop_runs import Epoch, Story, epochs_of


@dataclass(frozen=True, eq=False)
class Proof:
    """A run, cut into epochs.

    Attributes
    ----------
    story : Story
        The run.
    """

    story: Story

    @property
    def n_arms(self) -> int:
        """Number of arms K."""
        return self.story.env.n_arms

    @cached_property
    def epochs(self) -> list[Epoch]:
        """All epochs, in their order."""
        told = self.story.told
        return epochs_of(self.story.run.arms, self.n_arms, max(1, told.first), told.burn)

    @property
    def plan(self) -> Epochs:
        """What the bound needs to know of the plan."""
        told = self.story.told
        return Epochs(told.horizon, max(1, told.first), told.burn, self.story.loop.kappa)

    @cached_property
    def most(self) -> int:
        """E by the formula."""
        return 2 + max(0, int(np.floor(np.log2(self.story.told.horizon / self.plan.first))))

    @property
    def log(self) -> float:
        """L = ln(2 K J E / delta)."""
        pairs = self.n_arms * len(self.story.used)
        return float(np.log(2 * pairs * self.most / self.story.told.delta))

    def table(self, name: str) -> IntArray:
        """Return one field of all epochs, shape (n,)."""
        return np.array([getattr(epoch, name) for epoch in self.epochs], dtype=np.int64)

    @cached_property
    def rates(self) -> FloatArray:
        """What an epoch without burn-in can err in all by, l D / (1 - kappa), shape (C,)."""
        loop = self.story.loop
        return loop.lipschitz * loop.diameter / (1.0 - loop.kappa)

    @property
    def bias(self) -> FloatArray:
        """B of every channel, shape (C,)."""
        return self.rates * self.story.loop.kappa**self.story.told.burn

    # ---- averages -------------------------------------------------------------------------------

    @cached_property
    def drifts(self) -> FloatArray:
        """Sum over recorded rounds of mean less steady mean, an epoch a row, shape (n, C)."""
        means, steady = self.story.run.means, self.story.steady
        return np.array(
            [(means[e.recorded] - steady[e.arm]).sum(axis=0) for e in self.epochs]
        ).reshape(len(self.epochs), means.shape[1])

    @cached_property
    def noises(self) -> FloatArray:
        """Sum of the noise over recorded rounds, an epoch a row."""
        noise = self.story.noise
        return np.array([noise[e.recorded].sum(axis=0) for e in self.epochs])

    def averages(self, sums: FloatArray) -> FloatArray:
        """Return averages over the arm's recorded rounds at the end of each whole epoch."""
        arms, total = self.table("arm"), np.zeros_like(sums)
        for arm in range(self.n_arms):
            mine = arms == arm
            total[mine] = np.cumsum(sums[mine], axis=0)
        return (total / np.maximum(self.counts, 1)[:, None])[self.whole]

    @property
    def counts(self) -> IntArray:
        """Recorded rounds of the arm at the end of each epoch."""
        return self.table("before") + self.table("keep")

    @property
    def whole(self) -> BoolArray:
        """Which epochs were not cut: bounds are read after these only."""
        return self.table("whole") > 0

    def radius(self, counts: IntArray) -> FloatArray:
        """Return beta of every channel at counts, shape (n, C)."""
        return self.story.scales * np.sqrt(2 * self.log / np.maximum(counts, 1))[:, None]

    # ---- choices --------------------------------------------------------------------------------

    def widths(self, bias: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return the epochs of arms that were known, and what their means may be off by, (n, C)."""
        known = np.flatnonzero(self.table("before") > 0)
        before, number = self.table("before")[known], self.table("number")[known]
        return known, self.radius(before) + bias * (number / before)[:, None]

    def of_rows(self, widths: FloatArray) -> FloatArray:
        """Return the largest width of a residual, (n,)."""
        return (widths @ np.abs(self.story.rows.matrix).T).max(axis=1, initial=0.0)

    # ---- sums -----------------------------------------------------------------------------------

    def by_arm(self, values: FloatArray | IntArray) -> FloatArray:
        """Sum values of epochs by arm, shape (K,)."""
        sums: FloatArray = np.zeros(self.n_arms)
        np.add.at(sums, self.table("arm"), values)
        return sums

    @property
    def recorded(self) -> FloatArray:
        """Recorded rounds N_a of each arm, shape (K,)."""
        return self.by_arm(self.table("keep"))

    def over_roots(self, rounds: IntArray) -> FloatArray:
        """Sum rounds / sqrt(n) over each arm's epochs but the first."""
        before = self.table("before")
        return self.by_arm(np.where(before > 0, rounds / np.sqrt(np.maximum(before, 1)), 0.0))

    @property
    def over_counts(self) -> FloatArray:
        """Sum e (b + r) / n over each arm's epochs but the first."""
        before, rounds = self.table("before"), self.table("skip") + self.table("keep")
        share = self.table("number") * rounds / np.maximum(before, 1)
        return self.by_arm(np.where(before > 0, share, 0.0))

    def sums_over_epochs(self, values: FloatArray) -> FloatArray:
        """Sum rounds' values over each epoch, (n, ...)."""
        starts = self.table("start")
        return np.add.reduceat(values, starts, axis=0)

    # ---- ends -----------------------------------------------------------------------------------

    @cached_property
    def most_lost(self) -> FloatArray:
        """Most that a round can lose in reward (0 if nothing is feasible) and violate, (2,)."""
        story = self.story
        corners = np.concatenate([story.corners, story.steady[None]])
        reward = float(story.gaps(corners).max()) if story.feasible else 0.0
        return np.array([reward, float(story.violations(corners).max())])

    def bound(self, which: int, *, biased: bool = True) -> float:
        """Return the right side for regret (0) or violation (1); a twin drops what drifts."""
        story, plan = self.story, self.plan
        drift = story.steepest[which] * story.loop.diameter / (1.0 - plan.kappa)
        log = epoch_log_term(self.n_arms, len(story.used), plan, story.told.delta)
        return closed_loop_bound(
            self.n_arms,
            log,
            scale=float(story.widest[which]),
            worst=float(self.most_lost[which]),
            drift=float(drift) if biased else 0.0,
            epochs=plan,
        )

    def certificates(self, *, drifts: bool = True) -> FloatArray:
        """Return sums of what each round may have cost, of rewards and violations, shape (2,)."""
        story = self.story
        channels, rows = story.env.channels, story.rows
        low, high = (np.array([getattr(c, end) for c in channels]) for end in ("low", "high"))
        reach = np.where(rows.matrix > 0, rows.matrix * high, 0.0)
        reach = reach + np.where(rows.matrix < 0, rows.matrix * low, 0.0)
        cap = float((reach.sum(axis=1) - rows.level).max(initial=0.0))
        claims = np.tile([high[0] - low[0], cap], (len(self.epochs), 1))
        known, widths = self.widths(self.bias if drifts else 0 * self.bias)
        claims[known, 0] = np.minimum(claims[known, 0], 2 * widths[:, 0])
        claims[known, 1] = np.minimum(cap, self._apparent(known) + 2 * self.of_rows(widths))
        rounds = self.table("skip") + self.table("keep")
        total = rounds @ claims
        if drifts:
            kappa = story.loop.kappa
            kept = (1.0 - kappa ** rounds.astype(np.float64)).sum() / (1.0 - kappa)
            total = total + story.steepest * story.loop.diameter * kept
        return total

    def _apparent(self, known: IntArray) -> FloatArray:
        """Return the optimistic violation of the arms of some epochs when these began."""
        arms, total = self.table("arm"), self.drifts + self.noises
        _, widths = self.widths(self.bias)
        found = np.zeros(len(known))
        for i, epoch in enumerate(known):
            mine = np.flatnonzero(arms[:epoch] == arms[epoch])
            mean = total[mine].sum(axis=0) / self.counts[mine[-1]] + self.story.steady[arms[epoch]]
            least = self.story.residuals(mean) - np.abs(self.story.rows.matrix) @ widths[i]
            found[i] = least.max(initial=0.0)
        return found
