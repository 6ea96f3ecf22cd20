"""Optimistic feasible search, round by round, where feedback is weak: bias counts every round."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms.fair_bounds import log_term, stationary_bound
from mdptheory.models import GaussianBandit, LinearResidual
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._loop_cases import Loop, is_moderate, lull, mild_drift, random_loop, shy, trap
from proofs_checks._loop_runs import FEASIBLE, Constraints, Story, Told

DELTA, SLACK = 0.1, 1e-9


@case
class Case:
    """A closed loop and what the learner is told.

    Attributes
    ----------
    env : GaussianBandit or ThresholdLoop
        The loop; a bandit's residuals are its constraints.
    tol, least : float
        Parity tolerance and service rate of a population.
    horizon : int
        Rounds T.
    seed : int
        Of both runs.
    """

    env: Loop
    tol: float
    least: float
    horizon: int
    seed: int

    @property
    def constraints(self) -> Constraints:
        """What arms must satisfy."""
        if isinstance(self.env, GaussianBandit):
            return self.env.constraints
        gap = ({"gap": 1.0}, self.tol), ({"gap": -1.0}, self.tol)
        rows = (*gap, ({"service": -1.0}, -self.least))
        return tuple(LinearResidual(coefficients, level) for coefficients, level in rows)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Two runs of `ofs`: one with radii beta + b, one with radii beta.

    Attributes
    ----------
    wide, plain : Story
        The runs, both with the constraints as they are meant.
    bias : array of shape (C,)
        b: most by which a channel's mean differs from its steady one in any state.
    of_rows : array of shape (M,)
        The same of the residuals.
    """

    wide: Story
    plain: Story
    bias: FloatArray
    of_rows: FloatArray

    @property
    def b_g(self) -> float:
        """Bias of the residuals, the largest."""
        return float(self.of_rows.max(initial=0.0))


def sample(rng: np.random.Generator) -> Case:
    """Draw a bandit with mild feedback; one case in ten is a population."""
    seed = int(rng.integers(2**31))
    if not rng.integers(10):
        numbers = float(rng.choice([0.1, 0.3])), float(rng.choice([0.0, 0.3]))
        return Case(random_loop(rng), *numbers, int(rng.integers(10, 400)), seed)
    slack = float(rng.choice([0.0, 0.25], p=(0.3, 0.7)))
    env = mild_drift(rng, infeasible=0.1, slack=slack)
    sizes = (int(rng.integers(4, 60)), 2_000, 30_000)
    return Case(env, 0.0, 0.0, int(rng.choice(sizes, p=(0.1, 0.2, 0.7))), seed)


def relaxed(constraints: Constraints, by: FloatArray) -> Constraints:
    """Return constraints with more room; what is added to a radius could as well be tolerated."""
    return tuple(
        LinearResidual(constraint.coefficients, constraint.offset + float(more))
        for constraint, more in zip(constraints, by, strict=True)
        if isinstance(constraint, LinearResidual)
    )


def run(case: Case) -> Trace:
    """Run with and without b; the reward's moves all bounds alike, and no choice."""
    told, constraints = Told(case.horizon, DELTA), case.constraints
    plain = Story.of(case.env, constraints, told, case.seed)
    away = np.abs(plain.corners - plain.steady).max(axis=(0, 1))
    residuals = np.abs(plain.residuals(plain.corners) - plain.residuals(plain.steady))
    of_rows = residuals.max(axis=(0, 1))
    wide = Story.of(case.env, relaxed(constraints, of_rows), told, case.seed)
    return Trace(replace(wide, rows=plain.rows), plain, away, of_rows)


def admissible(case: Case) -> bool:
    """Tell whether the loop contracts and the run is one."""
    small = isinstance(case.env, GaussianBandit) or case.horizon <= 1_000  # rounds drawn one by one
    return is_moderate(case.env) and case.env.n_arms <= case.horizon <= 100_000 and small


# ---- the second route ---------------------------------------------------------------------------


def radius(story: Story, counts: IntArray) -> FloatArray:
    """Return beta of every channel at counts, shape (n, C)."""
    pairs = story.env.n_arms * len(story.used)
    log = np.log(2 * pairs * story.told.horizon / story.told.delta)
    return story.scales * np.sqrt(2 * log / counts)[:, None]


def averages(story: Story, values: FloatArray, arm: int) -> tuple[IntArray, FloatArray]:
    """Return counts 1..n of an arm, and the averages of values over its first rounds."""
    mine = values[story.run.arms == arm]
    counts = np.arange(1, len(mine) + 1)
    return counts, np.cumsum(mine, axis=0) / counts[:, None]


def earlier(story: Story) -> IntArray:
    """Count how often the arm of each round was played before."""
    found = np.zeros(len(story.run.arms), dtype=np.int64)
    for arm in range(story.env.n_arms):
        mine = story.run.arms == arm
        found[mine] = np.arange(mine.sum())
    return found


def missed(trace: Trace, *, which: str, scale: float = 1.0) -> bool:
    """Tell whether some average's noise exceeds its radius."""
    story: Story = getattr(trace, which)
    for arm in range(story.env.n_arms):
        counts, noise = averages(story, story.noise, arm)
        if (np.abs(noise) > scale * radius(story, counts))[:, story.used].any():
            return True
    return False


# ---- links --------------------------------------------------------------------------------------


def averaged(trace: Trace, *, share: float = 1.0) -> Iterator[Check]:
    """Bound the error of every average by beta + b."""
    story = trace.plain
    seen = story.run.means + story.noise
    for arm in range(story.env.n_arms):
        counts, means = averages(story, seen, arm)
        if len(counts):
            width = radius(story, counts) + share * trace.bias
            error = np.abs(means - story.steady[arm])
            yield Check.worst(error[:, story.used], width[:, story.used], slack=SLACK)


def chosen(trace: Trace, *, share: float = 1.0) -> Iterator[Check]:
    """Bound the steady gap, and residuals, of chosen arms by 2 beta(n) + 2 b."""
    story = trace.wide
    if not story.feasible:
        return
    known = np.flatnonzero(earlier(story))
    if not len(known):
        return
    arms, width = story.run.arms[known], radius(story, earlier(story)[known])
    gaps = story.gaps(story.steady)[arms]
    bound = 2 * width[:, 0] + 2 * share * trace.bias[0]
    yield Check.worst(gaps, bound, slack=SLACK, trivial=most(story)[0])
    if len(trace.of_rows):
        rows = 2 * width @ np.abs(story.rows.matrix).T + 2 * share * trace.of_rows
        residuals = np.maximum(story.residuals(story.steady)[arms], 0.0)
        yield Check.worst(residuals, rows, slack=SLACK, trivial=most(story)[1])


def most(story: Story) -> FloatArray:
    """Most that a round can lose, and violate, shape (2,)."""
    everything = np.concatenate([story.corners, story.steady[None]])
    lost = float(story.gaps(everything).max()) if story.feasible else 0.0
    return np.array([lost, float(story.violations(everything).max())])


def plain_bound(story: Story, scale: float, worst: float) -> float:
    """Return the right side without feedback."""
    told, k = story.told, story.env.n_arms
    log = log_term(k, len(story.used), told.horizon, told.delta)
    return stationary_bound(k, told.horizon, log, scale=scale, worst=worst)


def regret(trace: Trace, *, which: str, share: float = 1.0, slack: bool = True) -> Checks:
    """Hold the regret to the stationary bound and 3 b T."""
    story: Story = getattr(trace, which)
    need = -trace.of_rows if which == "plain" and slack else 0.0 * trace.of_rows
    fits = (story.residuals(story.steady) <= need + FEASIBLE).all(axis=1)
    if not fits.any():
        return ()
    target = float(story.steady[fits, 0].max())
    lost = np.maximum(target - story.run.means[:, 0], 0.0)
    worst = float(np.maximum(target - story.steady[:, 0], 0.0).max())
    bound = plain_bound(story, float(story.scales[0]), worst)
    bound += 3 * share * trace.bias[0] * story.told.horizon
    trivial = story.told.horizon * float((target - story.corners[..., 0]).max())
    return Check(float(lost.sum()), bound, slack=1e-6, trivial=trivial) if trivial > 0 else ()


def violation(trace: Trace, *, which: str, share: float = 1.0) -> Checks:
    """Hold the violation to the stationary bound and 3 b T, or 2 b T with plain radii."""
    story: Story = getattr(trace, which)
    need = -trace.of_rows if which == "plain" else 0.0 * trace.of_rows
    fits = (story.residuals(story.steady) <= need + FEASIBLE).all(axis=1)
    trivial = story.told.horizon * most(story)[1]
    if not fits.any() or trivial <= 0:
        return ()
    worst = float(story.violations(story.steady).max())
    bound = plain_bound(story, float(story.widest[1]), worst)
    bound += (2 if which == "plain" else 3) * share * trace.b_g * story.told.horizon
    return Check(float(story.violated.sum()), bound, slack=1e-6, trivial=trivial)


# ---- broken versions ----------------------------------------------------------------------------


def brief(rng: np.random.Generator) -> Case:
    """Draw a run of 500 rounds at most, for twins that are not about its length."""
    drawn = sample(rng)
    return drawn if drawn.horizon < 500 else replace(drawn, horizon=500)


def pinned(make: Callable[[], GaussianBandit]) -> Callable[[np.random.Generator], Case]:
    """Return a sampler of long runs on one bandit."""

    def draw(rng: np.random.Generator) -> Case:
        return Case(make(), 0.0, 0.0, 20_000, int(rng.integers(2**31)))

    return draw


CHAIN = Chain(
    id="ofs.uniform_bias",
    title="OFS-T6: round by round in a closed loop with weak feedback",
    source=(
        "derived here for closed-loop thresholds in the setting of Du, arXiv 2512.22313, of which"
        " only the abstract was read"
    ),
    statement=(
        "If no state moves a mean by more than b_r, or a residual by more than b_g, from its steady"
        " value, then with probability 1 - delta, (i) with radii beta + b: regret <= K Dmax + 4"
        " sigma sqrt(2 L K T) + 3 b_r T and violation <= K Vmax + 4 sigma sqrt(2 L K T) + 3 b_g T;"
        " (ii) with radii beta the same against the best arm whose steady residuals are at most"
        " -b_g, with 2 b_g T. Linear in T: the reason for epochs."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="steady states solved for, extremes at corners, noise drawn again",
    links=(
        Link("averaged", "|average - mean_inf| <= beta + b", averaged, unless=("missed_plain",)),
        Link("chosen", "(i) gap, residuals <= 2 beta + 2 b", chosen, unless=("missed_wide",)),
        Link(
            "violation_plain",
            "(ii) violation <= stationary bound + 2 b_g T",
            partial(violation, which="plain"),
            unless=("missed_plain",),
        ),
        Link(
            "regret_plain",
            "(ii) regret <= stationary bound + 3 b_r T",
            partial(regret, which="plain"),
            unless=("missed_plain",),
        ),
        Link(
            "violation_wide",
            "(i) violation <= stationary bound + 3 b_g T",
            partial(violation, which="wide"),
            unless=("missed_wide",),
        ),
        Link(
            "regret_wide",
            "(i) regret <= stationary bound + 3 b_r T",
            partial(regret, which="wide"),
            unless=("missed_wide",),
        ),
    ),
    events=(
        Event("missed_plain", "some noise exceeds beta", DELTA, partial(missed, which="plain")),
        Event("missed_wide", "the same with radii beta + b", DELTA, partial(missed, which="wide")),
    ),
    twins=(
        Twin(
            "strong",
            "b is dropped where the better arm looks bad until it is played",
            sample=pinned(trap),
            links={
                "averaged": partial(averaged, share=0.0),
                "chosen": partial(chosen, share=0.0),
                "regret_plain": partial(regret, which="plain", share=0.0),
                "regret_wide": partial(regret, which="wide", share=0.0),
            },
            expect_link=("averaged", "chosen", "regret_plain", "regret_wide"),
        ),
        Twin(
            "lull",
            "b is dropped where the better arm is feasible at first only",
            sample=pinned(lull),
            links={
                "violation_plain": partial(violation, which="plain", share=0.0),
                "violation_wide": partial(violation, which="wide", share=0.0),
            },
            expect_link=("violation_plain", "violation_wide"),
        ),
        Twin(
            "quarter",
            "a quarter of the radius is claimed to be missed as rarely",
            sample=brief,
            events={
                "missed_plain": partial(missed, which="plain", scale=0.25),
                "missed_wide": partial(missed, which="wide", scale=0.25),
            },
            expect_link=("missed_plain", "missed_wide"),
        ),
        Twin(
            "no_slack",
            "(ii) is claimed against every feasible arm",
            sample=pinned(shy),
            links={"regret_plain": partial(regret, which="plain", slack=False)},
            expect_link="regret_plain",
        ),
    ),
)
"""Averages come within a few per cent of beta + b; sums use a tenth of the bounds or less."""
