"""Windy walk: rows by the words of the paper, optimal values and routes in 25 winds."""

import re

import numpy as np
import pytest
from environment_oracles import dense, linear_program, policy_iteration

from mdptheory import environments as env
from mdptheory.errors import InvalidModelError

NORTH, SOUTH, EAST, WEST = range(4)
VALUES = (
    -4.5244, -4.6215, -4.7247, -4.8343, -4.9511, -5.0755, -5.2084, -5.3504, -5.5024,
    -5.6653, -5.8400, -6.0278, -6.2296, -6.4469, -6.6810, -6.9334, -7.2056, -7.4993,
    -7.6049, -7.6454, -7.6916, -7.7445, -7.8048, -7.8736, -7.9521,
)  # fmt: skip
STEP = {NORTH: (-1, 0), SOUTH: (1, 0), EAST: (0, 1), WEST: (0, -1)}


def row(mdp, cell, action):
    """``{cell: probability}`` of one row; cells are (row, column)."""
    width = int(np.flatnonzero([name == "G" for name in mdp.state_names])[0]) + 1
    k = mdp.row_of(cell[0] * width + cell[1], action)
    some = slice(int(mdp.row_ptr[k]), int(mdp.row_ptr[k + 1]))
    return {
        divmod(int(s), width): p for s, p in zip(mdp.next_state[some], mdp.prob[some], strict=True)
    }


def corridor(policy, width, c=1):
    """Row in which the walk crosses column ``c`` if every move succeeds."""
    r, column = 0, 0
    for _ in range(4 * width):
        dr, dc = STEP[int(policy[r * width + column])]
        r, column = min(max(r + dr, 0), 5), min(max(column + dc, 0), width - 1)
        if column == c:
            return {0: "north", 2: "middle", 4: "south", 5: "south"}[r]
    raise AssertionError("the walk never reaches the corridors")


def test_values_in_25_winds():
    family = env.windy_walk_family()
    for alpha, expected in zip(family.alphas, VALUES, strict=True):
        v, _, _ = policy_iteration(env.windy_walk(float(alpha)))
        assert v[family.start] == pytest.approx(expected, abs=5.1e-5)
    assert (np.diff(VALUES) < 0).all()


@pytest.mark.parametrize(
    ("alpha", "value"),
    [(0.0, -(1 - 0.95**5) / 0.05), (0.25, -6.229623), (0.5, -7.952147489722)],
)
def test_values_to_the_digits_given(alpha, value):
    mdp = env.windy_walk(alpha)
    v, _, _ = policy_iteration(mdp)
    assert v[0] == pytest.approx(value, abs=1e-6 if alpha == 0.25 else 1e-11)
    assert linear_program(mdp)[0] == pytest.approx(v[0], abs=1e-8)


@pytest.mark.parametrize("c", [1, 2])
def test_the_place_of_the_walls_does_not_matter(c):
    v, _, _ = policy_iteration(env.windy_walk(0.5, c=c))
    assert v[0] == pytest.approx(-7.952147489722, abs=1e-11)


def test_routes():
    family = env.windy_walk_family()
    taken = [
        corridor(policy_iteration(env.windy_walk(float(alpha)))[1], 6) for alpha in family.alphas
    ]
    assert taken == ["north"] * 18 + ["middle"] * 7


@pytest.mark.parametrize(("alpha", "taken"), [(0.359502, "north"), (0.359504, "middle")])
def test_the_wind_that_switches_the_route(alpha, taken):
    assert corridor(policy_iteration(env.windy_walk(alpha))[1], 6) == taken


def test_the_long_walk_uses_every_corridor():
    alphas = env.windy_walk_family(corridor_len=16).alphas
    taken = []
    for alpha in alphas:
        v, policy, _ = policy_iteration(env.windy_walk_long(float(alpha)))
        taken.append(corridor(policy, 19))
    assert taken == ["north"] * 6 + ["middle"] * 18 + ["south"]
    assert v[0] == pytest.approx(-14.860130, abs=1e-6)


def test_the_straight_policy_in_the_strongest_wind():
    straight = policy_iteration(env.windy_walk(0.0))[1]
    P, r, _ = dense(env.windy_walk(0.5))
    every = np.arange(36)
    v = np.linalg.solve(np.eye(36) - 0.95 * P[every, straight], r[every, straight])
    assert v[0] == pytest.approx(-10.294413, abs=1e-6)


def test_rows_by_the_words_of_the_paper():
    alpha = 0.5
    mdp = env.windy_walk(alpha)
    for r, w in ((0, alpha), (2, alpha**3)):
        for column in (1, 2, 3):
            here, behind = (r, column), (r, column - 1)
            assert row(mdp, here, WEST) == {behind: 1.0}
            assert row(mdp, here, EAST) == {(r, column + 1): 1 - w, behind: w}
            assert row(mdp, here, NORTH) == row(mdp, here, SOUTH) == {here: 1 - w, behind: w}
    w = alpha**6
    for column in (1, 2, 3):
        assert row(mdp, (4, column), NORTH) == {(4, column): 1 - w, (4, column - 1): w}
        assert row(mdp, (4, column), SOUTH) == {(5, column): 1 - w, (4, column - 1): w}
        assert row(mdp, (5, column), NORTH) == {(4, column): 1 - w, (5, column - 1): w}
        assert row(mdp, (5, column), WEST) == {(5, column - 1): 1.0}
    assert row(mdp, (0, 0), SOUTH) == {(1, 0): 1.0}
    assert row(mdp, (1, 0), EAST) == {(1, 0): 1.0}
    assert row(mdp, (0, 4), EAST) == {(0, 5): 1.0}
    assert row(mdp, (0, 4), WEST) == {(0, 3): 1.0}
    for action in range(4):
        assert row(mdp, (0, 5), action) == {(0, 5): 1.0}
        assert row(mdp, (3, 2), action) == {(3, 2): 1.0}


def test_rewards_names_and_first_state():
    mdp = env.windy_walk()
    walls = [s for s, name in enumerate(mdp.state_names) if name.startswith("wall")]
    assert walls == [7, 8, 9, 19, 20, 21]
    assert np.flatnonzero(mdp.table(mdp.reward)[:, 0] == 0).tolist() == sorted([5, *walls])
    assert set(mdp.reward) == {-1.0, 0.0}
    assert mdp.initial.tolist() == np.eye(36)[0].tolist()
    assert (mdp.state_names[0], mdp.state_names[5]) == ("S", "G")
    assert mdp.action_names == ("north", "south", "east", "west")


def test_nobody_reaches_a_wall():
    P = env.windy_walk(0.5).to_dense()[0]
    walls = [7, 8, 9, 19, 20, 21]
    others = np.setdiff1d(np.arange(36), walls)
    assert (P[np.ix_(others, range(4), walls)] == 0).all()


@pytest.mark.parametrize("corridor_len", [3, 16])
def test_the_family_holds_the_models(corridor_len):
    family = env.windy_walk_family(corridor_len=corridor_len)
    assert family.alphas.tolist() == np.linspace(0, 0.5, 25).tolist()
    for alpha, kernel in zip(family.alphas, family.kernels, strict=True):
        mdp = env.windy_walk(float(alpha), corridor_len=corridor_len)
        P, r = mdp.to_dense()
        np.testing.assert_allclose(kernel, P, rtol=0, atol=1e-15)
        assert family.reward.tolist() == r.tolist()
        assert mdp.state_names[family.start] == "S"
        assert mdp.state_names[family.goal] == "G"
    assert not family.kernels.flags.writeable


@pytest.mark.parametrize("coupled", [True, False])
def test_the_family_as_an_ambiguity_set(coupled):
    family = env.windy_walk_family([0.0, 0.2])
    ambiguity = family.ambiguity(coupled=coupled)
    assert ambiguity.coupled is coupled
    assert ambiguity.rows.tolist() == family.kernels.tolist()


def test_a_closed_form_for_one_cell_corridors():
    """With one cell of wind w from S to G: x = value of the cell, v(S) = -1 + gamma x."""
    alpha, gamma = 0.1, 0.95
    v, _, _ = policy_iteration(env.windy_walk(alpha, corridor_len=1, gamma=gamma))
    # x = -1 + gamma ((1 - alpha) y + alpha v(S)), with y = -1 the cell before G
    x = (-1 - gamma * (1 - alpha) - gamma * alpha) / (1 - gamma**2 * alpha)
    assert v[0] == pytest.approx(-1 + gamma * x, abs=1e-12)


REFUSED = [
    (lambda: env.windy_walk(1.5), "alpha is 1.5; expected a number in [0, 1]"),
    (lambda: env.windy_walk(c=3), "c is 3; expected 1 or 2"),
    (lambda: env.windy_walk(c=0), "c is 0; expected an integer of at least 1"),
    (lambda: env.windy_walk(rows=4), "rows is 4; expected an integer of at least 5"),
    (lambda: env.windy_walk(corridor_len=0), "corridor_len is 0"),
    (lambda: env.windy_walk(gamma=1.0), "gamma is 1.0; expected a number in [0, 1)"),
    (lambda: env.windy_walk_long(-0.1), "alpha is -0.1"),
    (lambda: env.windy_walk_family([]), "alphas has no entries"),
    (lambda: env.windy_walk_family([0.1, 2.0]), "alphas[1] is 2.0; expected a number in [0, 1]"),
    (lambda: env.windy_walk_family([[0.5]]), "alphas has shape (1, 1); expected (any)"),
]


@pytest.mark.parametrize(("make", "text"), REFUSED)
def test_refusals_name_argument_and_value(make, text):
    with pytest.raises(InvalidModelError, match=re.escape(text)):
        make()
