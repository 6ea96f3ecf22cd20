"""Damaged and hostile files: a valid model or a refusal, never a crash or exhaustion."""

import gzip
import io as std_io
import json
import lzma
import pickle
import shutil
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from io_models import example_mdp

from mdptheory import BoundsCertificate, Discounted, io
from mdptheory.errors import InvalidFileError, InvalidModelError

MODEL_FILES = {
    "m.npz": ["m.npz"],
    "m.csv": ["m.csv", "m.parameters.csv", "m.initial.csv", "m.names.csv"],
    "m.tra": ["m.tra", "m.trew", "m.lab", "m.names.csv", "m.initial.csv"],
    "m.umb": ["m.umb"],
}
CASES = [(main, part) for main, parts in MODEL_FILES.items() for part in parts]
LIMIT = 2**26


def read_or_refuse(path):
    """Read within a memory limit; anything but a model or a refusal fails the test."""
    tracemalloc.start()
    try:
        mdp = io.read(path, gamma=0.9)
    except (InvalidFileError, InvalidModelError, TypeError):
        mdp = None
    finally:
        assert tracemalloc.get_traced_memory()[1] < LIMIT
        tracemalloc.stop()
    return None if mdp is None else mdp.with_objective(mdp.objective)  # passes the checks again


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    for name in MODEL_FILES:
        (folder / name.removeprefix("m.")).mkdir()
        io.write(example_mdp(), folder / name.removeprefix("m.") / name)
        assert read_or_refuse(folder / name.removeprefix("m.") / name) is not None
    return folder


def copy_of(written, tmp_path, main):
    source = written / main.removeprefix("m.")
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    return tmp_path / main


@pytest.mark.parametrize(("main", "part"), CASES)
def test_truncated_files(written, tmp_path, main, part):
    path = copy_of(written, tmp_path, main)
    data = (tmp_path / part).read_bytes()
    rng = np.random.default_rng(0)
    cuts = {0, 1, len(data) - 1, *rng.integers(0, len(data), size=40).tolist()}
    for cut in cuts:
        (tmp_path / part).write_bytes(data[:cut])
        mdp = read_or_refuse(path)
        if main in ("m.npz", "m.umb") and cut < len(data) - 20:
            assert mdp is None, cut


@pytest.mark.parametrize(("main", "part"), CASES)
def test_flipped_bytes(written, tmp_path, main, part):
    path = copy_of(written, tmp_path, main)
    data = (tmp_path / part).read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(120):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), size=rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        (tmp_path / part).write_bytes(bytes(damaged))
        read_or_refuse(path)


def test_flipped_bytes_inside_umb(written, tmp_path):
    """Damage below the compression, where no checksum stands in the way."""
    content = gzip.decompress((written / "umb" / "m.umb").read_bytes())
    rng = np.random.default_rng(2)
    seen = set()
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), size=rng.integers(1, 6)):
            damaged[place] = rng.integers(0, 256)
        (tmp_path / "m.umb").write_bytes(bytes(damaged))
        seen.add(read_or_refuse(tmp_path / "m.umb") is None)
    assert seen == {True, False}  # some damage is harmless, some is not


def _stored(path, entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def _entries(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_flipped_bytes_inside_npz(written, tmp_path):
    """Damage with checksums made right again."""
    entries = _entries(written / "npz" / "m.npz")
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(250):
        name = list(entries)[rng.integers(len(entries))]
        damaged = bytearray(entries[name])
        for place in rng.integers(0, len(damaged), size=rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        _stored(tmp_path / "m.npz", entries | {name: bytes(damaged)})
        seen.add(read_or_refuse(tmp_path / "m.npz") is None)
    assert seen == {True, False}


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_damaged_certificates(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    claim = BoundsCertificate(Discounted(0.9), np.zeros(3), np.ones(3) / 3, np.array([0, 1, 0]))
    io.write_certificate(claim, path)
    data = path.read_bytes()
    rng = np.random.default_rng(4)
    for k in range(150):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged) if k % 2 else data[: rng.integers(len(data))])
        try:
            again = io.read_certificate(path)
            assert again.lower.shape == (3,)
        except InvalidFileError:
            pass


NUMBER = st.sampled_from(
    ["0", "1", "2", "3", "-1", "0.5", "1e9", "nan", "x", "99999999999", "", "²"]
)
LINES = st.lists(st.lists(NUMBER, max_size=6), max_size=6)


@given(rows=LINES, separator=st.sampled_from([",", " "]))
@settings(max_examples=150, deadline=None)
def test_any_table_of_words(tmp_path_factory, rows, separator):
    text = "\n".join(separator.join(row) for row in rows)
    folder = tmp_path_factory.mktemp("words")
    for name in ("m.csv", "m.tra"):
        (folder / name).write_text(text, encoding="utf-8")
        read_or_refuse(folder / name)


@given(data=st.binary(max_size=200))
@settings(max_examples=80, deadline=None)
def test_any_bytes(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bytes")
    for name in MODEL_FILES:
        (folder / name).write_bytes(data)
        assert read_or_refuse(folder / name) is None


# ---- archives built to harm ---------------------------------------------------------------------


def _npy(shape, dtype="<f8", data=b""):
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            _npy((10**12,)),
            r"prob.npy claims shape \(1000000000000,\) of float64, 8000000000000 byte",
        ),
        (_npy((-1,)), r"claims shape \(-1,\)"),
        (_npy((-1, -1), data=b"12345678"), r"claims shape \(-1, -1\)"),
        (_npy((2,), "|O", pickle.dumps([1, 2])), "holds Python objects, which are never unpickled"),
        (_npy((1,), "<U4", b"\0" * 16), "has dtype <U4; expected numbers"),
        (_npy((1,), "<f4", b"\0" * 4), "prob has dtype float32; expected float64"),
        (_npy((1, 1), data=b"\0" * 8), r"prob has shape \(1, 1\); expected \(6\)"),
        (b"", "not a readable .npz archive"),
        (b"\x93NUMPY\x09\x00", "not a readable|array format"),
        (_npy("((" * 2000), "not a readable"),
        (pickle.dumps([1, 2]), "not a readable .npz archive"),
    ],
)
def test_hostile_arrays(written, tmp_path, entry, message):
    _stored(tmp_path / "m.npz", _entries(written / "npz" / "m.npz") | {"prob.npy": entry})
    with pytest.raises(InvalidFileError, match=message):
        io.read(tmp_path / "m.npz")
    assert read_or_refuse(tmp_path / "m.npz") is None


class Bomb:
    """Would fail the test if it were ever unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_a_pickle_is_never_executed(tmp_path):
    np.savez(tmp_path / "m.npz", prob=np.array([Bomb()], dtype=object))
    with pytest.raises(InvalidFileError, match="never unpickled"):
        io.read(tmp_path / "m.npz")
    for name in ("m.npz", "c.npz", "c.json"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(InvalidFileError):
            (io.read if name[0] == "m" else io.read_certificate)(tmp_path / name)


def test_a_zip_bomb_is_refused(written, tmp_path):
    entries = _entries(written / "npz" / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (entries | {"prob.npy": _npy((10**7,), data=bytes(8 * 10**7))}).items():
            archive.writestr(name, data)
    with pytest.raises(InvalidFileError, match=r"\d+ bytes claim to hold \d+ bytes of arrays"):
        io.read(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_states": 10**12}, r"only a finite horizon has stages|multiple of n_states"),
        ({"n_states": 0}, "n_states is 0"),
        ({"n_states": True}, "n_states is True; expected an integer"),
        ({"state_names": [1, 2, 3]}, "state_names is not a list of strings"),
        ({"state_names": ["a"]}, "state_names has 1 entries; expected 3"),
        ({"more": 1}, "meta has fields"),
        ({"format": "x"}, "is not a 'mdptheory model 1' archive"),
        ({"objective": {"kind": "discounted", "gamma": 2}}, "gamma is 2.0; expected"),
    ],
)
def test_hostile_meta(written, tmp_path, change, message):
    with np.load(written / "npz" / "m.npz") as archive:
        arrays = dict(archive)
    meta = json.loads(arrays["meta"].tobytes()) | change
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(InvalidFileError, match=message):
        io.read(tmp_path / "m.npz")


@pytest.mark.parametrize("name", ["choice_ptr", "row_ptr"])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_pointers_that_wrap_round_are_refused(written, tmp_path, name, dtype):
    """Their differences, taken in the same type, would be positive."""
    with np.load(written / "npz" / "m.npz") as archive:
        arrays = dict(archive)
    pointer = arrays[name].astype(dtype)
    pointer[1:3] = np.iinfo(dtype).max, np.iinfo(dtype).min
    np.savez(tmp_path / "m.npz", **(arrays | {name: pointer}))
    with pytest.raises(InvalidFileError, match=rf"{name}\[2\] is -\d+, less than {name}\[1\]"):
        io.read(tmp_path / "m.npz")


def test_unknown_or_missing_arrays_are_refused(written, tmp_path):
    entries = _entries(written / "npz" / "m.npz")
    _stored(tmp_path / "m.npz", entries | {"evil.npy": entries["prob.npy"]})
    with pytest.raises(InvalidFileError, match=r"unknown entry 'evil.npy'"):
        io.read(tmp_path / "m.npz")
    _stored(tmp_path / "m.npz", {k: v for k, v in entries.items() if k != "prob.npy"})
    with pytest.raises(InvalidFileError, match="lacks prob"):
        io.read(tmp_path / "m.npz")


# ---- UMB ----------------------------------------------------------------------------------------


def _tar(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, std_io.BytesIO(data))


def _members(path):
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"#states": 10**12}, "the index counts 1000000000000 states, but 6 branches are stored"),
        ({"#choices": 10**12}, "counts 1000000000000 choices"),
        ({"#branches": 10**12}, "counts 1000000000000 branches"),
        ({"#states": 0}, "counts 0 states"),
        ({"#states": "3"}, "counts 3 states"),
        ({"#states": 2}, "entries; expected|does not rise"),
        ({"#players": 2, "player-names": ["a", "b"]}, "with 2 players"),
        ({"time": "stochastic"}, "a system of stochastic time"),
        ({"#initial-states": 1}, "initial|several"),
    ],
)
def test_hostile_umb_index(written, tmp_path, counts, message):
    members = _members(written / "umb" / "m.umb")
    index = json.loads(members["index.json"])
    index["transition-system"] |= counts
    if "#initial-states" in counts:  # without our own annotation the marks must agree
        del index["annotations"]["mdptheory"]["initial"]
    _tar(tmp_path / "m.umb", members | {"index.json": json.dumps(index).encode()})
    with pytest.raises(InvalidFileError, match=message):
        io.read(tmp_path / "m.umb", gamma=0.9)
    assert read_or_refuse(tmp_path / "m.umb") is None


def test_umb_bombs(written, tmp_path):
    members = _members(written / "umb" / "m.umb")
    path = tmp_path / "m.umb"
    for mode in ("w:gz", "w:bz2", "w:xz"):
        _tar(path, members | {"state-is-initial.bin": bytes(2**26)}, mode)
        with pytest.raises(InvalidFileError, match=r"bytes unpack to more than"):
            io.read(path, gamma=0.9)
    _tar(path, members | {"state-is-initial.bin": bytes(2**12)})
    with pytest.raises(InvalidFileError, match=r"has 4096 bytes of bits; expected at most 8"):
        io.read(path, gamma=0.9)
    path.write_bytes(lzma.compress(b"no tar"))
    with pytest.raises(InvalidFileError, match="not a readable"):
        io.read(path, gamma=0.9)
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("index.json")
        info.size = 10**12
        archive.fileobj.write(info.tobuf())  # a header that claims what never follows
    with pytest.raises(InvalidFileError, match=r"m\.umb"):
        io.read(path, gamma=0.9)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_umb_in_every_packing(written, tmp_path, mode):
    _tar(tmp_path / "m.umb", _members(written / "umb" / "m.umb"), mode)
    assert io.read(tmp_path / "m.umb", gamma=0.95).n_states == 3
