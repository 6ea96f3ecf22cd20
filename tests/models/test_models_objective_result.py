"""Objectives refuse what they cannot mean; results keep their word."""

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError, NotConvergedError
from mdptheory.models import (
    BoundsCertificate,
    Convergence,
    Discounted,
    FiniteHorizon,
    Solution,
    Status,
    TotalReward,
    Trace,
)


@pytest.mark.parametrize("gamma", [-0.1, 1.0, 1.5, float("nan"), float("inf")])
def test_discount_outside_its_range(gamma):
    with pytest.raises(InvalidModelError, match=r"gamma is .*; expected a number in \[0, 1\)"):
        Discounted(gamma)


@pytest.mark.parametrize("gamma", ["0.9", None, True, 1j, [0.9]])
def test_discount_of_another_type(gamma):
    with pytest.raises(TypeError, match="gamma is .* of type .*; expected a number"):  # noqa: RUF043
        Discounted(gamma)


def test_discount_becomes_a_float():
    assert isinstance(Discounted(np.float32(0.5)).gamma, float)
    assert Discounted(0) == Discounted(0.0)
    assert TotalReward().gamma == 1.0


def test_finite_horizon_refusals():
    for horizon, error, text in (
        (0, InvalidModelError, "horizon is 0; expected an integer of at least 1"),
        (2.0, TypeError, "horizon is 2.0 of type float; expected an integer"),
        (True, TypeError, "horizon is True of type bool; expected an integer"),
    ):
        with pytest.raises(error, match=text):
            FiniteHorizon(horizon)
    with pytest.raises(InvalidModelError, match=r"gamma is 1\.1; expected a number in \[0, 1\]"):
        FiniteHorizon(3, 1.1)
    with pytest.raises(InvalidModelError, match=r"terminal\[1\] is nan; expected a finite number"):
        FiniteHorizon(3, terminal=[0.0, np.nan])
    with pytest.raises(TypeError, match="terminal has dtype <U1"):
        FiniteHorizon(3, terminal=["a"])


def test_finite_horizon_compares_its_entries_and_owns_them():
    terminal = np.array([1.0, 2.0])
    one = FiniteHorizon(3, terminal=terminal)
    terminal[0] = 9.0
    assert one == FiniteHorizon(3, terminal=[1.0, 2.0])
    assert hash(one) == hash(FiniteHorizon(3, terminal=[1.0, 2.0]))
    for other in (
        FiniteHorizon(3), FiniteHorizon(4, terminal=[1.0, 2.0]), FiniteHorizon(3, terminal=[1.0]),
        FiniteHorizon(3, 0.5, [1.0, 2.0]), Discounted(0.5), None,
    ):  # fmt: skip
        assert one != other
    with pytest.raises(ValueError, match="read-only"):
        one.terminal[0] = 0.0


def solution(status):
    empty = np.zeros(0)
    v = np.zeros(1)
    claim = BoundsCertificate(Discounted(0.5), v - 1.0, v + 0.5, np.zeros(1, int))
    convergence = Convergence(status, 7, 0.1, 0.25, 7.0, Trace(empty, empty, empty))
    return Solution(v, np.zeros((1, 1)), np.zeros(1, int), convergence, claim)


def test_require_converged():
    done = solution(Status.CONVERGED)
    assert done.require_converged() is done
    assert done.certificate.gap == 1.5
    for status in set(Status) - {Status.CONVERGED}:
        with pytest.raises(NotConvergedError) as error:
            solution(status).require_converged()
        assert str(error.value) == f"{status.value} (error bound 0.25 after 7 iterations)"
