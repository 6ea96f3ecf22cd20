"""Bandits with constraints, runs on them, and all indices of all rounds by a second route."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mdptheory import algorithms
from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import BanditOptions
from mdptheory.models import BanditRun, GaussianBandit, LinearResidual
from mdptheory.theory import case
from mdptheory.theory.codec import register
from proofs_checks._bandit_oracle import Rule, Setup, play, positive

DELTA = 0.05
ROUNDING = 1e-12
LIBRARY: dict[str, Callable[..., BanditRun]] = {
    "ofs": algorithms.ofs,
    "ucb": algorithms.ucb,
    "pessimistic": algorithms.pessimistic_ucb,
    "greedy": algorithms.greedy_feasible,
}

register(GaussianBandit)


@case
class Game:
    """A bandit, what its arms must satisfy, and how long it is played.

    Attributes
    ----------
    bandit : GaussianBandit
        Means and scales.
    matrix : array of shape (M, C)
        Residuals are ``matrix @ channels - level``.
    level : array of shape (M,)
        Right sides.
    horizon : int
        Number of rounds T.
    seed : int
        Of the noise.
    anytime : bool
        Whether radii know no horizon.
    radius_scale : float
        Factor of all radii.
    """

    bandit: GaussianBandit
    matrix: FloatArray
    level: FloatArray
    horizon: int
    seed: int
    anytime: bool = False
    radius_scale: float = 1.0

    @property
    def constraints(self) -> tuple[LinearResidual, ...]:
        """The same as the library takes them."""
        names = [channel.name for channel in self.bandit.channels]
        return tuple(
            LinearResidual({n: float(x) for n, x in zip(names, row, strict=True) if x}, float(h))
            for row, h in zip(self.matrix, self.level, strict=True)
        )

    @property
    def setup(self) -> Setup:
        """The same for the slow loop."""
        return Setup(self.constraints, DELTA, radius_scale=self.radius_scale, anytime=self.anytime)

    @property
    def noise(self) -> FloatArray:
        """Normals of the run, one a channel and round."""
        shape = self.horizon, len(self.scales)
        return np.random.default_rng(self.seed).standard_normal(shape)

    @property
    def scales(self) -> FloatArray:
        """Scales of the channels, shape (C,)."""
        sigmas = np.asarray(self.bandit.sigma_residuals)
        return np.concatenate([[self.bandit.sigma_reward], sigmas])

    @property
    def widths(self) -> FloatArray:
        """Scales of the residuals, shape (M,)."""
        return np.abs(self.matrix) @ self.scales

    @property
    def means(self) -> FloatArray:
        """Means of the channels, shape (K, C)."""
        return np.column_stack([self.bandit.reward, self.bandit.residuals])

    @property
    def residuals(self) -> FloatArray:
        """Mean residuals, shape (K, M)."""
        found = self.means @ self.matrix.T - self.level
        return np.where(np.abs(found) < ROUNDING, 0.0, found)

    @property
    def violations(self) -> FloatArray:
        """Violations of the arms, shape (K,)."""
        return positive(self.residuals)

    @property
    def feasible(self) -> bool:
        """Whether some arm violates nothing."""
        return bool(self.violations.min() <= 0)

    @property
    def best(self) -> int:
        """The best feasible arm, or the least violating one."""
        v = self.violations
        return int(np.argmax(np.where(v <= v.min(), self.bandit.reward, -np.inf)))

    @property
    def gaps(self) -> FloatArray:
        """What each arm earns less than the best feasible one, at least 0."""
        return np.maximum(self.bandit.reward[self.best] - self.bandit.reward, 0.0)

    def log(self, count: FloatArray | float) -> FloatArray:
        """L by horizon, or by the number of observations."""
        pairs = self.bandit.n_arms * len(self.scales)
        n = np.asarray(count, dtype=np.float64)
        if self.anytime:
            return np.log(pairs * np.pi**2 * n**2 / (3 * DELTA))
        return np.full(n.shape, np.log(2 * pairs * self.horizon / DELTA))

    def unit(self, count: IntArray) -> FloatArray:
        """Radius of a channel of scale 1 after so many observations; infinite after none."""
        n = np.maximum(count, 1).astype(np.float64)
        found = self.radius_scale * np.sqrt(2 * self.log(n) / n)
        return np.where(count == 0, np.inf, found)


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A run, and every index that it should have looked at.

    Attributes
    ----------
    case : Game
        The instance.
    arms : array of int of shape (T,)
        Arm of each round.
    fallbacks : int
        Rounds in which nothing looked feasible, by the run's own account.
    account : array of shape (2,)
        Its regret and its violation, by its own account.
    certificates : array of shape (2,)
        Upper bounds of both, by its own account; nan where it gives none.
    counts : array of int of shape (T, K)
        Earlier pulls of each arm.
    mean : array of shape (T, K, C)
        Averages of what they showed; of no meaning without any.
    unit : array of shape (T, K)
        Radii for scale 1; infinite before the first pull.
    """

    case: Game
    arms: IntArray
    fallbacks: int
    account: FloatArray
    certificates: FloatArray
    counts: IntArray
    mean: FloatArray
    unit: FloatArray

    @property
    def rounds(self) -> IntArray:
        """0, 1, ..., T - 1."""
        return np.arange(len(self.arms))

    @property
    def again(self) -> IntArray:
        """Rounds whose arm had been pulled before."""
        return np.flatnonzero(self.counts[self.rounds, self.arms] > 0)

    @property
    def upper(self) -> FloatArray:
        """u(k) in every round, shape (T, K)."""
        return np.where(
            self.counts == 0, np.inf, self.mean[..., 0] + self.case.scales[0] * self.unit
        )

    @property
    def width(self) -> FloatArray:
        """Largest radius of a residual in every round, shape (T, K)."""
        widest = self.case.widths.max(initial=0.0)
        return np.where(self.counts == 0, np.inf, widest * np.where(self.counts, self.unit, 1.0))

    def least(self, *, sign: float = 1.0, radius: float = 1.0) -> FloatArray:
        """Optimistic violations in every round, shape (T, K); 0 before the first pull."""
        game = self.case
        unit = np.where(self.counts == 0, 0.0, self.unit)[..., None]
        low = sign * (self.mean @ game.matrix.T - game.level) - radius * unit * game.widths
        return np.where(self.counts == 0, 0.0, positive(low))

    def chosen(self, table: FloatArray) -> FloatArray:
        """Entries of a table of shape (T, K) at the arms that were played, without first pulls."""
        again = self.again
        return table[again, self.arms[again]]


def earlier(arms: IntArray, n_arms: int) -> IntArray:
    """Count earlier pulls of all arms in all rounds, shape (T, K)."""
    played = (arms[:, None] == np.arange(n_arms)).astype(np.int64)
    return np.asarray(np.cumsum(played, axis=0) - played, dtype=np.int64)


def tables(game: Game, arms: IntArray, noise: FloatArray) -> tuple[IntArray, FloatArray]:
    """Count earlier pulls of all arms in all rounds, and average what they showed."""
    t, k_arms = len(arms), game.bandit.n_arms
    played = arms[:, None] == np.arange(k_arms)
    counts = earlier(arms, k_arms)
    mean = np.zeros((t, k_arms, noise.shape[1]))
    for k in range(k_arms):
        seen = game.means[k] + game.scales * noise[played[:, k]]
        n = np.arange(1, len(seen) + 1)[:, None]
        averages = np.vstack([np.zeros((1, noise.shape[1])), np.cumsum(seen, axis=0) / n])
        mean[:, k] = averages[counts[:, k]]
    return counts, mean


def run_game(game: Game, rule: str | Rule = "ofs") -> Replay:
    """Let the library play, or the slow loop if the rule has a bug; then compute all indices."""
    noise = game.noise
    if isinstance(rule, str):
        options = BanditOptions(
            delta=DELTA,
            radius_scale=game.radius_scale,
            anytime=game.anytime,
            record_every=game.horizon,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no feasible arm, or radii that prove nothing
            result = LIBRARY[rule](
                game.bandit, game.horizon, game.constraints, options=options, rng=game.seed
            )
        arms: IntArray = np.asarray(result.arms)
        fallbacks = result.fallback_rounds
        account = np.array([result.regret[-1], result.violation[-1]])
        claims = (result.certificate_regret, result.certificate_violation)
        given = np.array([np.nan if claim is None else claim for claim in claims])
    else:
        slow = play(game.bandit, rule, game.horizon, noise, game.setup)
        arms, fallbacks = slow.arms, int(slow.fallback.sum())
        account, given = totals(game, arms)[:, -1], np.full(2, np.nan)
    counts, mean = tables(game, arms, noise)
    return Replay(game, arms, fallbacks, account, given, counts, mean, game.unit(counts))


def totals(game: Game, arms: IntArray) -> FloatArray:
    """Sum up regret (nan if no arm is feasible) and violation over the rounds, shape (2, T)."""
    gaps = game.gaps if game.feasible else np.full(game.bandit.n_arms, np.nan)
    return np.cumsum([gaps[arms], game.violations[arms]], axis=1)


def erred(replay: Replay, *, radius: float = 1.0) -> bool:
    """Tell, from the noise alone, whether some average of some arm missed its radius."""
    game, noise = replay.case, replay.case.noise
    for k in range(game.bandit.n_arms):
        sums = np.abs(np.cumsum(noise[replay.arms == k], axis=0))
        n = np.arange(1, len(sums) + 1)
        if (sums > (radius * n * game.unit(n))[:, None]).any():
            return True
    return False


# ---- instances ----------------------------------------------------------------------------------


def game_of(bandit: GaussianBandit, horizon: int, seed: int, **told: Any) -> Game:
    """Ask every residual channel of a bandit not to be positive."""
    m = bandit.residuals.shape[1]
    matrix = np.column_stack([np.zeros(m), np.eye(m)])
    return Game(bandit, matrix, np.zeros(m), horizon, seed, **told)


def random_game(
    rng: np.random.Generator,
    *,
    horizons: tuple[int, ...] = (1000, 2000, 4000),
    feasible: bool = True,
) -> Game:
    """Draw arms in tenths, with ties, sums of residuals, and half of the best on their limit."""
    k = int(rng.choice([1, 2, 3, 4, 6, 8], p=[0.04, 0.26, 0.2, 0.2, 0.2, 0.1]))
    m = int(rng.choice([0, 1, 2], p=[0.04, 0.36, 0.6]))
    reward = rng.integers(0, 11, k) / 10
    residuals = rng.integers(-5, 6, (k, m)) / 10
    safe = int(rng.integers(k))
    if feasible:
        residuals[safe] = -np.abs(residuals[safe])
    sigma = rng.choice([0.05, 0.1, 0.25], 1 + m)
    bandit = GaussianBandit(reward, residuals, float(sigma[0]), sigma[1:])
    told = {"anytime": bool(rng.integers(4) == 0), "radius_scale": float(rng.choice([1, 1, 1.5]))}
    game = game_of(bandit, int(rng.choice(horizons)), int(rng.integers(2**31)), **told)
    if m == 2 and rng.integers(2):
        row = np.array([0.0, 0.5, -0.5]) if rng.integers(2) else np.array([-0.5, 0.5, 0.0])
        limit = max(0.1, float(game.means[safe] @ row)) if feasible else -0.6
        game = replace(
            game, matrix=np.vstack([game.matrix, row]), level=np.append(game.level, limit)
        )
    return on_the_limit(game) if feasible and m and rng.integers(2) else game


def on_the_limit(game: Game) -> Game:
    """Move the limits so that the best arm meets the tightest one exactly."""
    level = game.level.copy()
    exact = game.means[game.best] @ game.matrix.T
    tightest = int(np.argmax(exact - level))
    level[tightest] = exact[tightest]
    return replace(game, level=level)


def named_game(seed: int, *, shift: float = 0.0, horizon: int = 200_000) -> Game:
    """Eight arms: the best violates, the second best sits on both limits; or all violate."""
    reward = np.array([1, 0.6, 0.55, 0.2, 0.5, 0.3, 0.1, 0])
    first = np.array([0.6, 0, -0.2, -0.3, 0.4, -0.1, -0.5, -0.5])
    second = np.array([0.3, 0, -0.2, -0.3, -0.1, 0.2, -0.5, -0.5])
    residuals = np.column_stack([first, second])
    if shift:
        residuals = np.abs(residuals) + shift
    return game_of(GaussianBandit(reward, residuals, 0.25, [0.25, 0.15]), horizon, seed)


def is_small(game: Game) -> bool:
    """Tell whether a game is one that can be replayed, and never moves."""
    bandit = game.bandit
    still = not (bandit.reward_slope.any() or bandit.residual_slope.any())
    sizes = bandit.n_arms <= 60 and bandit.n_arms <= game.horizon <= 10_000
    numbers = np.concatenate([game.means.ravel(), game.matrix.ravel(), game.level])
    told = 1.0 <= game.radius_scale <= 10 and game.matrix.shape[1] == len(game.scales)
    read = bool((game.matrix != 0).any(axis=0)[1:].all() and (game.matrix != 0).any(axis=1).all())
    noisy = bool((game.scales >= 1e-3).all() and (game.scales <= 10).all())
    return still and sizes and told and read and noisy and bool(np.abs(numbers).max() <= 100)
