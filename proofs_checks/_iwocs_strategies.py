"""Hypothesis strategies for the chains about iwocs; importing this needs the extra ``checks``."""

from collections.abc import Callable

import numpy as np

from mdptheory import Discounted, TabularMDP
from mdptheory.theory import strategies as parts
from proofs_checks import (
    iwocs_bracket,
    iwocs_coupled,
    iwocs_errors,
    iwocs_hull,
    iwocs_nature_greedy,
    iwocs_upper_bounds,
)
from proofs_checks._cases import Arm, build
from proofs_checks._iwocs_families import RULES, in_fields

# isort: split
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

GAMMAS = (0.5, 0.1, 0.9)


@st.composite
def families(draw: DrawFn, *, fewest: int = 1, most: int = 3) -> list[TabularMDP]:
    """Generate models with the same rewards; shrinks towards one with uniform rows."""
    mdp = draw(parts.mdps(max_states=3, max_actions=2, gammas=GAMMAS))
    count = draw(st.integers(fewest, most if mdp.n_rows <= 4 else min(most, 2)))
    return [mdp, *(draw(_others(mdp)) for _ in range(count - 1))]


@st.composite
def _others(draw: DrawFn, mdp: TabularMDP) -> TabularMDP:
    table: list[list[Arm]] = []
    for first, last in zip(mdp.choice_ptr[:-1], mdp.choice_ptr[1:], strict=True):
        kernel = draw(parts.kernels(int(last - first), mdp.n_states))
        table.append(list(zip(kernel.tolist(), mdp.reward[first:last].tolist(), strict=True)))
    return build(table, Discounted(mdp.gamma))


def _starts(n: int) -> SearchStrategy[np.ndarray]:
    return st.one_of(st.integers(0, n - 1).map(lambda s: np.eye(n)[s]), parts.rows(n))


@st.composite
def upper_bounds_cases(draw: DrawFn) -> iwocs_upper_bounds.Case:
    """Generate a family and a rule; shrinks towards the published one."""
    fields = in_fields(draw(families()))
    return iwocs_upper_bounds.Case(*fields, draw(st.integers(0, iwocs_upper_bounds.LAST)))


@st.composite
def bracket_cases(draw: DrawFn) -> iwocs_bracket.Case:
    """Generate a family, a rule and a start; shrinks towards the first state."""
    models = draw(families())
    rule, start = draw(st.integers(0, len(RULES) - 1)), draw(_starts(models[0].n_states))
    return iwocs_bracket.Case(*in_fields(models), rule, start)


@st.composite
def errors_cases(draw: DrawFn) -> iwocs_errors.Case:
    """Generate two models, every second time with rewards of transitions."""
    mdp, other = (model.completed(0.0) for model in draw(families(fewest=2, most=2)))
    if draw(st.booleans()):
        paid = draw(parts.values(mdp.n_transitions, low=0.0))
        mdp = iwocs_errors.with_rewards(mdp, paid)
    steps, tau = draw(st.integers(1, 4)), draw(st.sampled_from(iwocs_errors.TOLERANCES))
    return iwocs_errors.Case(mdp, other, steps, tau, draw(parts.stochastic_policies(mdp)))


@st.composite
def coupled_cases(draw: DrawFn) -> iwocs_coupled.Case:
    """Generate a family, a stochastic policy and a start."""
    models = draw(families())
    policy, start = draw(parts.stochastic_policies(models[0])), draw(_starts(models[0].n_states))
    return iwocs_coupled.Case(*in_fields(models), draw(st.booleans()), policy, start)


def nature_greedy_cases() -> SearchStrategy[iwocs_nature_greedy.Case]:
    """Generate a family."""
    return families().map(lambda models: iwocs_nature_greedy.Case(*in_fields(models)))


@st.composite
def hull_cases(draw: DrawFn) -> iwocs_hull.Case:
    """Generate two models, and whether nature begins with the first or with their mean."""
    first, second = draw(families(fewest=2, most=2))
    return iwocs_hull.Case(first, second, draw(st.booleans()))


CASES: dict[str, Callable[[], SearchStrategy[object]]] = {
    "iwocs.upper_bounds": upper_bounds_cases,
    "iwocs.bracket": bracket_cases,
    "iwocs.errors": errors_cases,
    "iwocs.coupled": coupled_cases,
    "iwocs.nature_greedy": nature_greedy_cases,
    "iwocs.hull": hull_cases,
}
