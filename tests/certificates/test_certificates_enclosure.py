"""Enclosures hold the true number: rational operations against Fractions, the rest at 60 digits."""

import itertools
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from mdptheory.certificates._enclosure import Enclosure, join, point, rational, share, where

RNG = np.random.default_rng(0)
MANY = np.concatenate(
    [
        RNG.normal(size=200),
        RNG.normal(size=200) * 10.0 ** RNG.integers(-300, 300, 200),
        [0.0, 1.0, -1.0, 5e-324, -5e-324, 1e308, 2.0**-1022],
    ]
)


def holds(found, true):
    with np.errstate(all="ignore"):
        for lo, hi, x in zip(found.lo.tolist(), found.hi.tolist(), true, strict=True):
            assert not math.isnan(lo)
            assert not math.isnan(hi)
            assert math.isinf(lo) or Fraction(lo) <= x
            assert math.isinf(hi) or x <= Fraction(hi)


@pytest.mark.parametrize("sign", ["+", "-", "*", "/"])
def test_operations(sign):
    a, b = MANY, RNG.permutation(MANY)
    if sign == "/":
        a, b = a[b > 1e-300], b[b > 1e-300]
    fine = np.abs(a) < 1e150
    fine &= np.abs(b) < 1e150
    fine &= (np.abs(b) > 1e-150) | (sign != "/")
    a, b = a[fine], b[fine]
    operate = {
        "+": lambda x, y: x + y,
        "-": lambda x, y: x - y,
        "*": lambda x, y: x * y,
        "/": lambda x, y: x / y,
    }[sign]
    with np.errstate(all="ignore"):
        once = operate(point(a), point(b))
        wide = operate(Enclosure(a - 1e-3 * abs(a), a + 1e-3 * abs(a)), point(b))
    exact = [operate(Fraction(x), Fraction(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    holds(once, exact)
    holds(wide, exact)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        size = np.abs(once.middle())
        assert (once.hi - once.lo <= 8 * 2.3e-16 * size + 2e-323).all()
    same = operate(rational(a), rational(b))
    assert same.lo is same.hi
    assert same.lo.tolist() == exact


def test_sums_in_segments():
    x = RNG.normal(size=1000) * 10.0 ** RNG.integers(-8, 8, 1000)
    ptr = np.array([0, 1, 3, 500, 1000])
    true = [sum(Fraction(value) for value in x[i:j].tolist()) for i, j in itertools.pairwise(ptr)]
    holds(point(x).sums(ptr), true)
    assert rational(x).sums(ptr).lo.tolist() == true
    assert point(x).minima(ptr).lo.tolist() == np.minimum.reduceat(x, ptr[:-1]).tolist()
    assert point(x).maxima(ptr).hi.tolist() == np.maximum.reduceat(x, ptr[:-1]).tolist()


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "root"])
def test_functions(name):
    x = np.concatenate([RNG.uniform(-1, 1, 200), RNG.normal(size=100) * 1e-9, [0.0, 1.0, -0.5]])
    if name in ("exp", "expm1"):
        x = np.concatenate([x, RNG.uniform(-700, 300, 100)])
    elif name == "log1p":
        x = np.concatenate([x, 10.0 ** RNG.uniform(-12, 12, 100), np.nextafter(-1.0, [0.0])])
    else:
        x = np.concatenate([np.abs(x[x != 0]), 10.0 ** RNG.uniform(-290, 290, 100), [1.0 - 1e-16]])
    with np.errstate(all="ignore"):
        found = getattr(point(x), name)()
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 700, -(10**6), 10**6
        short = [Decimal(value) for value in x.tolist()]
        true = {
            "exp": lambda d: d.exp(),
            "expm1": lambda d: d.exp() - 1,
            "log": lambda d: d.ln(),
            "log1p": lambda d: (1 + d).ln(),
            "root": lambda d: d.sqrt(),
        }[name]
        context.prec = 80
        holds(found, [Fraction(+true(d)) for d in short])


def test_what_overflows_or_has_no_value_proves_nothing():
    with np.errstate(all="ignore"):
        big = point(np.array([1e308])) * point(np.array([1e10]))
        assert not (big.lo <= 0).any()
        nothing = point(np.array([1.0])) / Enclosure(np.array([-1e-9]), np.array([1e-9]))
        assert (nothing.lo[0], nothing.hi[0]) == (-math.inf, math.inf)
        assert point(np.array([0.0])).log().lo[0] == -math.inf
        assert point(np.array([-1.0])).log1p().hi[0] == -math.inf


def test_share_is_a_share():
    part, whole = point(np.array([0.0, 1.0, 2.0])), point(np.array([0.0, 2.0, 2.0]))
    found = share(part, whole)
    assert found.hi[0] == 0.0
    assert found.lo[1] <= 0.5 <= found.hi[1]
    assert found.hi[2] == 1.0
    exact = share(rational(np.array([0.0, 1.0])), rational(np.array([0.0, 3.0])))
    assert exact.lo.tolist() == [0, Fraction(1, 3)]
    unsure = Enclosure(np.array([-1e-17]), np.array([1e-17]))
    assert share(unsure.maximum(0), unsure).hi[0] == 1.0


def test_choices_keep_fractions_fractions():
    """Two whole numbers in an object array would divide to a float."""
    zeros = where(np.array([True, False]), 0, rational(np.array([1.0, 2.0])))
    assert all(isinstance(x, Fraction) for x in zeros.lo.tolist())
    assert all(isinstance(x, Fraction) for x in zeros.maximum(1).minimum(0).lo.tolist())
    both = join([zeros, rational(np.array([0.5]))])
    assert both.lo.tolist() == [0, 2, Fraction(1, 2)]
    assert rational(np.array([1e300])).middle()[0] == 1e300
    huge = rational(np.array([1e308])) * rational(np.array([1e10]))
    assert huge.middle()[0] == math.inf
    assert (-huge).middle()[0] == -math.inf
