"""Minari data sets: ours are Minari's, Minari's are ours, and none is trusted."""

import json
import shutil

import numpy as np
import pytest

from mdptheory import io
from mdptheory.environments import collect, simulated_linear_mdp
from mdptheory.errors import InvalidFileError, InvalidModelError, MissingExtraError
from mdptheory.models import KnownModel, OfflineData

MDP = simulated_linear_mdp(0.2)


@pytest.fixture
def minari():
    pytest.importorskip("h5py")
    pytest.importorskip("PIL")  # which Minari imports without asking for it
    return pytest.importorskip("minari")


@pytest.fixture
def home(minari, tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def data():
    return collect(MDP, None, 12, rng=3)


def same(one, two):
    np.testing.assert_array_equal(one.states, two.states)
    np.testing.assert_array_equal(one.actions, two.actions)


def test_round_trip_by_folder_and_by_name(home, data):
    io.write_minari(home / "lab" / "simulated-v0", data, MDP.known, dataset_id="lab/simulated-v0")
    for source in (home / "lab" / "simulated-v0", home / "lab" / "simulated-v0" / "data",
                   "lab/simulated-v0"):  # fmt: skip
        same(io.read_minari(source, MDP.known), data)
        same(io.read_minari(source), data)


def test_a_relative_folder(home, data, monkeypatch):
    monkeypatch.chdir(home)
    io.write_minari("here-v0", data, MDP.known)
    same(io.read_minari("here-v0", MDP.known), data)


def test_minari_reads_what_we_write(home, data, minari):
    io.write_minari(home / "simulated-v0", data, MDP.known)
    found = minari.load_dataset("simulated-v0")
    assert found.total_episodes == 12
    assert found.total_steps == 36
    assert (found.observation_space.n, found.action_space.n) == (5, 16)
    for k, episode in enumerate(found.iterate_episodes()):
        np.testing.assert_array_equal(episode.observations, data.states[k])
        np.testing.assert_array_equal(episode.actions, data.actions[k])
        wanted = [MDP.reward[h, data.states[k, h], data.actions[k, h]] for h in range(3)]
        np.testing.assert_array_equal(episode.rewards, wanted)
        assert episode.terminations.tolist() == [False, False, True]
        assert not episode.truncations.any()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Minari asks for authors and links
def test_we_read_what_minari_writes(home, data, minari):
    """Spaces that start at other numbers, rewards in single precision, and infos of their own."""
    from gymnasium import spaces
    from minari.data_collector import EpisodeBuffer

    buffers = [
        EpisodeBuffer(
            observations=[int(s) + 2 for s in states],
            actions=[int(a) - 1 for a in actions],
            rewards=[np.float32(MDP.reward[h, states[h], actions[h]]) for h in range(3)],
            terminations=[False] * 3,
            truncations=[False, False, True],
            infos={"speed": np.zeros(4)},
        )
        for states, actions in zip(data.states, data.actions, strict=True)
    ]
    minari.create_dataset_from_buffers(
        "other/thing-v1", buffers, observation_space=spaces.Discrete(5, start=2),
        action_space=spaces.Discrete(16, start=-1), data_format="hdf5",
    )  # fmt: skip
    same(io.read_minari("other/thing-v1", MDP.known), data)


def test_rewards_that_the_model_does_not_give_are_refused(home, data):
    io.write_minari(home / "d-v0", data, MDP.known)
    other = KnownModel(MDP.known.phi, 0.5 * MDP.known.theta, 0, 3)
    with pytest.raises(
        InvalidFileError, match=r"episode \d+, step [12]: the reward is [\d.]+, but"
    ):
        io.read_minari(home / "d-v0", other)
    small = KnownModel(MDP.known.phi[:4], MDP.known.theta)
    with pytest.raises(InvalidFileError, match=r"states\[\d+, \d\] is 4; expected an index in"):
        io.read_minari(home / "d-v0", small)
    long = KnownModel(MDP.known.phi, np.zeros((4, 4)))
    with pytest.raises(InvalidFileError, match="actions has 3 steps an episode; the model has 4"):
        io.read_minari(home / "d-v0", long)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_format": "arrow"}, "data_format is 'arrow'; expected 'hdf5'"),
        ({"total_episodes": 10**12}, "metadata count 1000000000000 episodes; 12 are stored"),
        ({"total_episodes": True}, "total_episodes is True; expected >= 1"),
        ({"observation_space": None}, "observation_space is of type None; expected 'Discrete'"),
        ({"action_space": '{"type": "Box"}'}, "action_space is of type 'Box'; expected 'Discrete'"),
        ({"action_space": '{"type": "Discrete", "n": 0}'}, "has start 0 and n 0"),
        ({"action_space": '{"type": "Discrete", "n": 1, "start": 0}'}, "its space has 0 to 0"),
        ({"action_space": "{"}, "not JSON"),
        ({"action_space": '{"type": "Discrete", "n": 5, "start": 1e400}'}, "start inf"),
    ],
)
def test_hostile_metadata(home, data, change, message):
    io.write_minari(home / "d-v0", data, MDP.known)
    path = home / "d-v0" / "data" / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InvalidFileError, match=message):
        io.read_minari(home / "d-v0")


def altered(home, data, name, value, episode=1):
    """Write a data set one of whose arrays is replaced (or removed, if None)."""
    import h5py

    io.write_minari(home / "d-v0", data, MDP.known)
    with h5py.File(home / "d-v0" / "data" / "main_data.hdf5", "a") as file:
        group = file[f"episode_{episode}"]
        del group[name]
        if value is not None:
            group.create_dataset(name, **value)
    return home / "d-v0"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("actions", None, "is no readable data set"),
        ("actions", {"data": [1, 2]}, "episode 1: actions has length 2, that of episode 0 has 3"),
        ("observations", {"data": [[0], [1], [2], [3]]}, r"observations has shape \(4, 1\)"),
        ("observations", {"data": [0.0, 1.0, 2.0, 3.0]}, "observations has dtype float64"),
        ("observations", {"data": [0, 1, 2, 5]}, "episode 1, step 3: observations has 5; its spac"),
        ("rewards", {"data": [b"a", b"b", b"c"]}, "rewards has dtype |S1; expected numbers"),
        ("rewards", {"data": [0.0, np.nan, 0.0]}, "episode 1, step 1: the reward is nan, but"),
        ("terminations", {"data": [True, False, False]}, "episode 1 ends at step 0 and goes on"),
        ("truncations", {"data": [False, True, False]}, "episode 1 ends at step 1 and goes on"),
    ],
)
def test_hostile_episodes(home, data, name, value, message):
    with pytest.raises(InvalidFileError, match=message):
        io.read_minari(altered(home, data, name, value), MDP.known)


def test_a_vast_array_is_not_allocated(home, data):
    vast = {"shape": (10**12,), "dtype": "i8", "chunks": (10,)}
    folder = altered(home, data, "rewards", vast, episode=0)
    with pytest.raises(InvalidFileError, match="claims more than it can hold"):
        io.read_minari(folder)


def test_damaged_files(home, data):
    io.write_minari(home / "d-v0", data, MDP.known)
    path = home / "d-v0" / "data" / "main_data.hdf5"
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for cut in (0, 1, *rng.integers(0, len(content), size=20).tolist()):
        path.write_bytes(content[:cut])
        with pytest.raises(InvalidFileError, match="is no readable data set"):
            io.read_minari(home / "d-v0")
    for _ in range(40):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged))
        try:
            found = io.read_minari(home / "d-v0", MDP.known)
        except InvalidFileError:
            continue
        assert found.states.shape == (12, 4)


def test_what_cannot_be_written_is_refused(home, data):
    with pytest.raises(InvalidModelError, match="dataset_id is 'river'; expected a name such as"):
        io.write_minari(home / "river", data, MDP.known)
    with pytest.raises(InvalidModelError, match=r"states\[0, 0\] is 9; expected an index"):
        io.write_minari(home / "a-v0", OfflineData([[9, 0, 0, 0]], [[0, 0, 0]]), MDP.known)
    with pytest.raises(TypeError, match="data is of type int; expected OfflineData"):
        io.write_minari(home / "a-v0", 1, MDP.known)
    with pytest.raises(TypeError, match="known is of type int; expected KnownModel or None"):
        io.read_minari(home / "a-v0", 1)
    io.write_minari(home / "a-v0", data, MDP.known)
    with pytest.raises(InvalidModelError, match="a-v0 already holds a data set"):
        io.write_minari(home / "a-v0", data, MDP.known)


def test_a_missing_data_set_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "none"))
    with pytest.raises(InvalidFileError, match="D4RL/door/human-v2 is no Minari data set, neither"):
        io.read_minari("D4RL/door/human-v2")
    assert not (tmp_path / "none").exists()


def test_without_the_extra_it_says_which(tmp_path, data, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "minari", None)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        MissingExtraError, match=r"minari is not installed; pip install 'mdptheory\["
    ):
        io.write_minari(tmp_path / "a-v0", data, MDP.known)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "b-v0").mkdir()
    space = '{"type": "Discrete", "n": 5}'
    meta = {"data_format": "hdf5", "total_episodes": 1, "observation_space": space}
    (tmp_path / "b-v0" / "metadata.json").write_text(json.dumps(meta | {"action_space": space}))
    with pytest.raises(MissingExtraError, match=r"h5py is not installed; pip install 'mdptheory\["):
        io.read_minari(tmp_path / "b-v0")
    shutil.rmtree(tmp_path / "b-v0")
