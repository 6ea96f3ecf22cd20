"""Hypothesis strategies for the cases of the chains about bandits that do not move."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mdptheory.models import GaussianBandit
from proofs_checks import ofs_audits, ofs_grid
from proofs_checks._bandit_runs import Game, game_of, on_the_limit

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

SCALES = (0.1, 0.25, 0.05)
HORIZONS = (100, 1000, 4)
SEEDS = st.integers(0, 99)


def _tenths(low: int, high: int, count: int) -> SearchStrategy[list[float]]:
    return st.lists(st.integers(low, high).map(lambda i: i / 10), min_size=count, max_size=count)


@st.composite
def games(draw: DrawFn, *, feasible: bool = False) -> Game:
    """Generate one to four arms with up to two residuals; shrinks towards means of 0."""
    k, m = draw(st.integers(1, 4)), draw(st.integers(0, 2))
    reward = np.array(draw(_tenths(0, 10, k)))
    residuals = np.array(draw(_tenths(-5, 5, k * m))).reshape(k, m)
    if feasible:
        residuals[0] = -np.abs(residuals[0])
    sigma = np.array(draw(st.lists(st.sampled_from(SCALES), min_size=1 + m, max_size=1 + m)))
    bandit = GaussianBandit(reward, residuals, float(sigma[0]), sigma[1:])
    wide = draw(st.sampled_from((1.0, 1.5)))
    horizon = draw(st.sampled_from(HORIZONS))
    game = game_of(bandit, horizon, draw(SEEDS), anytime=draw(st.booleans()), radius_scale=wide)
    if m == 2 and draw(st.booleans()):
        row = np.array([-0.5, 0.5, 0.5])
        limit = float(game.means[0] @ row) + (0.0 if feasible else draw(st.integers(-3, 3)) / 10)
        game = replace(
            game, matrix=np.vstack([game.matrix, row]), level=np.append(game.level, limit)
        )
    return on_the_limit(game) if feasible and m and draw(st.booleans()) else game


@st.composite
def grids(draw: DrawFn) -> ofs_grid.Case:
    """Generate functions in tenths of a threshold, feasible at the first knot."""
    p, m, k = draw(st.integers(2, 5)), draw(st.integers(1, 2)), draw(st.integers(2, 6))
    reward = np.array(draw(_tenths(0, 10, p)))
    residuals = np.array(draw(_tenths(-5, 5, p * m))).reshape(p, m)
    residuals[0] = np.minimum(residuals[0], 0.0)
    horizon = draw(st.sampled_from((100, 1000)))
    return ofs_grid.Case(reward, residuals, draw(st.sampled_from(SCALES)), k, horizon, draw(SEEDS))


@st.composite
def audits(draw: DrawFn) -> ofs_audits.Case:
    """Generate one to three thresholds and short audits; shrinks towards nobody accepted."""
    k = draw(st.integers(1, 3))
    table = np.array(draw(_tenths(0, 10, 4 * k))).reshape(2, 2, k)
    survival = -np.sort(-table, axis=2)
    q, limits = np.array(draw(_tenths(1, 9, 2))), np.array(draw(_tenths(0, 3, 3)))
    return ofs_audits.Case(
        survival,
        draw(st.sampled_from((0.5, 0.2))),
        q,
        draw(st.sampled_from((1.0, 2.0))),
        draw(st.sampled_from((1, 2, 10))),
        draw(st.booleans()),
        limits,
        draw(st.sampled_from((20, 40))),
        draw(SEEDS),
        draw(st.booleans()),
    )


def feasible_games() -> SearchStrategy[Game]:
    """Generate games whose first arm is feasible."""
    return games(feasible=True)


CASES: dict[str, Callable[[], SearchStrategy[object]]] = {
    "ofs.coverage": games,
    "ofs.stationary": feasible_games,
    "ofs.pulls": feasible_games,
    "ofs.infeasible": games,
    "ofs.certificates": games,
    "ofs.grid": grids,
    "ofs.audits": audits,
}
