"""Bounds from audits of applicants: batches, unequal groups, rates among those who came."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import algorithms
from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import BanditOptions
from mdptheory.models import (
    DemographicParity,
    EqualOpportunity,
    LoopDynamics,
    ServiceRate,
    ThresholdLoop,
)
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._bandit_oracle import LOOKS_FEASIBLE
from proofs_checks._cases import altered

DELTA = 0.05
GOOD = ("missed",)
REWARD, GAP, SERVICE, RATES, TPRS = 0, 1, 2, slice(3, 5), slice(5, 7)
VALUES = 3  # the first channels are values, the others hits among trials


@case
class Case:
    """Thresholds for two groups whose composition does not move, and what arms must satisfy.

    Attributes
    ----------
    survival : array of shape (2, 2, K)
        Accepted share of each group and label.
    p : float
        Share of the first group.
    q : array of shape (2,)
        Rates of favourable labels.
    cost : float
        Of accepting an unfavourable one.
    batch : int
        Applicants a round: of each group, or of both together.
    stratified : bool
        Which of the two.
    limits : array of shape (3,)
        Tolerances of demographic parity and equal opportunity, least service rate.
    horizon : int
        Number of rounds T.
    seed : int
        Of the applicants.
    anytime : bool
        Whether radii know no horizon.
    """

    survival: FloatArray
    p: float
    q: FloatArray
    cost: float
    batch: int
    stratified: bool
    limits: FloatArray
    horizon: int
    seed: int
    anytime: bool

    @property
    def n_arms(self) -> int:
        """Number of thresholds K."""
        return int(self.survival.shape[2])

    @property
    def loop(self) -> ThresholdLoop:
        """The same as the library takes it."""
        return ThresholdLoop(
            self.survival,
            np.linspace(0.0, 1.0, self.n_arms),
            self.p,
            self.q,
            self.cost,
            LoopDynamics.none(),
            self.batch,
            self.stratified,
        )

    @property
    def read(self) -> IntArray:
        """Channels that some constraint reads, and the reward."""
        parity = [GAP] if self.stratified else [3, 4]
        return np.array(sorted([REWARD, SERVICE, 5, 6, *parity]))

    @property
    def means(self) -> FloatArray:
        """Reward, gap, service, rates of both groups, true-positive rates; shape (K, 7)."""
        q, accepted = self.q[:, None], self.survival
        good, bad = q * accepted[:, 1], (1 - q) * accepted[:, 0]
        share = np.array([self.p, 1 - self.p])
        rate = good + bad
        reward, service = share @ (good - self.cost * bad), share @ rate
        return np.column_stack([reward, rate[0] - rate[1], service, *rate, *accepted[:, 1]])

    @property
    def violations(self) -> FloatArray:
        """Violation of every arm, shape (K,)."""
        m, (parity, opportunity, least) = self.means, self.limits
        parts = [np.abs(m[:, GAP]) - parity, np.abs(m[:, 5] - m[:, 6]) - opportunity]
        return np.maximum(0.0, np.max([*parts, least - m[:, SERVICE]], axis=0))

    def log(self, channel: int, count: FloatArray, *, trials: bool = True) -> FloatArray:
        """L of a channel after so many observations, each a round or an applicant."""
        pairs = self.n_arms * len(self.read)
        if self.anytime:
            return np.log(pairs * np.pi**2 * count**2 / (3 * DELTA))
        most = self.horizon * (self.batch if channel >= VALUES and trials else 1)
        return np.full(count.shape, np.log(2 * pairs * most / DELTA))

    @property
    def scales(self) -> FloatArray:
        """Sub-Gaussian scales of one observation of each channel."""
        root = 2 * np.sqrt(self.batch)
        return np.array([(1 + self.cost) / root, np.sqrt(2) / root, 1 / root, *[0.5] * 4])


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """All indices of all rounds, by hand, and those of the library at the end.

    Attributes
    ----------
    case : Case
        The instance.
    arms : array of int of shape (T,)
        What the library played.
    upper, least, width : array of shape (T, K)
        Upper bound of the reward, optimistic violation, and widest radius of a residual, of each
        arm before each round; infinite, 0, infinite before anything was seen.
    missed : bool
        Whether some average was ever further off than its radius.
    estimate, radius : array of shape (2, K, C)
        At the end: by hand, and the library's.
    """

    case: Case
    arms: IntArray
    upper: FloatArray
    least: FloatArray
    width: FloatArray
    missed: bool
    estimate: FloatArray
    radius: FloatArray


def audit(case: Case, arm: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Let applicants come; return what each channel shows, and trials."""
    n = case.batch
    first = np.arange(2 * n) < n if case.stratified else rng.random(n) < case.p
    group = np.where(first, 0, 1)
    label = (rng.random(len(group)) < case.q[group]).astype(np.int64)
    accepted = rng.random(len(group)) < case.survival[group, label, arm]
    worth = np.where(label == 1, 1.0, -case.cost) * accepted
    share = np.array([case.p, 1 - case.p])[group] if case.stratified else np.ones(len(group))
    hits = np.array([accepted[group == g].sum() for g in (0, 1)])
    good = [(group == g) & (label == 1) for g in (0, 1)]
    trials = [*(np.bincount(group, minlength=2)), *(x.sum() for x in good)]
    shown = [share @ worth / n, (hits[0] - hits[1]) / n, share @ accepted / n]
    values = [*shown, *hits, *(accepted[x].sum() for x in good)]
    return np.array(values, dtype=np.float64), np.array([1.0] * VALUES + trials, dtype=np.float64)


def bounds(case: Case, counts: FloatArray, sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Average, and compute radii, shape (K, 7) each; infinite where nothing was seen."""
    n = np.maximum(counts, 1.0)
    radius = np.column_stack(
        [x * np.sqrt(2 * case.log(c, n[:, c]) / n[:, c]) for c, x in enumerate(case.scales)]
    )
    return sums / n, np.where(counts > 0, radius, np.inf)


def indices(case: Case, mean: FloatArray, radius: FloatArray) -> FloatArray:
    """Return u, v_lo and the widest radius of a residual of every arm, shape (3, K)."""
    parity, opportunity, least = case.limits

    def apart(ends: slice) -> tuple[FloatArray, FloatArray]:
        low, high = mean[:, ends] - radius[:, ends], mean[:, ends] + radius[:, ends]
        return low.max(axis=1) - high.min(axis=1), radius[:, ends].sum(axis=1)

    gap = (np.abs(mean[:, GAP]) - radius[:, GAP], radius[:, GAP])
    one, other = gap if case.stratified else apart(RATES), apart(TPRS)
    short = least - mean[:, SERVICE] - radius[:, SERVICE]
    low = np.max([np.zeros(len(short)), one[0] - parity, other[0] - opportunity, short], axis=0)
    widest = np.max([one[1], other[1], radius[:, SERVICE]], axis=0)
    return np.array([mean[:, REWARD] + radius[:, REWARD], low, widest])


def run(case: Case, *, rule: str = "ofs", absolute: bool = False) -> Trace:
    """Show the library's learner audits made here, and compute all indices by hand."""
    parity, opportunity, least = (float(x) for x in case.limits)
    asked = [DemographicParity(parity), EqualOpportunity(opportunity), ServiceRate(least)]
    make = getattr(algorithms, f"{rule}_learner")
    options = BanditOptions(DELTA, anytime=case.anytime)
    learner = make(case.loop.problem, case.horizon, asked, options=options)
    shown = np.arange(7) if case.stratified else np.delete(np.arange(7), GAP)
    rng, state = np.random.default_rng(case.seed), learner.init()
    counts, sums = np.zeros((case.n_arms, 7)), np.zeros((case.n_arms, 7))
    arms, seen, missed = [], [], False
    for _ in range(case.horizon):
        mean, radius = bounds(case, counts, sums)
        errors = np.abs(mean - case.means)[:, case.read]
        missed = missed or bool((errors > radius[:, case.read] + 1e-12).any())
        seen.append(indices(case, mean, radius))
        arm = learner.select(state)
        arms.append(arm)
        values, trials = audit(case, arm, rng)
        values[GAP] = abs(values[GAP]) if absolute else values[GAP]
        counts[arm] += trials
        sums[arm] += values
        state = learner.update(state, values[shown], trials[shown])
    mine = [x[:, case.read] for x in bounds(case, counts, sums)]
    upper, low, width = np.moveaxis(np.array(seen), 1, 0)
    estimate, radius = (
        np.array([x, y]) for x, y in zip(mine, (state.estimate, state.radius), strict=True)
    )
    return Trace(case, np.array(arms), upper, low, width, missed, estimate, radius)


def sample(rng: np.random.Generator) -> Case:
    """Draw one to four thresholds, and audits of one to twenty applicants."""
    k = int(rng.integers(1, 5))
    survival = -np.sort(-rng.integers(0, 11, (2, 2, k)) / 10, axis=2)
    survival[:, 1] = np.maximum(survival[:, 0], survival[:, 1])
    return Case(
        survival,
        float(rng.choice([0.5, 0.2])),
        rng.integers(2, 9, 2) / 10,
        float(rng.choice([1.0, 2.0])),
        int(rng.choice([1, 3, 20])),
        bool(rng.integers(2)),
        rng.choice([0.0, 0.1, 0.2], 3),
        int(rng.choice([40, 80])),
        int(rng.integers(2**31)),
        bool(rng.integers(4) == 0),
    )


def equal_groups(rng: np.random.Generator) -> Case:
    """Draw the applicants of two equal groups, five of each a round."""
    even, limits = np.full((2, 2, 1), 0.5), np.array([0.0, 1.0, 0.0])
    seed = int(rng.integers(2**31))
    return Case(even, 0.5, np.full(2, 0.5), 1.0, 5, True, limits, 300, seed, False)


def far_apart(rng: np.random.Generator) -> Case:
    """Draw the applicants of two groups of which all and a fifth are accepted."""
    table = np.array([[[1.0], [1.0]], [[0.2], [0.2]]])
    seed, limits = int(rng.integers(2**31)), np.array([1.0, 0.1, 0.0])
    return Case(table, 0.5, np.full(2, 0.5), 1.0, 20, False, limits, 80, seed, False)


def admissible(case: Case) -> bool:
    """Tell whether the case is small; the models refuse what is none."""
    sizes = case.n_arms <= case.horizon <= 300 and case.n_arms <= 10 and 1 <= case.batch <= 50
    limits = bool((case.limits >= 0).all() and (case.limits <= 1).all())
    return sizes and limits and case.loop.dynamics.is_open


# ---- links --------------------------------------------------------------------------------------


def union(trace: Trace, *, trials: bool = True) -> Checks:
    """Add up what arms, channels and counts, of rounds or of applicants, may miss."""
    game, total = trace.case, 0.0
    for c in game.read.tolist():
        most = game.horizon * (game.batch if c >= VALUES else 1)
        n = np.arange(1.0, most + 1)
        total += game.n_arms * float((2 * np.exp(-game.log(c, n, trials=trials))).sum())
    return Check(total, DELTA)


def tracked(trace: Trace) -> Checks:
    """Compare the library's averages and radii at the end with hits among trials."""
    known = np.isfinite(trace.radius[0])
    return (
        *Check.equal(trace.estimate[0][known], trace.estimate[1][known], scale=1.0),
        *Check.equal(trace.radius[0], trace.radius[1], scale=1.0),
    )


def optimistic(trace: Trace, *, spare: float = 0.0) -> Checks:
    """Hold each mean reward to its upper bound, in every round; a twin asks for room to spare."""
    room = spare * trace.case.scales[REWARD]
    return Check.nonpositive(trace.case.means[:, REWARD] - trace.upper + room, scale=1.0)


def lenient(trace: Trace) -> Checks:
    """Hold each optimistic violation to the violation."""
    return Check.nonpositive(trace.least - trace.case.violations, scale=1.0)


def not_too_lenient(trace: Trace, *, factor: float = 2.0) -> Checks:
    """Hold each violation to the optimistic one and twice the widest radius."""
    room = factor * trace.width
    return Check.nonpositive(trace.case.violations - trace.least - room, scale=1.0)


def chosen(trace: Trace) -> Checks:
    """Expect the arm to look feasible, and best of those, once all arms were played."""
    rounds = np.arange(trace.case.n_arms, trace.case.horizon)
    if not rounds.size:
        return ()
    least, upper = trace.least[rounds], trace.upper[rounds]
    arms, first = trace.arms[rounds], least.min(axis=1)
    mine = least[np.arange(len(rounds)), arms]
    best = np.where(least <= np.maximum(first, LOOKS_FEASIBLE)[:, None], upper, -np.inf)
    lost = best.max(axis=1) - upper[np.arange(len(rounds)), arms]
    lost = np.where(first <= LOOKS_FEASIBLE, lost, 0.0)
    return (
        Check.nonpositive(mine - np.maximum(first, LOOKS_FEASIBLE), scale=1.0),
        Check.nonpositive(lost, scale=1.0),
    )


CHAIN = Chain(
    id="ofs.audits",
    title="Bounds from audits: rates of applicants whose number is not known in advance",
    source="derived here; Hoeffding's lemma, a union over numbers of applicants",
    statement=(
        "Scales (1 + c) / (2 sqrt n) of the reward, sqrt(2) / (2 sqrt n) of the signed gap, 1 / (2"
        " sqrt n) of the service rate, 1/2 of one applicant; L with T n in place of T for rates:"
        " with probability 1 - delta no average is further off than its radius. Then mu <= u, and"
        " v_lo <= v <= v_lo + 2 max (beta_A + beta_B), batches or single applicants, groups of any"
        " size."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="applicants drawn one by one; interval arithmetic by group; rates by definition",
    links=(
        Link("union", "sum over arms, channels, counts of 2 exp(-L) <= delta", union),
        Link("tracked", "averages are hits among trials, radii count trials", tracked),
        Link("optimistic", "mu(k) <= u(k)", optimistic, unless=GOOD),
        Link("lenient", "v_lo(k) <= v(k)", lenient, unless=GOOD),
        Link("not_too_lenient", "v(k) <= v_lo(k) + 2 max beta", not_too_lenient, unless=GOOD),
        Link("chosen", "the largest u among arms with v_lo = 0, else the least v_lo", chosen),
    ),
    events=(
        Event(
            "missed",
            "some average is further off than its radius",
            DELTA,
            lambda trace: bool(trace.missed),
        ),
    ),
    twins=(
        Twin(
            "rounds",
            "the union runs over rounds where it should run over applicants",
            links={"union": partial(union, trials=False)},
            expect_link="union",
        ),
        Twin(
            "absolute",
            "the absolute gap of each batch is averaged, between equal groups",
            sample=equal_groups,
            run=partial(run, absolute=True),
            events={"missed": lambda trace: False},
            expect_link="lenient",
        ),
        Twin(
            "no_room",
            "upper bounds are said to have a round's noise to spare",
            links={"optimistic": partial(optimistic, spare=1.0)},
            expect_link="optimistic",
        ),
        Twin(
            "once",
            "one radius is said to be enough, not two, for groups far apart",
            sample=far_apart,
            links={"not_too_lenient": partial(not_too_lenient, factor=1.0)},
            expect_link="not_too_lenient",
        ),
        Twin(
            "ucb",
            "constraints are ignored",
            run=partial(run, rule="ucb"),
            expect_link="chosen",
        ),
        Twin(
            "half",
            "the library's radii are taken for half of what they are",
            run=altered(
                run, radius=lambda trace: trace.radius * np.array([1.0, 0.5])[:, None, None]
            ),
            expect_link="tracked",
        ),
    ),
)
"""Radii of rates hardly close in 80 rounds, and no average meets them."""
