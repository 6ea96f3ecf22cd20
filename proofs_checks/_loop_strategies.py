"""Hypothesis strategies for the cases of the chains about closed loops."""

from collections.abc import Callable

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import GaussianBandit, LoopDynamics, ThresholdLoop
from proofs_checks import ofs_constants, ofs_epochs, ofs_transient, ofs_uniform_bias
from proofs_checks._loop_cases import INERTIAS, LEVERS, PULLS, SPEEDS, Loop

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

SEEDS = st.integers(0, 99)
TENTHS = st.integers(0, 10).map(lambda n: n / 10)
EIGHTHS = st.integers(-8, 8).map(lambda n: n / 8)
HALVES = st.sampled_from((0.0, 0.5, 1.0))


@st.composite
def populations(draw: DrawFn) -> ThresholdLoop:
    """Generate a contracting loop of two groups; shrinks towards one arm that accepts nobody."""
    k = draw(st.integers(1, 3))
    cell = st.lists(TENTHS, min_size=k, max_size=k).map(lambda row: sorted(row, reverse=True))
    survival = np.array([[draw(cell) for _ in range(2)] for _ in range(2)])
    c1, c0 = draw(st.sampled_from(PULLS))
    eta_q, eta_p = (draw(st.sampled_from(SPEEDS)) for _ in range(2))
    dynamics = LoopDynamics(eta_q, eta_p, c1, c0, draw(st.sampled_from(LEVERS)))
    p0, *q0 = np.clip([draw(TENTHS) for _ in range(3)], 0.05, 0.95)
    cost = float(draw(st.integers(0, 3)))
    return ThresholdLoop(survival, np.arange(float(k)), float(p0), np.array(q0), cost, dynamics)


@st.composite
def drifts(draw: DrawFn) -> GaussianBandit:
    """Generate a bandit whose means lean on a number; shrinks towards one arm that earns 0."""
    k, m = draw(st.integers(1, 3)), draw(st.integers(0, 2))

    def numbers(part: SearchStrategy[float], *shape: int) -> FloatArray:
        count = int(np.prod(shape))
        return np.array(draw(st.lists(part, min_size=count, max_size=count))).reshape(shape)

    return GaussianBandit(
        numbers(EIGHTHS, k),
        numbers(EIGHTHS, k, m),
        0.1,
        np.full(m, 0.1),
        numbers(EIGHTHS, k),
        numbers(EIGHTHS, k, m),
        numbers(HALVES, k),
        draw(st.sampled_from(INERTIAS)),
        draw(HALVES),
    )


def loops() -> SearchStrategy[Loop]:
    """Generate either."""
    return st.one_of(drifts(), populations())


@st.composite
def constants_cases(draw: DrawFn) -> ofs_constants.Case:
    """Generate a loop and two places in its box; shrinks towards the lowest corner."""
    env = draw(loops())
    where = np.array(draw(st.lists(HALVES, min_size=6, max_size=6))).reshape(2, 3)
    return ofs_constants.Case(env, where, draw(st.integers(0, env.n_arms - 1)))


@st.composite
def transient_cases(draw: DrawFn) -> ofs_transient.Case:
    """Generate a loop and up to four segments."""
    env, n = draw(loops()), draw(st.integers(1, 4))
    arms = draw(st.lists(st.integers(0, env.n_arms - 1), min_size=n, max_size=n))
    lengths = draw(st.lists(st.sampled_from((1, 2, 10, 100)), min_size=n, max_size=n))
    noise = draw(st.sampled_from((0.0, 0.1, 1.0)))
    return ofs_transient.Case(env, np.array(arms), np.array(lengths), noise, draw(SEEDS))


@st.composite
def epochs_cases(draw: DrawFn) -> ofs_epochs.Case:
    """Generate a loop and a plan; shrinks towards a short run."""
    env = draw(loops())
    first = draw(st.sampled_from((1, 4, 64)))
    burn = draw(st.sampled_from((0, first // 2, first)))
    horizon = draw(st.sampled_from((4, 100, 400, 1_000)))
    return ofs_epochs.Case(env, draw(TENTHS), draw(TENTHS), horizon, first, burn, draw(SEEDS))


@st.composite
def uniform_cases(draw: DrawFn) -> ofs_uniform_bias.Case:
    """Generate a loop and the length of two runs."""
    horizon = draw(st.sampled_from((4, 50, 300)))
    return ofs_uniform_bias.Case(draw(loops()), draw(TENTHS), draw(TENTHS), horizon, draw(SEEDS))


CASES: dict[str, Callable[[], SearchStrategy[object]]] = {
    "ofs.constants": constants_cases,
    "ofs.transient": transient_cases,
    "ofs.epochs": epochs_cases,
    "ofs.uniform_bias": uniform_cases,
}
