"""Channels and constraints: what they refuse, and the residuals that constraints become."""

import pickle

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models import (
    Channel,
    DemographicParity,
    EqualOpportunity,
    LinearResidual,
    ServiceRate,
    residual_rows,
)
from mdptheory.operators.closed_loop import violations


@pytest.mark.parametrize(
    ("arguments", "kind", "match"),
    [
        (("x", 0.0), InvalidModelError, r"scale is 0.0; expected a number in \(0, inf\)"),
        (("x", np.inf), InvalidModelError, "scale is inf"),
        (("x", np.nan), InvalidModelError, "scale is nan"),
        (("x", "1"), TypeError, "scale is '1' of type str"),
        (
            ("x", 1.0, 1.0, 0.0),
            InvalidModelError,
            "low is 1.0 and high is 0.0; expected low <= high",
        ),
        (("x", 1.0, np.nan, 1.0), InvalidModelError, "low is nan"),
        (("x", 1.0, 0.0, "1"), TypeError, "high is '1' of type str"),
        (("x", 0.5, 0.0, 1.0, -1), InvalidModelError, "trials is -1; expected an integer of at"),
        (("x", 0.5, 0.0, 1.0, True), TypeError, "trials is True of type bool"),
        ((3, 1.0), TypeError, "name is 3 of type int; expected a str"),
    ],
)
def test_channels_refuse(arguments, kind, match):
    with pytest.raises(kind, match=match):
        Channel(*arguments)


@pytest.mark.parametrize("kind", [DemographicParity, EqualOpportunity, ServiceRate])
def test_rates_are_rates(kind):
    name = "min_rate" if kind is ServiceRate else "tol"
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(InvalidModelError, match=rf"{name} is {wrong}; expected .* \[0, 1\]"):
            kind(wrong)
    for wrong in ("0.1", None, True):
        with pytest.raises(TypeError, match=f"{name} is {wrong!r} of type"):
            kind(wrong)
    assert isinstance(getattr(kind(1), name), float)


@pytest.mark.parametrize(
    ("arguments", "kind", "match"),
    [
        (({},), InvalidModelError, r"coefficients is \{\}; expected one other than 0"),
        (({"gap": 0.0},), InvalidModelError, r"coefficients is \{'gap': 0.0\}"),
        (({"gap": np.nan},), InvalidModelError, r"coefficients\['gap'\] is nan"),
        (({"gap": np.inf},), InvalidModelError, r"coefficients\['gap'\] is inf"),
        (({"gap": "1"},), TypeError, r"coefficients\['gap'\] is '1' of type str"),
        (([("gap", 1.0)],), TypeError, "coefficients is of type list; expected a mapping"),
        (({"gap": 1.0}, np.inf), InvalidModelError, "offset is inf"),
    ],
)
def test_residuals_refuse(arguments, kind, match):
    with pytest.raises(kind, match=match):
        LinearResidual(*arguments)


def test_residuals_keep_their_coefficients():
    given = {"gap": 1}
    residual = LinearResidual(given, 0.5)
    given["gap"] = 7
    assert residual.coefficients == {"gap": 1.0}
    assert pickle.loads(pickle.dumps(residual)) == residual


def channels(*names):
    return tuple(Channel(name, 0.5, 0.0, 1.0) for name in names)


def test_rows_of_every_constraint():
    shown = channels("reward", "gap", "service", "tpr_A", "tpr_B")
    rows = residual_rows(
        [
            ServiceRate(0.3),
            DemographicParity(0.1),
            EqualOpportunity(0.2),
            LinearResidual({"reward": -1.0, "gap": 2.0}, 0.7),
        ],
        shown,
    )
    assert rows.matrix.tolist() == [
        [0, 0, -1, 0, 0],
        [0, 1, 0, 0, 0],
        [0, -1, 0, 0, 0],
        [0, 0, 0, 1, -1],
        [0, 0, 0, -1, 1],
        [-1, 2, 0, 0, 0],
    ]
    assert rows.level.tolist() == [-0.3, 0.1, 0.1, 0.2, 0.2, 0.7]
    assert rows.owner == (0, 1, 1, 2, 2, 3)
    assert not rows.matrix.flags.writeable
    empty = residual_rows([], shown)
    assert empty.matrix.shape == (0, 5)
    assert violations(np.ones((3, 5)), empty).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("n_groups", [2, 3, 5])
def test_parity_without_a_gap_compares_all_pairs(n_groups):
    shown = channels("reward", *(f"rate_{i}" for i in range(n_groups)), "service")
    rows = residual_rows([DemographicParity(0.15)], shown)
    assert len(rows.matrix) == n_groups * (n_groups - 1)
    rng = np.random.default_rng(n_groups)
    for _ in range(20):
        x = rng.random(len(shown))
        rates = x[1 : 1 + n_groups]
        expected = max(0.0, rates.max() - rates.min() - 0.15)
        assert violations(x, rows) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("constraint", "shown", "match"),
    [
        (DemographicParity(), ("reward", "service"), "which needs channels rate_<group> of two"),
        (DemographicParity(), ("reward", "rate_A"), "environment shows reward, rate_A"),
        (EqualOpportunity(), ("reward", "gap"), "which needs channels tpr_<group> of two groups"),
        (
            ServiceRate(),
            ("reward", "gap"),
            r"constraints\[0\] needs the channel 'service'; this en",
        ),
        (LinearResidual({"cost": 1.0}), ("reward",), r"needs the channel 'cost'; .* shows reward"),
    ],
)
def test_constraints_on_what_is_not_shown(constraint, shown, match):
    with pytest.raises(InvalidModelError, match=match):
        residual_rows([constraint], channels(*shown))


def test_constraints_that_are_none():
    shown = channels("reward", "gap")
    with pytest.raises(
        TypeError, match=r"constraints\[1\] is 0.1 of type float; expected Demograp"
    ):
        residual_rows([DemographicParity(), 0.1], shown)
    with pytest.raises(TypeError, match=r"constraints is DemographicParity.* expected a sequence"):
        residual_rows(DemographicParity(), shown)
    with pytest.raises(TypeError, match="constraints is None of type NoneType"):
        residual_rows(None, shown)
