import importlib

import numpy as np
import pytest

from mdptheory import FiniteHorizon, TabularMDP, solve, value_iteration
from mdptheory.environments import riverswim
from mdptheory.errors import InvalidModelError, MissingExtraError
from mdptheory.plotting import plot_convergence, plot_values


@pytest.mark.parametrize(
    ("against", "label"), [("work", "sweeps"), ("seconds", "seconds"), ("iterations", "iterations")]
)
def test_convergence_shows_the_trace(tmp_path, against, label):
    solutions = {"value iteration": value_iteration(riverswim()), "solve": solve(riverswim())}
    ax = plot_convergence(solutions, against=against)
    assert label in ax.get_xlabel()
    for line, solution in zip(ax.lines, solutions.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), solution.convergence.trace.gap)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(solutions)
    ax.figure.savefig(tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_a_single_solution_needs_no_label_and_given_axes_are_used():
    ax = plot_convergence(solve(riverswim()))
    assert ax.get_legend() is None
    assert plot_convergence(solve(riverswim()), ax=ax) is ax
    assert len(ax.lines) == 2


def test_values_as_bars_and_as_a_grid(tmp_path):
    solution = solve(riverswim())
    ax = plot_values(solution)
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], solution.v)
    ax.figure.savefig(tmp_path / "bars.png")
    grid = plot_values(solution, shape=(2, 3))
    np.testing.assert_allclose(grid.images[0].get_array(), solution.v.reshape(2, 3))
    assert len(grid.texts) == 6
    grid.figure.savefig(tmp_path / "grid.png")


def test_a_finite_horizon_shows_its_first_stage():
    mdp = TabularMDP.from_dense(
        [[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], objective=FiniteHorizon(3)
    )
    ax = plot_values(solve(mdp))
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], [1.75, 0.0])


def test_bad_arguments_are_refused():
    solution = solve(riverswim())
    with pytest.raises(InvalidModelError, match="against is 'sweeps'; expected one of work"):
        plot_convergence(solution, against="sweeps")
    with pytest.raises(InvalidModelError, match="solutions is empty"):
        plot_convergence({})
    with pytest.raises(InvalidModelError, match=r"shape is \(2, 2\), which has 4 cells; ex"):
        plot_values(solution, shape=(2, 2))


def test_without_matplotlib_the_message_names_the_extra(monkeypatch):
    def refuse(name, package=None):
        raise ImportError(name)

    solution = solve(riverswim())
    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingExtraError, match=r"'mdptheory\[figures\]' brings it"):
        plot_values(solution)
