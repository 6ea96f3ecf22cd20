"""Hypothesis strategies for the cases of the chains about delayed impact and performativity."""

from collections.abc import Callable

import numpy as np

from mdptheory.theory import strategies as parts
from proofs_checks import fair_delayed_impact, fair_performative

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

QUARTERS = st.integers(-8, 8).map(lambda i: i / 4)


@st.composite
def delayed_impact_cases(draw: DrawFn) -> fair_delayed_impact.Case:
    """Generate two groups over one to four scores; shrinks towards equal groups that never fail."""
    n = draw(st.integers(1, 4))
    pi = draw(parts.kernels(2, n))
    rho = np.sort(8 - np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)))) / 8
    share = draw(st.sampled_from((0.5, 0.25, 0.125, 0.75, 0.875)))
    loss, harm = (draw(st.sampled_from((1.0, 0.5, 2.0, 0.25, 3.0))) for _ in range(2))
    eighths = draw(st.lists(st.integers(0, 8), min_size=2 * n, max_size=2 * n))
    accept = np.array(eighths).reshape(2, n) / 8
    drawn = fair_delayed_impact.Case(pi, rho, np.array([share, 1.0 - share]), loss, harm, accept)
    if not fair_delayed_impact.admissible(drawn):  # a group without successes
        rho = np.maximum(rho, 0.125)
        drawn = fair_delayed_impact.Case(pi, rho, drawn.shares, loss, harm, accept)
    return drawn


@st.composite
def performative_cases(draw: DrawFn) -> fair_performative.Case:
    """Generate numbers in quarters and a strength in twentieths; shrinks towards zeros."""
    eps = draw(st.integers(-18, 18)) / 20
    m, bias, start, other = (draw(QUARTERS) for _ in range(4))
    return fair_performative.Case(m, eps, abs(draw(QUARTERS)), bias, start, other)


CASES: dict[str, Callable[[], SearchStrategy[object]]] = {
    "fair.delayed_impact": delayed_impact_cases,
    "fair.performative": performative_cases,
}
