"""Every format gives back every number bit for bit, and every name."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from io_models import absorbing_mdp, assert_same, example_mdp, mdps

from mdptheory import Discounted, FiniteHorizon, TabularMDP, TotalReward, io
from mdptheory.errors import InvalidFileError, InvalidModelError

FORMATS = ["npz", "csv", "tra", "umb"]
relaxed = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@given(mdp=mdps(stages=True))
@relaxed
def test_npz_gives_back_every_model(tmp_path_factory, mdp):
    path = tmp_path_factory.mktemp("npz") / "m.npz"
    io.write(mdp, path)
    assert_same(mdp, io.read(path))


@given(mdp=mdps())
@relaxed
def test_csv_gives_back_every_stationary_model(tmp_path_factory, mdp):
    path = tmp_path_factory.mktemp("csv") / "m.csv"
    io.write(mdp, path)
    assert_same(mdp, io.read(path))


@given(mdp=mdps(objectives=False, degenerate=False))
@relaxed
def test_prism_gives_back_all_but_the_objective(tmp_path_factory, mdp):
    path = tmp_path_factory.mktemp("tra") / "m.tra"
    io.write(mdp, path)
    assert_same(mdp, io.read(path, objective=mdp.objective))


@given(mdp=mdps(objectives=False))
@settings(relaxed, max_examples=40)
def test_umb_gives_back_all_but_the_objective(tmp_path_factory, mdp):
    pytest.importorskip("umbi")
    path = tmp_path_factory.mktemp("umb") / "m.umb"
    io.write(mdp, path)
    assert_same(mdp, io.read(path, objective=mdp.objective))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_model_of_every_feature(tmp_path, kind):
    mdp = example_mdp()
    io.write(mdp, tmp_path / f"m.{kind}")
    assert_same(mdp, io.read(tmp_path / f"m.{kind}", gamma=0.95))


@pytest.mark.parametrize("kind", ["npz", "csv"])
@pytest.mark.parametrize(
    "objective",
    [Discounted(1 / 3), FiniteHorizon(3), FiniteHorizon(2, 0.5, [0.1, -0.0, 1e300])],
    ids=str,
)
def test_objectives_are_kept(tmp_path, kind, objective):
    io.write(example_mdp(objective), tmp_path / f"m.{kind}")
    again = io.read(tmp_path / f"m.{kind}")
    assert_same(example_mdp(objective), again)
    assert type(again.objective) is type(objective)
    if isinstance(objective, FiniteHorizon) and objective.terminal is not None:
        assert again.objective.terminal.tobytes() == objective.terminal.tobytes()


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_total_reward_is_kept(tmp_path, kind):
    io.write(absorbing_mdp(), tmp_path / f"m.{kind}")
    assert io.read(tmp_path / f"m.{kind}").objective == TotalReward()


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_an_argument_replaces_what_the_file_says(tmp_path, kind):
    io.write(example_mdp(), tmp_path / f"m.{kind}")
    assert io.read(tmp_path / f"m.{kind}", gamma=0.5).gamma == 0.5
    goal = FiniteHorizon(4)
    assert io.read(tmp_path / f"m.{kind}", objective=goal).objective == goal
    with pytest.raises(InvalidModelError, match="give gamma or objective, not both"):
        io.read(tmp_path / f"m.{kind}", gamma=0.5, objective=goal)
    with pytest.raises(InvalidModelError, match=r"gamma is 1.5; expected a number in \[0, 1\)"):
        io.read(tmp_path / f"m.{kind}", gamma=1.5)
    with pytest.raises(TypeError, match="gamma is 'x'"):
        io.read(tmp_path / f"m.{kind}", gamma="x")


@pytest.mark.parametrize("kind", ["tra", "umb"])
def test_formats_without_discount_say_how_to_give_one(tmp_path, kind):
    io.write(example_mdp(), tmp_path / f"m.{kind}")
    with pytest.raises(InvalidFileError, match=r"m\.\w+ holds no discount factor; .*gamma=0.95"):
        io.read(tmp_path / f"m.{kind}")


@pytest.mark.parametrize("kind", ["csv", "tra", "umb"])
def test_stages_need_npz(tmp_path, kind):
    P = np.full((2, 2, 1, 2), 0.5)
    mdp = TabularMDP.from_dense(P, np.zeros((2, 2, 1)), objective=FiniteHorizon(2))
    with pytest.raises(InvalidModelError, match=r"2 stages .* \(.npz holds stages\)"):
        io.write(mdp, tmp_path / f"m.{kind}")


@pytest.mark.parametrize("kind", ["csv", "tra"])
def test_writing_leaves_nothing_of_an_older_model(tmp_path, kind):
    path = tmp_path / f"m.{kind}"
    io.write(example_mdp(FiniteHorizon(2, 0.5, [1.0, 2.0, 3.0])), path)
    for suffix in ("srew", "state.rew", "trans.rew") if kind == "tra" else ():
        (tmp_path / f"m.{suffix}").write_text("0 5\n")
    plain = TabularMDP.from_dense([[[1.0]]], [[2.0]], 0.5)
    io.write(plain, path)
    assert_same(plain, io.read(path, gamma=0.5))


def test_suffixes_and_types_are_checked(tmp_path):
    with pytest.raises(InvalidFileError, match=r"suffix '.txt'; expected one of .npz, .csv, .tra"):
        io.read(tmp_path / "m.txt")
    with pytest.raises(InvalidFileError, match="suffix ''"):
        io.write(example_mdp(), tmp_path / "m")
    with pytest.raises(InvalidFileError, match=r"missing.csv is not a file"):
        io.read(tmp_path / "missing.csv", gamma=0.9)
    with pytest.raises(TypeError, match="mdp has type int; expected a TabularMDP"):
        io.write(3, tmp_path / "m.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(InvalidFileError, match=r"folder.npz is not a file"):
        io.read(tmp_path / "folder.npz")


def test_names_that_are_no_text_are_refused(tmp_path):
    mdp = TabularMDP.from_dense([[[1.0]]], [[2.0]], 0.5, state_names=["\ud800"])
    with pytest.raises(InvalidModelError, match="cannot be written as UTF-8"):
        io.write(mdp, tmp_path / "m.csv")


def test_importing_io_adds_no_heavy_module():
    code = (
        "import sys, mdptheory; before = set(sys.modules)\n"
        "from mdptheory import io\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "bad = new & {'scipy', 'gymnasium', 'networkx', 'umbi', 'pandas', 'hypothesis'}\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


HARD_NAMES = [
    "\r",
    "\n",
    'a"b',
    "a,b",
    " a ",
    "",
    "\x00",
    "\x85\u2028",
    "#",
    "a0",
    "0",
    "é\U0001f600",
]


@pytest.mark.parametrize("kind", FORMATS)
def test_names_with_every_character(tmp_path, kind):
    """A carriage return in a field without quotes was once lost."""
    count = len(HARD_NAMES)
    kernel = np.eye(count)[:, None, :].repeat(count, axis=1)
    mdp = TabularMDP.from_dense(
        kernel, np.zeros((count, count)), 0.5, state_names=HARD_NAMES, action_names=HARD_NAMES
    )
    io.write(mdp, tmp_path / f"m.{kind}")
    assert_same(mdp, io.read(tmp_path / f"m.{kind}", gamma=0.5))
