"""The picture of chosen thresholds shows the numbers of the runs."""

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models import BanditRun, BestArm, ServiceRate, ThresholdLoop
from mdptheory.plotting import plot_thresholds

SURVIVAL = [[[1.0, 0.5, 0.1], [1.0, 0.8, 0.5]], [[1.0, 0.6, 0.2], [1.0, 0.9, 0.6]]]


def loop():
    return ThresholdLoop(SURVIVAL, [0.0, 0.5, 0.9], 0.5, [0.4, 0.6], groups=("old", "young"))


def run_of(arms, env, *, feasible=True):
    arms, rounds = np.array(arms), np.arange(1, len(arms) + 1)
    k = env.n_arms
    violations = np.where(np.arange(k) == 1, 0.0 if feasible else 0.1, 0.3)
    best = BestArm(1, feasible, 0.4, 0.0, np.zeros((k, 3)), violations, np.zeros((k, 3)))
    return BanditRun(
        arms=arms, counts=np.bincount(arms, minlength=k), rounds=rounds,
        means=np.zeros((len(arms), 3)), states=np.zeros((len(arms), 3)), reward=0.5 * rounds,
        violation=0.25 * rounds, signed=np.zeros((len(arms), 1)), observed_violation=0.3 * rounds,
        regret=0.0 * rounds, fallback_rounds=0, switches=1, certificate_regret=None,
        certificate_violation=None, best=best, constraints=(ServiceRate(0.3),),
        names=("reward", "gap", "service"),
    )  # fmt: skip


def test_shares_feasible_region_and_sums_are_drawn(tmp_path):
    env = loop()
    runs = {"first": run_of([0] * 30 + [1] * 90, env), "second": run_of([2] * 120, env)}
    figure = plot_thresholds(env, runs)
    above, other, violation, reward = figure.axes
    assert [axes.get_title() for axes in (above, other)] == ["first", "second"]
    share = above.collections[-1].get_array()
    assert share.shape == (3, 60)
    np.testing.assert_array_equal(share[0], np.arange(60) < 15)
    np.testing.assert_array_equal(share.sum(axis=0), 1.0)
    grey = sorted((patch.get_y(), patch.get_y() + patch.get_height()) for patch in above.patches)
    np.testing.assert_allclose(grey, [(-0.25, 0.25), (0.7, 1.1)])  # the middle one is feasible
    assert above.lines[0].get_ydata()[0] == 0.5
    lines = {line.get_label(): line for line in violation.lines}
    assert list(lines) == ["first", "second"]
    np.testing.assert_array_equal(lines["second"].get_ydata(), runs["second"].violation)
    np.testing.assert_array_equal(reward.lines[0].get_ydata(), 0.5)
    assert reward.lines[-1].get_ydata()[0] == 0.4
    assert reward.lines[-1].get_label() == "best feasible threshold, settled"
    figure.savefig(tmp_path / "t.png")
    assert (tmp_path / "t.png").stat().st_size > 1000


def test_one_run_needs_no_label_and_infeasible_is_said():
    env = loop()
    figure = plot_thresholds(env, run_of([1, 2, 1], env, feasible=False))
    assert len(figure.axes) == 3
    assert len(figure.axes[0].patches) == 3
    assert figure.axes[2].lines[-1].get_label() == "least violating threshold, settled"
    assert plot_thresholds(env, run_of([1], env), figure=figure) is figure


def test_a_threshold_for_each_group_has_a_line_each(tmp_path):
    env = loop().with_group_thresholds()
    run = run_of([1] * 5 + [5] * 5, env)  # (0, 0.5) and then (0.5, 0.9)
    axes = plot_thresholds(env, run).axes[0]
    old, young = (patch.get_data().values for patch in axes.patches)
    np.testing.assert_allclose(old, [0.0] * 5 + [0.5] * 5)
    np.testing.assert_allclose(young, [0.5] * 5 + [0.9] * 5)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "group old",
        "group young",
    ]


def test_one_threshold_alone_can_be_drawn(tmp_path):
    env = ThresholdLoop(np.array(SURVIVAL)[:, :, 1:2], [0.5], 0.5, [0.4, 0.6])
    run = run_of([0, 0], loop())
    one = BestArm(0, True, 0.4, 0.0, np.zeros((1, 3)), np.zeros(1), np.zeros((1, 3)))
    run = BanditRun(**{n: getattr(run, n) for n in run.__slots__} | {"best": one, "counts": [2]})
    plot_thresholds(env, run).savefig(tmp_path / "one.png")


def test_bad_input_is_refused():
    env = loop()
    with pytest.raises(InvalidModelError, match="runs is empty"):
        plot_thresholds(env, {})
    with pytest.raises(InvalidModelError, match=r"runs\['x'\] has 3 arms; expected 9 as env"):
        plot_thresholds(env.with_group_thresholds(), {"x": run_of([1], env)})
