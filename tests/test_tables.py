"""Runs as columns: the numbers of the run, labelled, as pandas takes them."""

import numpy as np
import pandas as pd
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models import BanditRun, BestArm, DemographicParity
from mdptheory.tables import round_table, run_table


def a_run(
    horizon=10, every=1, *, feasible=True, n_residuals=2, certified=False, names=("reward", "gap")
):
    """A run whose reward is 0.1 times the round's number, recorded now and then."""
    rounds = np.arange(every, horizon + 1, every)
    rounds = rounds if rounds.size and rounds[-1] == horizon else np.append(rounds, horizon)
    arms = np.arange(horizon) % 3
    sums = np.cumsum(0.1 * np.arange(1, horizon + 1))[rounds - 1]
    means = np.column_stack([0.1 * rounds, *(-0.1 * rounds for _ in names[1:])])
    best = BestArm(1, feasible, 0.9, 0.0, np.zeros((3, len(names))), np.zeros(3), np.zeros((3, 1)))
    signed = np.outer(rounds, [-1.0, 0.25, 0.5][:n_residuals])
    return BanditRun(
        arms=arms, counts=np.bincount(arms, minlength=3), rounds=rounds, means=means,
        states=rounds[:, None] / horizon, reward=sums, violation=0.5 * rounds, signed=signed,
        observed_violation=0.75 * rounds,
        regret=0.25 * rounds if feasible else np.full(len(rounds), np.nan),
        fallback_rounds=2, switches=horizon - 1,
        certificate_regret=12.0 if certified else None, certificate_violation=None, best=best,
        constraints=(DemographicParity(0.1),), names=tuple(names),
    )  # fmt: skip


def test_one_row_a_recorded_round():
    runs = [a_run(10), a_run(7, 2, names=("reward", "gap", "service"), n_residuals=3)]
    table = pd.DataFrame(round_table(runs, {"method": ["ofs", "ucb"], "seed": [3, 4]}))
    assert list(table.columns) == [
        "method", "seed", "round", "arm", "mean_reward", "mean_gap", "state_0",
        "cumulative_reward", "cumulative_violation", "signed_violation_0", "signed_violation_1",
        "observed_violation", "regret", "mean_service", "signed_violation_2",
    ]  # fmt: skip
    assert len(table) == 14
    second = table[table["method"] == "ucb"]
    assert list(second["round"]) == [2, 4, 6, 7]
    assert list(second["arm"]) == [1, 0, 2, 0]
    assert list(second["seed"]) == [4] * 4
    np.testing.assert_array_equal(second["cumulative_reward"], runs[1].reward)
    np.testing.assert_array_equal(second["signed_violation_2"], runs[1].signed[:, 2])
    assert (
        table[table["method"] == "ofs"][["mean_service", "signed_violation_2"]]
        .isna()
        .to_numpy()
        .all()
    )
    assert second.notna().to_numpy().all()


def test_one_row_a_run():
    table = pd.DataFrame(run_table([a_run(10), a_run(10, certified=True)], {"seed": [0, 1]}))
    first, second = table.iloc[0], table.iloc[1]
    assert (first["rounds"], first["fallback_rounds"], first["switches"]) == (10, 2, 9)
    assert first["reward"] == pytest.approx(5.5)
    assert (first["violation"], first["signed_violation"], first["regret"]) == (5.0, 2.5, 2.5)
    assert first["oracle_gap"] == pytest.approx(0.9 - (0.9 + 1.0) / 2)  # rounds 9 and 10
    assert first["net"] == pytest.approx(0.55 - 3 * 0.5)
    assert (first["best_arm"], first["most_played"], first["best_share"]) == (1, 0, 0.3)
    assert bool(first["feasible"])
    assert np.isnan(first["certificate_regret"])
    assert second["certificate_regret"] == 12.0
    assert run_table(a_run(10), price=1.0)["net"][0] == pytest.approx(0.05)


@pytest.mark.parametrize(("every", "start"), [(1, 8), (2, 8), (4, 8), (5, 5), (3, 9), (10, 0)])
def test_the_last_fifth_starts_at_a_recorded_round(every, start):
    horizon = 10
    run = a_run(horizon, every)
    expected = (np.arange(start, horizon) + 1).mean() * 0.1
    assert run_table(run)["oracle_gap"][0] == pytest.approx(0.9 - expected)


def test_nothing_is_made_up_without_a_feasible_arm_or_constraints():
    table = run_table(a_run(feasible=False, n_residuals=0))
    assert np.isnan(table["oracle_gap"][0])
    assert np.isnan(table["regret"][0])
    assert np.isnan(table["signed_violation"][0])
    assert "signed_violation_0" not in round_table(a_run(n_residuals=0))


@pytest.mark.parametrize("table", [round_table, run_table])
@pytest.mark.parametrize(
    ("runs", "labels", "error", "sentence"),
    [
        ([], None, InvalidModelError, "runs is empty"),
        ([a_run(), "run"], None, TypeError, r"runs\[1\] is of type str"),
        (
            a_run(),
            {"seed": [1, 2]},
            InvalidModelError,
            r"labels\['seed'\] is \[1, 2\]; expected one",
        ),
        (a_run(), {"method": "u"}, InvalidModelError, "one entry for each of 1 runs"),
        (a_run(), {"regret": [1]}, InvalidModelError, "labels has 'regret', which is a column"),
    ],
)
def test_bad_input_is_refused(table, runs, labels, error, sentence):
    with pytest.raises(error, match=sentence):
        table(runs, labels)
