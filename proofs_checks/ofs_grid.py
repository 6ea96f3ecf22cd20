"""What a grid of thresholds loses against all thresholds between them."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms.fair_bounds import grid_bound, log_term, stationary_bound
from mdptheory.models import GaussianBandit
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._bandit_oracle import positive
from proofs_checks._bandit_runs import DELTA, Game, Replay, erred, is_small, run_game

GOOD = ("missed",)
FINE = 1e-9  # by which a limit may be exceeded by rounding


@case
class Case:
    """Mean reward and residuals as functions of a threshold in [0, 1], and a grid of thresholds.

    Attributes
    ----------
    reward : array of shape (P,)
        Values at P equally spaced knots, linear in between.
    residuals : array of shape (P, M)
        The same.
    sigma : float
        Scale of all noise.
    n_arms : int
        Thresholds of the grid, equally spaced, both ends included.
    horizon : int
        Number of rounds T.
    seed : int
        Of the noise.
    steps : bool
        Whether the functions jump at knots instead, and are constant in between; twins only.
    relaxed : bool
        Whether the learner is told limits relaxed by half a spacing; a twin is not.
    """

    reward: FloatArray
    residuals: FloatArray
    sigma: float
    n_arms: int
    horizon: int
    seed: int
    steps: bool = False
    relaxed: bool = True

    @property
    def knots(self) -> FloatArray:
        """Where the functions bend."""
        return np.linspace(0.0, 1.0, len(self.reward))

    @property
    def grid(self) -> FloatArray:
        """Thresholds of the arms."""
        return np.linspace(0.0, 1.0, self.n_arms)

    @property
    def spacing(self) -> float:
        """Distance h of neighbouring thresholds."""
        return 1.0 / (self.n_arms - 1)

    @property
    def lipschitz(self) -> tuple[float, float]:
        """Largest slopes of the reward and of a residual; of steps, as far as the grid shows."""
        table = np.column_stack([self.reward, self.residuals])
        table = self.at(self.grid) if self.steps else table
        slopes = np.abs(np.diff(table, axis=0)).max(axis=0) * (len(table) - 1)
        return float(slopes[0]), float(slopes[1:].max())

    @property
    def slack(self) -> float:
        """By how much limits are relaxed, l_g h / 2."""
        return self.lipschitz[1] * self.spacing / 2 if self.relaxed else 0.0

    def at(self, thresholds: FloatArray) -> FloatArray:
        """Mean reward and residuals, shape (n, 1 + M)."""
        table = np.column_stack([self.reward, self.residuals])
        if self.steps:
            place = np.searchsorted(self.knots, thresholds + FINE) - 1
            return table[np.clip(place, 0, len(table) - 1)]
        return np.column_stack([np.interp(thresholds, self.knots, f) for f in table.T])

    @property
    def game(self) -> Game:
        """The bandit of the grid, with the limits that the learner is told."""
        means = self.at(self.grid)
        m = means.shape[1] - 1
        bandit = GaussianBandit(means[:, 0], means[:, 1:], self.sigma, self.sigma)
        matrix = np.column_stack([np.zeros(m), np.eye(m)])
        return Game(bandit, matrix, np.full(m, self.slack), self.horizon, self.seed)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A run on the grid, and the best threshold of all.

    Attributes
    ----------
    case : Case
        The instance.
    replay : Replay
        The run.
    best : float
        Best feasible threshold in [0, 1].
    near : int
        Arm of the nearest threshold of the grid.
    """

    case: Case
    replay: Replay
    best: float
    near: int

    @property
    def reward(self) -> float:
        """Mean reward at the best threshold."""
        return float(self.case.at(np.array([self.best]))[0, 0])


def best_threshold(case: Case) -> float:
    """Return the best feasible threshold: a knot, or a place where a residual is 0; nan if none."""
    knots, g = case.knots, case.residuals
    rise = np.diff(g, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = -g[:-1] / rise
    inside = (share > 0) & (share < 1)
    crossings = (knots[:-1, None] + share * np.diff(knots)[:, None])[inside]
    places = np.concatenate([knots, (knots[:-1] + knots[1:]) / 2, crossings])
    means = case.at(places)
    feasible = (means[:, 1:] <= FINE).all(axis=1)
    if not feasible.any():
        return float("nan")
    return float(places[np.argmax(np.where(feasible, means[:, 0], -np.inf))])


def run(case: Case) -> Trace:
    """Play on the grid, and look between its points."""
    best = best_threshold(case)
    return Trace(case, run_game(case.game), best, int(np.argmin(np.abs(case.grid - best))))


def missed(trace: Trace) -> bool:
    """Tell whether some average of some arm missed its radius."""
    return erred(trace.replay)


def sample(rng: np.random.Generator) -> Case:
    """Draw functions in twentieths with a feasible knot, and a coarser or finer grid."""
    p, k = int(rng.integers(4, 9)), int(rng.choice([6, 8, 11, 16]))
    reward = 0.5 + np.cumsum(rng.integers(-3, 4, p)) / 20
    residuals = np.cumsum(rng.integers(-3, 4, (p, 2)), axis=0) / 20
    knot = int(rng.integers(p))
    residuals -= np.maximum(residuals[knot], 0) if rng.integers(2) else residuals[knot]
    sigma, horizon = float(rng.choice([0.05, 0.1])), int(rng.choice([6000, 9000]))
    seed = int(rng.integers(2**31))
    return Case(reward, residuals, sigma, k, horizon, seed)


def admissible(case: Case) -> bool:
    """Tell whether the functions are Lipschitz, limits relaxed, and some threshold feasible."""
    known = not case.steps and case.relaxed and case.n_arms >= 2 and len(case.reward) >= 2
    shaped = case.residuals.ndim == 2 and case.residuals.shape[1] >= 1
    if not known or not shaped or len(case.residuals) != len(case.reward):
        return False
    return bool(np.isfinite(best_threshold(case))) and is_small(case.game)


# ---- links --------------------------------------------------------------------------------------


def nearest(trace: Trace, *, gaps: int = 1) -> Checks:
    """Expect the best threshold to be within half a spacing of the grid, K - 1 to the range."""
    distance = abs(float(trace.case.grid[trace.near]) - trace.best)
    return Check(distance, 0.5 / (trace.case.n_arms - gaps))


def relaxed_enough(trace: Trace) -> Checks:
    """Expect the nearest arm to meet the limits that the learner was told."""
    worst = float(trace.replay.case.residuals[trace.near].max())
    return Check.nonpositive(worst, scale=1.0)


def near_as_good(trace: Trace, *, share: float = 0.5) -> Checks:
    """Hold what the nearest arm earns less to l_mu h / 2."""
    lost = trace.reward - float(trace.replay.case.bandit.reward[trace.near])
    room = share * trace.case.lipschitz[0] * trace.case.spacing
    return Check.nonpositive(lost - room, scale=1.0)


def comparator(trace: Trace) -> Checks:
    """Hold the best threshold's reward to that of the best arm and l_mu h / 2."""
    game = trace.replay.case
    room = trace.case.lipschitz[0] * trace.case.spacing / 2
    best = float(game.bandit.reward[game.best]) if game.feasible else -np.inf
    return Check.nonpositive(trace.reward - best - room, scale=1.0)


def bounds(trace: Trace) -> tuple[float, float]:
    """Evaluate both right sides."""
    game = trace.replay.case
    k, t = game.bandit.n_arms, game.horizon
    log = log_term(k, len(game.scales), t, DELTA)
    found = []
    for lipschitz, worst in zip(
        trace.case.lipschitz, (game.gaps.max(), game.violations.max()), strict=True
    ):
        inner = stationary_bound(k, t, log, scale=trace.case.sigma, worst=float(worst))
        found.append(grid_bound(t, trace.case.spacing, lipschitz, inner))
    return found[0], found[1]


def regret(trace: Trace) -> Checks:
    """Hold what the run earns less than the best threshold to the bound."""
    reward, t = trace.replay.case.bandit.reward, trace.case.horizon
    lost = t * trace.reward - float(reward[trace.replay.arms].sum())
    return Check(lost, bounds(trace)[0], trivial=t * (trace.reward - float(reward.min())))


def violation(trace: Trace) -> Checks:
    """Hold the violation of the limits as they are, not relaxed, to the bound."""
    found = positive(trace.replay.case.bandit.residuals)
    broken = float(found[trace.replay.arms].sum())
    worst = trace.case.horizon * float(found.max())
    return Check(broken, bounds(trace)[1], trivial=worst)


# ---- instances of twins -------------------------------------------------------------------------


def narrow(rng: np.random.Generator) -> Case:
    """Draw the noise of a grid that misses the only feasible threshold, with limits as they are."""
    reward = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    residuals = np.array([[0.2], [0.1], [0.0], [0.1], [0.2]])
    return Case(reward, residuals, 0.1, 4, 4000, int(rng.integers(2**31)), relaxed=False)


def spike(rng: np.random.Generator) -> Case:
    """Draw the noise of step functions whose only good step lies between grid points."""
    reward, residuals = np.full(41, 0.2), np.full((41, 1), 0.3)
    reward[24:28], residuals[24:28] = 1.0, 0.0
    reward[:24] = np.linspace(0.1, 0.2, 24)
    return Case(reward, residuals, 0.1, 3, 4000, int(rng.integers(2**31)), steps=True)


CHAIN = Chain(
    id="ofs.grid",
    title="OFS-T5: a grid of thresholds loses half a spacing a round, where means are Lipschitz",
    source="derived here; the rule is that of Du, arXiv 2512.22313, of which the abstract was read",
    statement=(
        "Means Lipschitz in the threshold, limits relaxed by l_g h / 2: with probability 1 - delta,"
        " T mu(tau*) - sum mu(tau_t) <= T l_mu h / 2 + bound of ofs.stationary, and the limits as"
        " they were are violated by at most T l_g h / 2 + that bound in all. Says nothing of shares"
        " of finitely many scores."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="best threshold among knots and zeros of residuals; sums of exact means",
    links=(
        Link("nearest", "|tau* - tau_near| <= h / 2", nearest),
        Link("relaxed_enough", "g(tau_near) <= l_g h / 2", relaxed_enough),
        Link("near_as_good", "mu(tau*) - mu(tau_near) <= l_mu h / 2", near_as_good),
        Link("comparator", "mu(tau*) <= mu of the best arm + l_mu h / 2", comparator),
        Link("regret", "T mu(tau*) - sum mu <= T l_mu h / 2 + bound", regret, unless=GOOD),
        Link("violation", "sum v <= T l_g h / 2 + bound", violation, unless=GOOD),
    ),
    events=(Event("missed", "some average is further off than its radius", DELTA, missed),),
    twins=(
        Twin(
            "steps",
            "means jump between thresholds of the grid",
            sample=spike,
            expect_link=(
                "relaxed_enough",
                "near_as_good",
                "comparator",
                "regret",
                "violation",
            ),
        ),
        Twin(
            "strict",
            "the learner is told the limits as they are",
            sample=narrow,
            expect_link=("relaxed_enough", "comparator"),
        ),
        Twin(
            "as_many_gaps",
            "K thresholds are said to divide the range into K spacings",
            sample=narrow,
            links={"nearest": partial(nearest, gaps=0)},
            expect_link="nearest",
        ),
        Twin(
            "quarter",
            "a quarter of a spacing is said to be enough",
            sample=narrow,
            links={"near_as_good": partial(near_as_good, share=0.25)},
            expect_link="near_as_good",
        ),
    ),
)
"""Half a spacing is used up where a narrow peak lies halfway between two thresholds."""
