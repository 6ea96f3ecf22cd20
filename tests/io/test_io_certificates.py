"""Certificates in files: exact numbers, strict fields."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdptheory import BoundsCertificate, Discounted, FiniteHorizon, TotalReward, io
from mdptheory.errors import InvalidFileError

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def certificates(draw):
    n_states, horizon = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    kind = draw(st.sampled_from(["discounted", "finite", "total"]))
    bounds, policy = (n_states,), (n_states,)
    if kind == "finite":
        bounds, policy = (horizon + 1, n_states), (horizon, n_states)

    def floats(shape):
        size = int(np.prod(shape))
        return np.array(draw(st.lists(FINITE, min_size=size, max_size=size))).reshape(shape)

    objective = {
        "discounted": Discounted(draw(st.floats(0, 1, exclude_max=True))),
        "finite": FiniteHorizon(horizon, 0.5, floats(n_states) if draw(st.booleans()) else None),
        "total": TotalReward(),
    }[kind]
    size = int(np.prod(policy))
    ids = draw(st.lists(st.integers(0, 2**31 - 2), min_size=size, max_size=size))
    return BoundsCertificate(
        objective=objective,
        lower=floats(bounds),
        upper=floats(bounds),
        policy=np.array(ids).reshape(policy),
        absorption=floats((n_states,)) if kind == "total" else None,
    )


@pytest.mark.parametrize("suffix", ["json", "npz", "cert"])
@given(certificate=certificates())
@settings(max_examples=40, deadline=None)
def test_every_number_is_given_back(tmp_path_factory, suffix, certificate):
    path = tmp_path_factory.mktemp("c") / f"c.{suffix}"
    io.write_certificate(certificate, path)
    again = io.read_certificate(path)
    assert again.objective == certificate.objective
    for name in ("lower", "upper", "absorption"):
        a, b = getattr(certificate, name), getattr(again, name)
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == b.shape
            assert a.tobytes() == b.tobytes()
            assert not b.flags.writeable
    assert np.array_equal(again.policy, certificate.policy)


def small(**changes):
    return {
        "format": "mdptheory bounds certificate 1",
        "objective": {"kind": "discounted", "gamma": 0.9},
        "lower": [0.0, 1.0],
        "upper": [0.5, 2.0],
        "policy": [0, 1],
    } | changes


def finite(**changes):
    return (
        small(
            objective={"kind": "finite_horizon", "horizon": 1, "gamma": 1.0},
            lower=[[0, 1], [0, 0]],
            upper=[[0, 1], [0, 0]],
            policy=[[0, 1]],
        )
        | changes
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (small(extra=1), r"unknown fields \['extra'\]"),
        ({k: v for k, v in small().items() if k != "upper"}, r"has no \['upper'\]"),
        (small(format="other"), "is not a 'mdptheory bounds certificate 1' file"),
        ([1, 2], "is not a 'mdptheory bounds certificate 1' file"),
        (small(lower=[0.0]), r"upper has shape \(2,\); expected \(1,\)"),
        (small(lower=[]), r"lower has shape \(0,\); expected states"),
        (small(lower=[[0.0, 1.0]]), r"lower has shape \(1, 2\); expected \(2,\)"),
        (small(lower=[[0.0], [1.0, 2.0]]), "lower is not a list of numbers or of equally long"),
        (small(lower=["0", 1.0]), "lower holds '0'; expected numbers"),
        (small(lower=[True, 1.0]), "lower holds True; expected numbers"),
        (small(lower=[None, 1.0]), "lower holds None; expected numbers"),
        (small(lower={"a": 1}), "lower is not a list of numbers"),
        (small(lower=3), "lower is not a list of numbers"),
        (small(policy=[0, 1.0]), "policy has dtype float64; expected action ids"),
        (small(policy=[0, -1]), "policy has ids from -1 to 0"),
        (small(policy=[0, 2**40]), "policy has ids"),
        (
            small(policy=[0, 2**80]),
            "policy has dtype object|policy holds a number that is too large",
        ),
        (small(policy=[0]), r"policy has shape \(1,\); expected \(2,\)"),
        (small(absorption=[1.0]), r"absorption has shape \(1,\); expected \(2,\)"),
        (small(objective={"kind": "max"}), "objective kind is 'max'; expected one of"),
        (small(objective="discounted"), "objective has no kind"),
        (small(objective={"kind": "discounted", "gamma": 1.5}), "gamma is 1.5; expected"),
        (small(objective={"kind": "discounted", "gamma": "x"}), "gamma is 'x'"),
        (small(objective={"kind": "discounted", "gamma": 0.5, "x": 1}), "has fields"),
        (small(terminal=[0.0, 0.0]), "kind 'discounted' has a terminal reward"),
        (finite(terminal=[0.0]), r"terminal has shape \(1,\); expected \(2,\)"),
        (finite(policy=[0, 1]), r"policy has shape \(2,\); expected \(1, 2\)"),
        (
            finite(objective={"kind": "finite_horizon", "horizon": 10**15, "gamma": 1.0}),
            "lower has shape",
        ),
    ],
)
def test_bad_json(tmp_path, content, message):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidFileError, match=message):
        io.read_certificate(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(small()).replace("0.5", "NaN"), "the JSON holds NaN; expected finite"),
        (json.dumps(small()).replace("0.5", "-Infinity"), "the JSON holds -Infinity"),
        (json.dumps(small()).replace("0.5", "1e999"), r"upper\[0\] is inf; expected a finite"),
        (json.dumps(small()).replace("0.5", "9" * 5000), "not JSON: Exceeds the limit"),
        (json.dumps(small()).replace("0.5", "9" * 400), "upper"),
        (json.dumps(small())[:-1] + ', "lower": [0.0, 0.0]}', "repeats a field"),
        ("[" * 100_000, "not JSON"),
        ("", "not JSON"),
        ("\xff\xfe", "not JSON|not UTF-8"),
        ("__import__('os').system('true')", "not JSON"),
    ],
)
def test_hostile_json(tmp_path, text, message):
    path = tmp_path / "c.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidFileError, match=message):
        io.read_certificate(path)


def test_archives_need_exactly_their_fields(tmp_path):
    path = tmp_path / "c.npz"
    io.write_certificate(
        BoundsCertificate(TotalReward(), np.zeros(1), np.ones(1), np.array([0])), path
    )
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays, other=np.zeros(1))
    with pytest.raises(InvalidFileError, match=r"c.npz: unknown entry 'other.npy'"):
        io.read_certificate(path)
    del arrays["upper"]
    np.savez(path, **arrays)
    with pytest.raises(InvalidFileError, match=r"c.npz lacks upper"):
        io.read_certificate(path)


def test_types_are_checked(tmp_path):
    with pytest.raises(TypeError, match="certificate has type str; expected a BoundsCertificate"):
        io.write_certificate("x", tmp_path / "c.json")
    with pytest.raises(InvalidFileError, match=r"cannot read .*none.json: No such file"):
        io.read_certificate(tmp_path / "none.json")
