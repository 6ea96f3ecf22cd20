import importlib

import numpy as np
import pytest

from mdptheory import FiniteHorizon, TabularMDP, evaluate_robust, robust_solve, solve
from mdptheory.environments import machine_replacement
from mdptheory.errors import InvalidModelError, MissingExtraError
from mdptheory.models import L1Ball
from mdptheory.plotting import plot_robustness_curve

RADII = (0.0, 0.4, 1.0)


def ball(radius):
    return L1Ball(radius, support="nominal")


def bands(ax):
    """Return the (low, high) of each band at each radius."""
    found = []
    for collection in ax.collections:
        points = collection.get_paths()[0].vertices
        found.append([(y.min(), y.max()) for y in (points[points[:, 0] == r, 1] for r in RADII)])
    return np.array(found)


def test_the_curves_are_the_solvers_values_within_their_bands(tmp_path):
    mdp = machine_replacement()
    nominal = solve(mdp).policy
    ax = plot_robustness_curve(mdp, ball, RADII, start=0, policies={"nominal": nominal}, tol=0.5)
    best, other = (line.get_ydata() for line in ax.lines)
    for curve, exact in [
        (best, [robust_solve(mdp, ball(r), tol=1e-9).v[0] for r in RADII]),
        (other, [evaluate_robust(mdp, ball(r), nominal, tol=1e-9).v[0] for r in RADII]),
    ]:
        np.testing.assert_allclose(curve, exact, atol=0.5)
        low, high = bands(ax)[0 if curve is best else 1].T
        assert ((low <= exact) & (exact <= np.array(high))).all()
        assert (high - low <= 1.0 + 1e-9).all()
    assert other[-1] < best[-1] - 1.0
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "best policy at each radius",
        "nominal",
    ]
    assert "radius" in ax.get_xlabel()
    ax.figure.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_the_start_is_a_state_a_distribution_or_the_models_own():
    mdp = machine_replacement()
    uniform = np.full(mdp.n_states, 1.0 / mdp.n_states)
    mean = plot_robustness_curve(mdp, ball, [0.2], start=uniform).lines[0].get_ydata()[0]
    assert mean == pytest.approx(robust_solve(mdp, ball(0.2)).v.mean(), abs=1e-5)
    own = plot_robustness_curve(mdp, ball, [0.2])
    expected = uniform if mdp.initial is None else mdp.initial
    drawn = own.lines[0].get_ydata()[0]
    assert drawn == pytest.approx(robust_solve(mdp, ball(0.2)).v @ expected, abs=1e-5)
    assert own.get_legend() is None
    assert plot_robustness_curve(mdp, ball, [0.3, 0.1], start=0, ax=own) is own
    np.testing.assert_array_equal(own.lines[1].get_xdata(), [0.1, 0.3])


def test_a_finite_horizon_shows_its_first_stage():
    mdp = TabularMDP.from_dense(
        [[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], objective=FiniteHorizon(3)
    )
    ax = plot_robustness_curve(mdp, ball, [0.0, 0.2], start=0)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1.75, 1.56])
    with pytest.raises(InvalidModelError, match="evaluate_robust expects Discounted"):
        plot_robustness_curve(mdp, ball, [0.0], start=0, policies={"only": [0, 0]})


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"ambiguity": ball(0.1)}, TypeError, "ambiguity is of type L1Ball; expected a function"),
        ({"ambiguity": lambda r: r}, TypeError, "ambiguity is of type float; expected an amb"),
        ({"radii": []}, InvalidModelError, "radii is empty; expected at least one number"),
        ({"radii": [[0.2]]}, InvalidModelError, r"radii has shape \(1, 1\); expected \(any\)"),
        ({"radii": [0.1, np.nan]}, InvalidModelError, r"radii\[1\] is nan; expected a finite"),
        ({"start": 10}, InvalidModelError, r"start is 10; expected a state in \[0, 10\) or"),
        ({"start": [0.5] * 10}, InvalidModelError, "start sums to 5; expected 1"),
        ({"start": [1.0]}, InvalidModelError, r"start has shape \(1,\); expected \(10\)"),
    ],
)
def test_bad_arguments_are_refused(changed, error, message):
    arguments = {"mdp": machine_replacement(), "ambiguity": ball, "radii": RADII, **changed}
    with pytest.raises(error, match=message):
        plot_robustness_curve(**arguments)


def test_without_matplotlib_the_message_names_the_extra(monkeypatch):
    def refuse(name, package=None):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingExtraError, match=r"'mdptheory\[figures\]' brings it"):
        plot_robustness_curve(machine_replacement(), ball, RADII)
