"""Episodes and claims about them in files: bit for bit, and never trusted."""

import contextlib
import dataclasses
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

from mdptheory import io
from mdptheory.environments import collect, random_simplex_mdp
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.models import (
    ChiSquarePenalty,
    KLBall,
    KLPenalty,
    KnownModel,
    OfflineCertificate,
    OfflineData,
    TVBall,
    TVPenalty,
)

LIMIT = 2**26


def example(*, staged=False, start=0, fail_state=None, check=True):
    mdp = random_simplex_mdp(4, 2, 3, 3, fail=True, rng=5)
    phi = np.stack([mdp.known.phi] * 3) if staged else mdp.known.phi
    theta = mdp.known.theta if check else mdp.known.theta - 0.5 * (fail_state is None)
    return collect(mdp, None, 6, rng=2), KnownModel(phi, theta, start, fail_state, check)


CASES = {
    "plain": example(),
    "fail state": example(fail_state=3),
    "staged": example(staged=True, start=[0.25, 0.25, 0.5, 0.0]),
    "unchecked": example(check=False, start=2),
}


@pytest.mark.parametrize("name", CASES)
def test_everything_comes_back_bit_for_bit(tmp_path, name):
    data, known = CASES[name]
    io.write_offline(tmp_path / "d.npz", data, known)
    again, model = io.read_offline(tmp_path / "d.npz")
    for have, want in (
        (again.states, data.states), (again.actions, data.actions), (model.phi, known.phi),
        (model.theta, known.theta), (model.start, known.start), (model.reward, known.reward),
    ):  # fmt: skip
        assert have.dtype == want.dtype
        assert have.shape == want.shape
        assert have.tobytes() == want.tobytes()
        assert not have.flags.writeable
    assert (model.fail_state, model.simplex) == (known.fail_state, known.simplex)
    assert np.ndim(model.initial) == np.ndim(known.initial)
    io.write_offline(tmp_path / "e.npz", again, model)
    assert _entries(tmp_path / "e.npz") == _entries(tmp_path / "d.npz")


def test_what_does_not_go_together_is_not_written(tmp_path):
    data, known = CASES["plain"]
    path = tmp_path / "d.npz"
    with pytest.raises(InvalidModelError, match=r"states\[0, 1\] is 9; expected an index in"):
        io.write_offline(path, OfflineData([[0, 9, 0, 0]], [[0, 0, 0]]), known)
    with pytest.raises(InvalidModelError, match="actions has 2 steps an episode; the model has 3"):
        io.write_offline(path, OfflineData([[0, 0, 0]], [[0, 0]]), known)
    with pytest.raises(TypeError, match="data is of type list; expected OfflineData"):
        io.write_offline(path, [], known)
    with pytest.raises(TypeError, match="known is of type int; expected KnownModel"):
        io.write_offline(path, data, 3)
    with pytest.raises(InvalidFileError, match=r"has the suffix '.csv'; expected .npz"):
        io.write_offline(tmp_path / "d.csv", data, known)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidFileError, match=r"d\.npz is not a file"):
        io.read_offline(tmp_path / "d.npz")
    with pytest.raises(InvalidFileError, match="has the suffix ''"):
        io.read_offline(tmp_path)


# ---- damage -------------------------------------------------------------------------------------


def _entries(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _stored(path, entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def _npy(shape, dtype="<f8", data=b""):
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def read_or_refuse(path):
    """Read within a memory limit; anything but data or a refusal fails the test."""
    tracemalloc.start()
    try:
        return io.read_offline(path)
    except InvalidFileError as error:
        refusal = str(error)
    finally:
        assert tracemalloc.get_traced_memory()[1] < LIMIT
        tracemalloc.stop()
    assert str(path) in refusal
    assert "\n" not in refusal
    return None


@pytest.fixture(params=["fail state", "staged"])
def written(tmp_path, request):
    path = tmp_path / "d.npz"
    io.write_offline(path, *CASES[request.param])
    return path


def test_truncated_files(written):
    data = written.read_bytes()
    cuts = np.random.default_rng(0).integers(0, len(data), size=60).tolist()
    for cut in (0, 1, *cuts):
        written.write_bytes(data[:cut])
        assert read_or_refuse(written) is None or cut >= len(data) - 20


def test_flipped_bytes(written):
    data, rng = written.read_bytes(), np.random.default_rng(1)
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), size=rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        written.write_bytes(bytes(damaged))
        read_or_refuse(written)


def test_flipped_bytes_with_their_checksums_made_right(written):
    entries, rng = _entries(written), np.random.default_rng(3)
    seen = set()
    for _ in range(250):
        name = list(entries)[rng.integers(len(entries))]
        damaged = bytearray(entries[name])
        for place in rng.integers(0, len(damaged), size=rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        _stored(written, entries | {name: bytes(damaged)})
        found = read_or_refuse(written)
        seen.add(found is None)
        if found is not None:
            found[0].statistics(found[1])  # the indices are inside the model
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("states", _npy((10**12, 4), "<i8"), r"claims shape \(1000000000000, 4\) of int64"),
        ("states", _npy((-1, 4), "<i8"), r"claims shape \(-1, 4\)"),
        ("states", _npy((2,), "|O", pickle.dumps([1, 2])), "Python objects, which are never"),
        ("states", _npy((1, 4), data=bytes(32)), "states has dtype float64; expected int32 or int"),
        ("states", _npy((4,), "<i8", bytes(32)), r"states has shape \(4,\); expected \(episodes"),
        ("actions", _npy((1, 3), "<i8", bytes(24)), r"actions has shape \(1, 3\); expected \(6, 3"),
        ("actions", _npy((6, 3), "<i8", b"\1" * 144), r"actions\[0, 0\] is \d+; expected an index"),
        ("actions", _npy((6, 3), "<i8", b"\xff" * 144), r"actions\[0, 0\] is -1; expected an"),
        ("phi", _npy((1, 1), data=bytes(8)), r"phi has shape \(1, 1\) and theta"),
        ("phi", _npy((4, 2, 3), data=bytes(192)), r"phi\[0, 0\] sums to 0; expected 1"),
        ("phi", _npy((4, 2, 3), "<f4", bytes(96)), "phi has dtype float32; expected float64"),
        ("theta", _npy((9, 3), data=bytes(216)), "actions has 3 steps an episode; the model has 9"),
        ("theta", _npy((3, 3), data=b"\xff" * 72), r"theta\[0, 0\] is nan; expected a finite"),
        ("states", pickle.dumps([1]), "is not a readable .npz archive"),
        ("evil", _npy((1,), data=bytes(8)), "unknown entry 'evil.npy'"),
    ],
)
def test_hostile_arrays(tmp_path, name, entry, message):
    path = tmp_path / "d.npz"
    io.write_offline(path, *CASES["plain"])
    _stored(path, _entries(path) | {f"{name}.npy": entry})
    with pytest.raises(InvalidFileError, match=message):
        io.read_offline(path)
    assert read_or_refuse(path) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "not a 'mdptheory offline data 1' archive"),
        ({"more": 1}, "meta has fields"),
        ({"initial": 4}, r"initial is 4; expected an index in \[0, 4\)"),
        ({"initial": None}, "expected initial either in meta or as an array"),
        ({"initial": 0.0}, "initial is 0.0; expected an index or null"),
        ({"fail_state": True}, "fail_state is True; expected an index or null"),
        ({"fail_state": 17}, r"fail_state is 17; expected an index in \[0, 4\)"),
        ({"fail_state": 0}, "fail_state 0 earns"),
        ({"simplex": 1}, "simplex is 1; expected true or false"),
    ],
)
def test_hostile_meta(tmp_path, change, message):
    path = tmp_path / "d.npz"
    io.write_offline(path, *CASES["plain"])
    with np.load(path) as archive:
        arrays = dict(archive)
    meta = json.loads(arrays["meta"].tobytes()) | change
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(InvalidFileError, match=message):
        io.read_offline(path)


def test_small_arrays_that_ask_for_a_vast_table_are_refused(tmp_path):
    path = tmp_path / "d.npz"
    io.write_offline(path, *CASES["plain"])
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays |= {"phi": np.ones((20_000, 1, 1)), "theta": np.ones((20_000, 1))}
    np.savez(path, **arrays)
    with pytest.raises(InvalidFileError, match="a table of 400000000 rewards, which is refused"):
        io.read_offline(path)
    assert read_or_refuse(path) is None


def test_rewards_that_overflow_are_refused(tmp_path):
    path, (data, known) = tmp_path / "d.npz", CASES["plain"]
    io.write_offline(path, data, KnownModel(1e200 * known.phi, known.theta, check=False))
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **(arrays | {"theta": 1e200 * arrays["theta"]}))
    with pytest.raises(InvalidFileError, match=r"reward\[0, 0, 0\] is inf; expected a finite"):
        io.read_offline(path)


def test_missing_arrays_and_other_archives_are_refused(tmp_path):
    path = tmp_path / "d.npz"
    io.write_offline(path, *CASES["plain"])
    _stored(path, {k: v for k, v in _entries(path).items() if k != "phi.npy"})
    with pytest.raises(InvalidFileError, match="lacks phi"):
        io.read_offline(path)
    np.savez(path, lower=np.zeros(3))
    with pytest.raises(InvalidFileError, match=r"unknown entry 'lower\.npy'"):
        io.read_offline(path)


# ---- claims -------------------------------------------------------------------------------------


def claim(ambiguity=None):
    rng = np.random.default_rng(0)
    return OfflineCertificate(
        TVPenalty(0.1) if ambiguity is None else ambiguity, rng.random((4, 5)), rng.random((4, 5)),
        rng.integers(0, 7, (3, 5)), rng.random((3, 2)), rng.random((3, 2)), rng.random((3, 2)),
        1.0 / 3.0, 0.1, True, 10**6, rng.random(5),
    )  # fmt: skip


SETS = [
    TVBall(0.3), KLBall(0.1), TVPenalty(1.0 / 3.0), KLPenalty(np.inf),
    ChiSquarePenalty([0.1, np.inf, 1e300]), TVPenalty(np.full((3, 2), 0.7)),
]  # fmt: skip


@pytest.mark.parametrize("suffix", ["json", "npz"])
@pytest.mark.parametrize("ambiguity", SETS, ids=lambda x: type(x).__name__)
def test_claims_come_back_bit_for_bit(tmp_path, suffix, ambiguity):
    path, one = tmp_path / f"c.{suffix}", claim(ambiguity)
    io.write_certificate(one, path)
    two = io.read_certificate(path)
    assert type(two.ambiguity) is type(ambiguity)
    for field in dataclasses.fields(OfflineCertificate):
        have, want = getattr(two, field.name), getattr(one, field.name)
        if field.name == "ambiguity":
            name = "radius" if hasattr(want, "radius") else "weight"
            have, want = getattr(have, name), getattr(want, name)
        assert type(have) is type(want)
        if isinstance(want, np.ndarray):
            assert have.dtype == want.dtype
            assert not have.flags.writeable
            assert have.shape == want.shape
            assert have.tobytes() == want.tobytes()
        else:
            assert have == want


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_damaged_claims(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    io.write_certificate(claim(TVPenalty(np.full((3, 2), 0.7))), path)
    data, rng = path.read_bytes(), np.random.default_rng(4)
    for k in range(200):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged) if k % 2 else data[: rng.integers(len(data))])
        with contextlib.suppress(InvalidFileError):
            assert io.read_certificate(path).lower.shape == (4, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ambiguity": "L1Ball"}, "ambiguity is L1Ball; expected one of"),
        ({"ambiguity": ["TVBall"]}, r"ambiguity is \['TVBall'\]; expected one of"),
        ({"ambiguity": "TVBall", "level": 2.0}, "radius is 2.0; expected a number in"),
        ({"level": -1.0}, "weight is -1.0; expected a number in"),
        ({"level": True}, "level is True; expected a number"),
        ({"level": "big"}, "level is big; expected a number"),
        ({"level": None}, "expected level either as a number or as an array"),
        ({"level": 10**400}, "TVPenalty: "),
        ({"ridge": "1"}, "ridge is '1'; expected a number"),
        ({"ridge": 10**400}, "ridge is too large a number"),
        ({"delta": None}, "delta is None; expected a number"),
        ({"kl_shift": 1}, "kl_shift is 1; expected true or false"),
        ({"n_episodes": 1.0}, "n_episodes is 1.0; expected an integer"),
        ({"more": 1}, "an offline certificate has fields"),
        ({"arrays": []}, "has no arrays"),
        (
            {"format": "mdptheory offline certificate 2"},
            "is not a 'mdptheory bounds certificate 1'",
        ),
        ({"format": ["x"]}, "is not a 'mdptheory bounds certificate 1'"),
    ],
)
def test_hostile_fields_of_claims(tmp_path, change, message):
    path = tmp_path / "c.json"
    io.write_certificate(claim(), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InvalidFileError, match=message):
        io.read_certificate(path)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("lower", ("float64", [3, 5], [0.0] * 15), r"lower has shape \(3, 5\); expected \(4, 5\)"),
        ("start", ("float64", [], [0.0]), r"start \(\); expected"),
        ("beta", ("float64", [0, 2], []), r"beta has shape \(0, 2\)"),
        ("policy", ("float64", [3, 5], [0.0] * 15), "policy has dtype float64; expected whole"),
        ("upper", ("int64", [4, 5], [0] * 20), "upper has dtype int64; expected floats"),
        ("upper", ("float64", [4, 5], ["inf"] * 20), r"upper\[0, 0\] is inf; expected a finite"),
        ("level", ("float64", [1], [1.0]), "expected level either as a number or as an array"),
        ("extra", ("float64", [1], [1.0]), r"unknown entries \['extra'\]"),
    ],
)
def test_hostile_arrays_of_claims(tmp_path, name, array, message):
    path = tmp_path / "c.json"
    io.write_certificate(claim(), path)
    content = json.loads(path.read_text())
    content["arrays"][name] = dict(zip(("dtype", "shape", "values"), array, strict=True))
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidFileError, match=message):
        io.read_certificate(path)


def test_a_claim_without_a_set_is_not_written(tmp_path):
    with pytest.raises(TypeError, match="ambiguity has type NoneType; expected one of TVBall"):
        io.write_certificate(dataclasses.replace(claim(), ambiguity=None), tmp_path / "c.json")
