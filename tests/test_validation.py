"""Every check names the argument, the place and the value."""

import numpy as np
import pytest

from mdptheory import _validation as validation
from mdptheory.errors import InvalidModelError


@pytest.mark.parametrize(
    ("index", "text"),
    [((), "x"), (3, "x[3]"), (np.int64(3), "x[3]"), ((1, np.int32(2)), "x[1, 2]")],
)
def test_place(index, text):
    assert validation.place("x", index) == text


def test_float_arrays():
    given = np.arange(6).reshape(2, 3).T
    array = validation.as_float_array("x", given)
    assert array.dtype == np.float64
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, given)
    for wrong in (["a"], [None], [1j], np.array([0], dtype="M8[s]")):
        with pytest.raises(TypeError, match=r"x has dtype .*; expected real numbers"):
            validation.as_float_array("x", wrong)
    with pytest.raises(InvalidModelError, match="x is not a rectangular array"):
        validation.as_float_array("x", [[1.0], [1.0, 2.0]])


def test_index_arrays():
    for given in ([1, 2], np.array([1, 2], np.uint8), np.array([1, 2], np.int32)):
        array = validation.as_index_array("x", given)
        assert array.dtype.kind == "i"
        assert array.tolist() == [1, 2]
    assert validation.as_index_array("x", []).dtype == np.int64
    for wrong in ([1.0], ["a"], [True], [None]):
        with pytest.raises(TypeError, match=r"x has dtype .*; expected integers"):
            validation.as_index_array("x", wrong)
    with pytest.raises(InvalidModelError, match="x is not a rectangular array"):
        validation.as_index_array("x", [[1], [1, 2]])


def test_shapes():
    validation.check_shape("x", np.zeros((2, 3)), (2, None))
    for shape, text in (((2, 2), "2, 2"), ((None,), "any"), ((2, 3, 1), "2, 3, 1")):
        with pytest.raises(InvalidModelError) as error:
            validation.check_shape("x", np.zeros((2, 3)), shape)
        assert str(error.value) == f"x has shape (2, 3); expected ({text})"


def test_finite():
    validation.check_finite("x", np.zeros((2, 0)))
    with pytest.raises(InvalidModelError) as error:
        validation.check_finite("x", np.array([[0.0, 1.0], [np.inf, np.nan]]))
    assert str(error.value) == "x[1, 0] is inf; expected a finite number (2 of 4 entries fail)"


@pytest.mark.parametrize(
    ("value", "options", "interval"),
    [
        (1.0, {"low": 0, "high": 1, "open_high": True}, "[0, 1)"),
        (0.0, {"low": 0, "high": 1, "open_low": True}, "(0, 1]"),
        (-1.0, {"low": 0}, "[0, inf]"),
        (2.0, {"high": 1}, "[-inf, 1]"),
        (float("nan"), {}, "[-inf, inf]"),
    ],
)
def test_numbers_outside(value, options, interval):
    with pytest.raises(InvalidModelError) as error:
        validation.check_number("x", value, **options)
    assert str(error.value) == f"x is {value}; expected a number in {interval}"


def test_numbers_inside():
    for value in (0, 0.0, np.float32(0.5), np.int8(1)):
        number = validation.check_number("x", value, low=0, high=1)
        assert type(number) is float
    for wrong in ("1", None, True, 1j):
        with pytest.raises(TypeError, match=r"x is .* of type .*; expected a number"):
            validation.check_number("x", wrong)


def test_counts():
    assert type(validation.check_count("x", np.int32(3))) is int
    assert validation.check_count("x", 0, low=0) == 0
    with pytest.raises(InvalidModelError, match="x is 0; expected an integer of at least 1"):
        validation.check_count("x", 0)
    for wrong in (1.0, "1", None, True):
        with pytest.raises(TypeError, match=r"x is .* of type .*; expected an integer"):
            validation.check_count("x", wrong)


def test_simplex():
    validation.check_simplex("x", np.array([[0.5, 0.5], [0.0, 1.0 + 1e-10]]))
    for array, text in (
        (
            [[0.5, 0.5], [0.5, 0.4]],
            "x[1] sums to 0.9; expected 1 within 1e-09 (1 of 2 rows fail, worst x[1])",
        ),
        ([0.5, 0.4], "x sums to 0.9; expected 1 within 1e-09 (1 of 1 rows fail, worst x)"),
        ([[1, 0], [1.5, -0.5]], "x[1, 1] is -0.5; expected a probability (1 negative entries)"),
        ([np.nan, 1.0], "x[0] is nan; expected a finite number (1 of 2 entries fail)"),
    ):  # fmt: skip
        with pytest.raises(InvalidModelError) as error:
            validation.check_simplex("x", np.array(array))
        assert str(error.value) == text


def test_names():
    assert validation.check_names("x", None, 2) is None
    assert validation.check_names("x", ["a", "b"], 2) == ("a", "b")
    for names, text in (
        (["a"], "x has 1 entries; expected 2"),
        (["a", "a"], "x[1] is 'a', which is already x[0]; expected distinct names"),
    ):
        with pytest.raises(InvalidModelError) as error:
            validation.check_names("x", names, 2)
        assert str(error.value) == text
    with pytest.raises(TypeError, match="x is 'ab' of type str; expected a sequence of names"):
        validation.check_names("x", "ab", 2)
