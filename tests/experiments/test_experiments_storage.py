import numpy as np
import pytest

from mdptheory.errors import InvalidFileError
from mdptheory.experiments import read_arrays, write_arrays

ARRAYS = {
    "b": np.arange(6.0).reshape(2, 3),
    "a": np.array(3),
    "names": np.array(["x", "yy"]),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
}


def test_round_trip(tmp_path):
    write_arrays(tmp_path / "deep" / "f.npz", ARRAYS, {"seed": 1, "text": "é"})
    arrays, meta = read_arrays(tmp_path / "deep" / "f.npz")
    assert meta == {"seed": 1, "text": "é"}
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "f.npz"]


def test_numpy_reads_it_too(tmp_path):
    write_arrays(tmp_path / "f.npz", ARRAYS)
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["b"], ARRAYS["b"])


def test_bytes_do_not_depend_on_order_or_time(tmp_path):
    write_arrays(tmp_path / "f.npz", ARRAYS, {"p": 1, "q": 2})
    write_arrays(tmp_path / "g.npz", dict(reversed(ARRAYS.items())), {"q": 2, "p": 1})
    assert (tmp_path / "f.npz").read_bytes() == (tmp_path / "g.npz").read_bytes()
    write_arrays(tmp_path / "g.npz", ARRAYS, {"p": 1, "q": 3})
    assert (tmp_path / "f.npz").read_bytes() != (tmp_path / "g.npz").read_bytes()


def test_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="array 'x' has dtype object; expected numbers"):
        write_arrays(tmp_path / "f.npz", {"x": np.array([None])})
    with pytest.raises(TypeError, match="array name '__meta__' is not a plain name"):
        write_arrays(tmp_path / "f.npz", {"__meta__": np.zeros(1)})
    assert not list(tmp_path.iterdir())


def test_a_pickle_is_not_loaded(tmp_path):
    np.savez(tmp_path / "evil.npz", __meta__=np.array([{"x": 1}], dtype=object))
    with pytest.raises(InvalidFileError, match="not a whole array file"):
        read_arrays(tmp_path / "evil.npz")


def test_every_truncation_is_detected(tmp_path):
    write_arrays(tmp_path / "f.npz", {"x": np.arange(3.0)})
    content = (tmp_path / "f.npz").read_bytes()
    for length in range(len(content)):
        (tmp_path / "g.npz").write_bytes(content[:length])
        with pytest.raises(InvalidFileError):
            read_arrays(tmp_path / "g.npz")


def test_a_flipped_data_bit_is_detected(tmp_path):
    write_arrays(tmp_path / "f.npz", {"x": np.arange(3.0)})
    content = bytearray((tmp_path / "f.npz").read_bytes())
    place = content.index(np.float64(2.0).tobytes())
    content[place + 6] ^= 1
    (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(InvalidFileError, match="Bad CRC-32"):
        read_arrays(tmp_path / "f.npz")
