"""The figures about IWOCS: what the paper says of them, and what we do."""

import numpy as np
import pytest

from paper_figures.iwocs import fig1_windy_walk, fig2_stalls, fig3_examples
from paper_figures.iwocs._variants import VARIANTS


def quiet(label, done, total):
    pass


def computed(module, config):
    return module.compute(config, np.random.default_rng(0), quiet)


@pytest.fixture(scope="module")
def walk():
    return computed(fig1_windy_walk, fig1_windy_walk.Config())


def test_iwocs_certifies_within_two_iterations_from_every_wind(walk):
    assert len(walk["first"]) == walk["n_kernels"] == 25
    for first in walk["first"]:
        upper, lower = walk[f"upper_{first}"], walk[f"lower_{first}"]
        assert walk[f"certified_{first}"]
        assert len(upper) == (1 if first == 24 else 2)
        assert (np.diff(upper) <= 1e-9).all()
        assert (lower <= walk["v_star"] + 1e-6).all()
        assert upper[-1] == pytest.approx(walk["v_star"], abs=1e-6)
        assert lower[-1] == pytest.approx(walk["v_star"], abs=1e-6)
        assert walk[f"worst_{first}"] == 24  # wind strength 0.5


def test_the_walks_numbers(walk):
    assert walk["v_star"] == pytest.approx(-7.952147489722, abs=1e-8)
    error = dict(enumerate(walk["rvi_error"], start=1))
    for sweeps, expected in [(10, 0.682), (20, 5.0e-4), (28, 2.6e-6), (40, 9.8e-10)]:
        assert error[sweeps] == pytest.approx(expected, rel=0.02)
    assert error[18] > 1e-3 > error[19]
    assert error[29] > 1e-6 > error[30]
    assert abs(walk["upper_0"][0] - walk["v_star"]) == pytest.approx(3.4278, abs=1e-4)


def test_the_route_changes_between_winds_17_and_18(walk):
    north = walk["first_move"] == walk["first_move"][0]
    assert north[:18].all()
    assert not north[18:].any()
    np.testing.assert_allclose(walk["straight"][:18], walk["value"][:18], atol=1e-8)
    assert (walk["straight"][18:] < walk["value"][18:] - 1e-3).all()
    assert walk["straight"][24] == pytest.approx(-10.294413, abs=1e-6)
    assert (np.diff(walk["value"]) < 0).all()


def test_repaired_variants_never_stall():
    config = fig2_stalls.Config(sizes=((3, 3, 3), (5, 3, 3)), instances=25)
    data = computed(fig2_stalls, config)
    assert data["stalled"].shape == (2, len(VARIANTS), 25)
    for j, variant in enumerate(VARIANTS):
        if variant.startswith("repaired"):
            assert not data["stalled"][:, j].any()
            assert data["certified"][:, j].all()
    nominal = list(VARIANTS).index("published, others nominal")
    assert data["stalled"][:, nominal].mean() > 0.2  # 38 and 58 % in the long run
    assert (data["stalled"] ^ data["certified"]).all()


def test_examples_a_and_b():
    data = computed(fig3_examples, fig3_examples.Config())
    for name, true, stalled, bounds in [
        ("A", 31.0, "published, others greedy", (10.0, 37.0)),
        ("B", 5.0, "published, others nominal", (0.0, 8.1)),
    ]:
        assert data[f"true_{name}"] == pytest.approx(true)
        for j, variant in enumerate(VARIANTS):
            found = float(data[f"lower_{name}"][j]), float(data[f"upper_{name}"][j])
            expected = bounds if variant == stalled else (true, true)
            assert found == pytest.approx(expected, abs=1e-8), (name, variant)
            status = "STALLED" if variant == stalled else "CERTIFIED"
            assert data[f"status_{name}"][j] == status
