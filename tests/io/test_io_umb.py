"""UMB files as the umbi package and other tools write them."""

from fractions import Fraction

import pytest
from io_models import example_mdp

from mdptheory import TabularMDP, io
from mdptheory.errors import InvalidFileError, InvalidModelError

umbi_ats = pytest.importorskip("umbi.ats")
pytestmark = pytest.mark.skipif(
    not hasattr(umbi_ats, "ExplicitAts"),
    reason="newer umbi has another builder; the round trips cover its files",
)


def chain_of_two(**changes):
    """A system of two states as umbi's own builder makes it."""
    ats = umbi_ats.ExplicitAts()
    ats.num_players = 1
    for _ in range(2):
        ats.add_state()
    ats.set_initial_states(changes.get("initial", [0]))
    for state, target in ((0, 1), (0, 0), (1, 1)):
        ats.add_state_choice(state).add_branch(target, prob=changes.get("prob", 1.0))
    if "actions" in changes:
        ats.num_choice_actions = max(changes["actions"]) + 1
        for choice, action in zip(ats.choices, changes["actions"], strict=True):
            choice.action = action
        ats.choice_action_to_name = changes.get("names")
    for name in changes.get("rewards", ()):
        ats.add_reward_annotation(name).set_state_values([1.5, 0.25])
    return ats


def through_umbi(tmp_path, ats):
    umbi_ats.write(ats, tmp_path / "m.umb")
    return io.read(tmp_path / "m.umb", gamma=0.9)


def test_rational_probabilities_become_the_nearest_floats(tmp_path):
    ats = chain_of_two(prob=Fraction(1), names=["go", "stay"], actions=[0, 1, 1])
    ats.get_state_choices(0)[0].branches[0].prob = Fraction(2, 3)
    ats.get_state_choices(0)[0].add_branch(0, prob=Fraction(1, 3))
    mdp = through_umbi(tmp_path, ats)
    assert mdp.prob.tolist() == [1 / 3, 2 / 3, 1.0, 1.0]
    assert mdp.action_names == ("go", "stay")
    assert mdp.initial.tolist() == [1.0, 0.0]


def test_state_rewards_are_added_to_every_choice(tmp_path):
    mdp = through_umbi(tmp_path, chain_of_two(rewards=["steps"]))
    assert mdp.reward.tolist() == [1.5, 1.5, 0.25]
    assert mdp.transition_reward is None
    assert mdp.action.tolist() == [0, 1, 0]
    assert mdp.action_names is None


def test_repeated_actions_are_told_apart(tmp_path):
    mdp = through_umbi(tmp_path, chain_of_two(actions=[0, 0, 1], names=["go", "stay"]))
    assert mdp.action_names == ("go", "go#2", "stay")
    assert mdp.action.tolist() == [0, 1, 2]


def test_missing_rewards_are_zero_and_several_initial_states_no_distribution(tmp_path):
    mdp = through_umbi(tmp_path, chain_of_two(initial=[0, 1]))
    assert not mdp.reward.any()
    assert mdp.initial is None


def test_what_is_no_mdp_is_refused(tmp_path):
    observed = chain_of_two()
    observed.add_observation_annotation(3).set_state_values([0, 2])
    with pytest.raises(InvalidFileError, match=r"3 observations; expected a Markov decision"):
        through_umbi(tmp_path, observed)
    interval = pytest.importorskip("umbi.datatypes").Interval(0.5, 1.0)
    with pytest.raises(InvalidFileError, match=r"branch-to-probability holds .*; expected numbers"):
        through_umbi(tmp_path, chain_of_two(prob=interval))
    with pytest.raises(InvalidFileError, match=r"P\[0, 0\] sums to 0.5"):
        through_umbi(tmp_path, chain_of_two(prob=0.5))


def test_one_reward_structure_is_expected(tmp_path):
    umb = pytest.importorskip("umbi.umb")
    io.write(example_mdp(), tmp_path / "m.umb")
    model = umb.read(tmp_path / "m.umb")
    model.index.annotations["rewards"]["other"] = model.index.annotations["rewards"]["reward"]
    model.annotations["rewards"]["other"] = model.annotations["rewards"]["reward"]
    umb.write(model, tmp_path / "m.umb")
    with pytest.raises(InvalidFileError, match=r"several reward structures \(reward, other\)"):
        io.read(tmp_path / "m.umb", gamma=0.9)


def test_umbi_itself_reads_what_is_written(tmp_path):
    """The package's own checks hold, and the numbers are the model's."""
    mdp = example_mdp()
    io.write(mdp, tmp_path / "m.umb")
    model = pytest.importorskip("umbi.umb").read(tmp_path / "m.umb", strict=True)
    model.validate()
    system = model.index.transition_system
    assert (system.num_states, system.num_choices, system.num_branches) == (3, 4, 6)
    assert model.branch_to_probability == mdp.prob.tolist()
    assert model.choice_action_to_string == ["go", "stay put", "jump"]
    assert model.annotations["rewards"]["reward"]["branches"] == mdp.transition_reward.tolist()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("state_to_choices", [0, 3, 2, 4], "state-to-choices does not rise from 0 to 4"),
        ("state_to_choices", [0, 2, 4], "state-to-choices has 3 entries; expected 4"),
        ("choice_to_branches", [0, 2, 3, 5, 7], "choice-to-branches does not rise from 0 to 6"),
        ("choice_to_branches", [0, 2, 2, 5, 6], r"does not rise .* every choice a branch"),
        ("branch_to_target", [0, 1, 2, 0, 2, 9], "state 9 is named, but the header declares 3"),
        ("branch_to_target", [0, 1, 2, 0, 2, 2**63], "branch-to-target holds 9223372036854775808"),
        ("choice_to_choice_action", [0, 3, 1, 0], "action 3 has no name among 3"),
        ("choice_to_choice_action", [0, 2, 1], "values has 3 entries; expected 4"),
        ("branch_to_probability", [0.1] * 5, "branch-to-probability has 5 entries; expected 6"),
        ("state_is_initial", [], "state-is-initial marks 0 of 0 states; expected 2 of 3"),
    ],
)
def test_inconsistent_systems_are_refused(tmp_path, field, value, message):
    umb = pytest.importorskip("umbi.umb")
    io.write(example_mdp(), tmp_path / "m.umb")
    model = umb.read(tmp_path / "m.umb")
    setattr(model, field, value)
    umb.write(model, tmp_path / "m.umb")
    with pytest.raises(InvalidFileError, match=message):
        io.read(tmp_path / "m.umb", gamma=0.9)


@pytest.mark.parametrize(
    ("group", "entity", "values", "message"),
    [
        ("rewards", "branches", [1.0] * 5, "rewards of branches has 5 entries; expected 6"),
        ("rewards", "branches", [float("nan")] * 6, r"r\[0, 0, 0\] is nan"),
        ("mdptheory", "states", [0.5, 0.25, 0.0], "initial sums to 0.75"),
        ("mdptheory", "states", [0.5, 0.5], "initial has 2 entries; expected 3"),
    ],
)
def test_bad_annotations_are_refused(tmp_path, group, entity, values, message):
    umb = pytest.importorskip("umbi.umb")
    io.write(example_mdp(), tmp_path / "m.umb")
    model = umb.read(tmp_path / "m.umb")
    model.annotations[group]["reward" if group == "rewards" else "initial"][entity] = values
    umb.write(model, tmp_path / "m.umb")
    with pytest.raises(InvalidFileError, match=message):
        io.read(tmp_path / "m.umb", gamma=0.9)


def test_fractions_beyond_float64_are_refused(tmp_path):
    binary, datatypes = pytest.importorskip("umbi.binary"), pytest.importorskip("umbi.datatypes")
    umb = pytest.importorskip("umbi.umb")
    io.write(example_mdp(), tmp_path / "m.umb")
    model = umb.read(tmp_path / "m.umb")
    description = model.index.annotations["rewards"]["reward"]
    description.type = binary.SizedType(datatypes.NumericPrimitiveType.RATIONAL, 4096)
    model.annotations["rewards"]["reward"]["branches"] = [Fraction(10**400)] * 6
    umb.write(model, tmp_path / "m.umb")
    with pytest.raises(InvalidFileError, match="rewards of branches holds a number too large"):
        io.read(tmp_path / "m.umb", gamma=0.9)


@pytest.mark.parametrize("kind", ["state_names", "action_names"])
def test_a_single_empty_name_cannot_be_written(tmp_path, kind):
    mdp = TabularMDP.from_dense([[[1.0]]], [[0.0]], 0.9, **{kind: [""]})
    with pytest.raises(InvalidModelError, match=rf"{kind}\[0\] is ''; .umb files need a name"):
        io.write(mdp, tmp_path / "m.umb")
    for suffix in ("npz", "csv", "tra"):
        io.write(mdp, tmp_path / f"m.{suffix}")
        assert getattr(io.read(tmp_path / f"m.{suffix}", gamma=0.9), kind) == ("",)


def test_reading_prints_nothing(tmp_path, capfd):
    mdp = TabularMDP.from_dense([[[1.0]]], [[0.0]], 0.9)
    io.write(mdp, tmp_path / "m.umb")
    io.read(tmp_path / "m.umb", gamma=0.9)
    assert capfd.readouterr() == ("", "")
