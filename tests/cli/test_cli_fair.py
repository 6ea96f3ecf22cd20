"""The fair commands: the library's own numbers, words that fit them, files, refusals."""

import csv
import json
import sys

import numpy as np
import pandas as pd
import pytest
from test_cli_commands import refused, run, run_json

from mdptheory import algorithms, solvers
from mdptheory.cli import main
from mdptheory.environments import threshold_loop_from_csv, threshold_preset
from mdptheory.models import DemographicParity, EqualOpportunity, ServiceRate
from mdptheory.operators import certify

GERMAN = ("--preset", "german")
SHORT = ("--rounds", "3000")
METHODS = {
    "ofs": algorithms.ofs, "ofs-epochs": algorithms.ofs_epochs, "ucb": algorithms.ucb,
    "pessimistic": algorithms.pessimistic_ucb, "primal-dual": algorithms.primal_dual_ucb,
    "greedy": algorithms.greedy_feasible, "explore": algorithms.explore_then_commit,
}  # fmt: skip


@pytest.fixture
def people(tmp_path):
    """300 people whose labels follow their scores; the groups' scores differ."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 300)
    score = np.clip(rng.beta(2, 2, 300) + 0.1 * group, 0.0, 1.0).round(3)
    repaid = np.where(rng.random(300) < score, "yes", "no")
    table = pd.DataFrame({"points": score, "repaid": repaid, "sex": np.array(["f", "m"])[group]})
    table.to_csv(tmp_path / "people.csv", index=False)
    return str(tmp_path / "people.csv")


def own(people, *words):
    names = ("--score", "points", "--label", "repaid", "--favourable", "yes", "--group", "sex")
    return ("--csv", people, *names, *words)


@pytest.mark.parametrize("method", METHODS)
def test_json_has_the_librarys_own_numbers(capsys, method):
    words = (*GERMAN, *SHORT, "--method", method, "--seeds", "2", "--seed", "5", "--delta", "0.1")
    code, answer = run_json(capsys, "fair", "run", *words)
    env, limits = threshold_preset("german")
    options = algorithms.BanditOptions(delta=0.1)
    assert code == 0
    assert [r["seed"] for r in answer["runs"]] == [5, 6]
    for row in answer["runs"]:
        expected = METHODS[method](env, 3000, limits, options=options, rng=row["seed"])
        assert row["method"] == method
        assert row["reward"] == expected.reward[-1]
        assert row["violation"] == expected.violation[-1]
        assert row["certificate_violation"] == expected.certificate_violation
        assert row["counts"] == expected.counts.tolist()
    assert answer["best"]["arm"] == expected.best.arm
    assert answer["best"]["reward"] == expected.best.reward


def test_a_run_says_what_it_means(capsys):
    words = (*GERMAN, *SHORT, "--method", "ofs", "--method", "ucb", "--method", "ofs")
    code, out, err = run(capsys, "fair", "run", *words)
    assert (code, err) == (0, "")
    assert "german: 21 thresholds from 0 to 1; groups young (0.19 of the applicants)" in out
    assert "a threshold accepts who scores that much or more" in out
    assert "feasible: the groups' acceptance rates differ by at most 0.1 and at least 0.3" in out
    assert "once the applicants have settled under it" in out
    assert "best feasible threshold: 0.3, earns 0.2726 a round" in out
    rows = [line.split() for line in out.splitlines() if line.startswith(("  ofs  ", "  ucb  "))]
    assert [row[0] for row in rows] == ["ofs", "ucb"]
    assert float(rows[1][2]) > 3 * float(rows[0][2])  # ucb violates more
    assert "violation:  sum over the rounds of how far the worst limit was exceeded" in out
    assert "no certificate: decisions change the applicants, and ofs learns as if" in out
    assert "nothing is proved of ucb where decisions change the applicants" in out
    assert "violates by 0.0" in out


def test_certificates_are_shown_where_they_hold(capsys):
    words = (*GERMAN, *SHORT, "--method")
    out = run(capsys, "fair", "run", *words, "ofs-epochs", "--delta", "0.1")[1]
    assert "certificate, each run with probability 0.9: violation at most " in out
    assert ", regret at most " in out
    out = run(capsys, "fair", "run", *words, "ofs", "--feedback", "0")[1]
    assert "feasible: " in out
    assert "settled" not in out.split("best feasible")[0]
    assert "certificate, each run with probability 0.95: violation at most " in out
    out = run(capsys, "fair", "run", *words, "pessimistic", "--feedback", "0")[1]
    assert "none of regret, which pessimistic does not bound" in out


def test_bold_radii_void_the_certificate_and_it_is_noted_once(capsys):
    words = (*GERMAN, *SHORT, "--feedback", "0", "--radius-scale", "0.25", "--seeds", "2")
    code, out, err = run(capsys, "fair", "run", *words)
    assert (code, err) == (0, "")
    assert "no certificate: --radius-scale 0.25 is below 1" in out
    assert out.count("note: radius_scale is 0.25") == 1
    assert "means of 2 runs (violation: +- standard deviation)" in out
    assert len(run_json(capsys, "fair", "run", *words)[1]["notes"]) == 1


def test_options_replace_the_presets_limits_one_by_one(capsys):
    words = ("--preset", "compas_decile", "--service", "0.99", "--equal-opportunity", "0.2")
    code, answer = run_json(capsys, "fair", "best", *words)
    assert code == 0
    assert answer["limits"] == [
        "DemographicParity(tol=0.15)", "ServiceRate(min_rate=0.99)", "EqualOpportunity(tol=0.2)",
    ]  # fmt: skip
    assert answer["best"]["threshold"] == 0.0  # everybody is accepted


def test_tables_curves_and_picture_are_written(capsys, tmp_path):
    out, curves, plot = (str(tmp_path / n) for n in ("o.csv", "c.json", "p.png"))
    words = (
        "--out",
        out,
        "--curves",
        curves,
        "--plot",
        plot,
        "--method",
        "ofs",
        "--method",
        "best",
    )
    code, said, _ = run(capsys, "fair", "run", *GERMAN, "--rounds", "4000", "--seeds", "2", *words)
    assert code == 0
    for kind, path in (("table", out), ("curves", curves), ("picture", plot)):
        assert f"{kind} written to {path}" in said
    table = pd.read_csv(out)
    assert list(table["method"]) == ["ofs", "ofs", "best", "best"]
    assert list(table["seed"]) == [0, 1, 0, 1]
    assert (table["best_share"][2:] == 1.0).all()
    records = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert len(records) == 4 * 2000
    assert records[1999]["round"] == 4000
    assert records[1999]["cumulative_reward"] == table["reward"][0]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    answer = run_json(capsys, "fair", "run", *GERMAN, *SHORT, "--out", out)[1]
    assert answer["out"] == out
    assert answer["plot"] is None


def test_all_thresholds_are_listed(capsys, tmp_path):
    out = tmp_path / "t.csv"
    words = ("--preset", "compas_decile", "--eps", "0.163")
    code, said, err = run(capsys, "fair", "best", *words, "--out", str(out))
    assert (code, err) == (0, "")
    env, _ = threshold_preset("compas_decile")
    best = solvers.best_arm(env, [DemographicParity(0.163), ServiceRate(0.5)])
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [float(row["reward"]) for row in rows] == best.means[:, 0].tolist()
    assert [float(row["gap"]) for row in rows] == pytest.approx(
        best.means[:, 1].tolist(), abs=1e-12
    )
    assert [row["feasible"] for row in rows] == ["True"] * 3 + ["False"] * 8
    assert [row["feasible_at_first"] for row in rows] == ["True"] * 4 + ["False"] * 7
    assert "1 of 11 thresholds keep the limits at first but not once" in said
    lines = [line.split() for line in said.splitlines()]
    assert ["2", "0.0773", "0.8719", "-0.1175", "0.0000", "feasible,", "best"] in lines
    assert lines[lines.index(next(x for x in lines if x[:2] == ["3", "0.1379"]))][5:] == [
        "feasible", "at", "first", "only",
    ]  # fmt: skip
    code, answer = run_json(capsys, "fair", "best", *words)
    assert answer["thresholds"]["violation"] == best.violations.tolist()
    assert answer["best"]["threshold"] == 2.0


def test_many_pairs_are_cut_to_the_best(capsys):
    words = (*GERMAN, "--group-thresholds", "--every", "2")
    code, out, _ = run(capsys, "fair", "best", *words)
    assert code == 0
    assert "121 pairs of thresholds" in out
    assert "101 more pairs: --json or --out FILE give them all" in out
    first = next(line.split() for line in out.splitlines() if "feasible, best" in line)
    env, limits = threshold_preset("german")
    best = solvers.best_arm(env.with_group_thresholds(2), limits)
    assert f"{best.reward:.4f}" == first[3]
    table = run_json(capsys, "fair", "best", *words)[1]["thresholds"]
    assert len(table["threshold_young"]) == 121


def test_own_data_is_read(capsys, people):
    words = own(people, "--cost", "0.5", "--batch", "40", "--grid", "0.2,0.8,7", "--eps", "0.1")
    code, answer = run_json(capsys, "fair", "best", *words, "--equal-opportunity", "0.3")
    env = threshold_loop_from_csv(
        people, score="points", label="repaid", group="sex", favourable="yes", cost=0.5, batch=40,
        thresholds=np.linspace(0.2, 0.8, 7),
    )  # fmt: skip
    best = solvers.best_arm(env, [DemographicParity(0.1), EqualOpportunity(0.3)])
    assert code == 0
    assert answer["limits"] == ["DemographicParity(tol=0.1)", "EqualOpportunity(tol=0.3)"]
    assert answer["thresholds"]["violation"] == best.violations.tolist()
    assert answer["best"]["arm"] == best.arm
    code, out, _ = run(capsys, "fair", "best", *own(people))
    assert "feasible: every threshold, as there are no limits" in out
    assert "note: no limit was given" in out


def test_no_feasible_threshold_is_a_note(capsys, people):
    words = own(people, "--grid", "0.3,0.9,4", "--service", "1", "--rounds", "200")
    code, out, err = run(capsys, "fair", "run", *words)
    assert (code, err) == (0, "")
    assert "no threshold is feasible; 0.3 violates the limits least, by 0." in out
    assert "note: no arm satisfies the constraints" in out
    assert "nan" in out  # there is nothing to measure regret by
    words = own(people, "--grid", "0.3,0.9,4", "--service", "1")
    code, out, err = run(capsys, "fair", "best", *words)
    assert (code, err) == (0, "")
    assert "infeasible, violates least" in out
    assert len(run_json(capsys, "fair", "best", *words)[1]["notes"]) == 1


def test_progress_is_drawn_for_people_only(capsys, monkeypatch):
    plain = run(capsys, "fair", "run", *GERMAN, *SHORT)
    assert plain[2] == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = run(capsys, "fair", "run", *GERMAN, *SHORT)
    assert shown[:2] == plain[:2]
    assert "ofs" in shown[2]


def test_constants_and_what_they_prove(capsys):
    env, limits = threshold_preset("german")
    constants = certify(env)
    code, answer = run_json(capsys, "fair", "certify", *GERMAN, "--rounds", "200000")
    assert code == 0
    assert answer["kappa"] == constants.kappa
    assert answer["diameter"] == constants.diameter
    assert answer["lipschitz"]["gap"] == constants.lipschitz[1]
    assert answer["method"] == "ofs-epochs"
    learner = algorithms.ofs_epochs(env, 20_000, limits, rng=0)
    short = run_json(capsys, "fair", "certify", *GERMAN)[1]
    assert learner.regret[-1] <= learner.certificate_regret <= short["regret"]
    assert learner.violation[-1] <= learner.certificate_violation <= short["violation"]
    out = run(capsys, "fair", "certify", *GERMAN, "--rounds", "1000")[1]
    assert "half of any difference is gone in 10 rounds" in out
    assert "favourable labels in young in [0.541, 0.600]" in out
    assert "a round, which says nothing: 3 is the worst) of reward" in out
    assert "a round, which says nothing: 0.9 is the worst) in sum" in out
    out = run(capsys, "fair", "run", *GERMAN, *SHORT, "--method", "ofs-epochs")[1]
    assert "a round, where 3 is the worst)" in out


def test_an_open_loop_has_the_bounds_of_bandits(capsys):
    words = (*GERMAN, "--feedback", "0")
    code, answer = run_json(capsys, "fair", "certify", *words, "--rounds", "5000")
    env, limits = threshold_preset("german")
    run_ = algorithms.ofs(env.open(), 5000, limits, rng=0)
    assert (code, answer["open_loop"], answer["method"]) == (0, True, "ofs")
    assert run_.certificate_regret <= answer["regret"] * 1.0000001
    assert "nothing moves" in run(capsys, "fair", "certify", *words)[1]
    out = run(capsys, "fair", "certify", *words, "--equal-opportunity", "0.1")[1]
    assert "no formula bounds 20000 rounds of ofs in advance: a limit reads rates" in out


def test_a_loop_that_need_not_forget_is_refused_a_certificate(capsys):
    words = (*GERMAN, "--feedback", "4")
    code, out, err = run(capsys, "fair", "certify", *words)
    assert (code, err) == (1, "")
    assert "no certificate: c1 + c0 is 1.2; expected less than 1" in out
    code, answer = run_json(capsys, "fair", "certify", *words)
    assert (code, answer["certified"]) == (1, False)
    assert "c1 + c0 is 1.2" in answer["reason"]
    assert "c1 + c0 is 1.2" in refused(capsys, "fair", "run", *words, "--method", "ofs-epochs")
    assert run(capsys, "fair", "run", *words, *SHORT)[0] == 0  # without a guarantee


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run",), "expected one of --preset NAME and --csv FILE"),
        (("best", *GERMAN, "--csv", "x.csv"), "expected one of --preset NAME and --csv FILE"),
        (("best", "--preset", "boston"), "--preset boston is unknown; expected one of synthetic"),
        (("best", *GERMAN, "--score", "s"), "--score goes with --csv, not with --preset"),
        (("best", *GERMAN, "--grid", "0,1,5"), "--grid goes with --csv, not with --preset"),
        (("best", *GERMAN, "--every", "2"), "--every goes with --group-thresholds"),
        (("best", *GERMAN, "--eps", "2"), "--eps is 2.0; expected a number in [0, 1]"),
        (("best", *GERMAN, "--feedback", "-1"), "--feedback is -1.0; expected a number in [0"),
        (("best", "--csv", "nothing.csv"), "--csv nothing.csv: no such file"),
        (("best", *GERMAN, "--out", "t.txt"), "--out t.txt: expected a name ending in .csv, .json"),
        (("run", *GERMAN, "--plot", "t.gif"), "--plot t.gif: expected a name ending in .png"),
        (("run", *GERMAN, "--out", "no/where.csv"), "is no folder"),
        (("run", *GERMAN, "--method", "luck"), "'luck' is not one of"),
        (("run", *GERMAN, "--rounds", "0"), "--rounds is 0; expected 1 or more"),
        (("run", *GERMAN, "--rounds", "20"), "horizon is 20; expected at least one round for each"),
        (("run", *GERMAN, "--seeds", "0"), "--seeds is 0; expected 1 or more"),
        (("run", *GERMAN, "--seed", "-1"), "--seed is -1; expected 0 or more"),
        (("run", *GERMAN, "--delta", "1"), "delta is 1.0; expected a number in (0, 1)"),
        (("certify", *GERMAN, "--rounds", "0"), "--rounds is 0"),
    ],
)
def test_bad_words_are_refused(capsys, words, sentence):
    assert sentence in refused(capsys, "fair", *words)


@pytest.mark.parametrize("grid", ["1,2", "0,1,1", "1,0,5", "a,b,c", "0,1,2.5", "0,1,inf"])
def test_a_grid_that_is_none_is_refused(capsys, people, grid):
    said = refused(capsys, "fair", "best", *own(people, "--grid", grid))
    assert f"--grid is '{grid}'; expected LOW,HIGH,N" in said


def test_columns_that_are_not_there_are_refused(capsys, people):
    assert "score" in refused(capsys, "fair", "best", "--csv", people)


def test_without_a_command_the_help_is_shown(capsys):
    code, out, _ = run(capsys, "fair")
    assert code == 2
    assert "which threshold is fair" in out
    code, out, _ = run(capsys, "fair", "run", "--help")
    assert code == 0
    assert "--group-thresholds" in out


def test_a_file_of_percentages_with_semicolons(tmp_path, capsys):
    """Thresholds are meant for scores up to 1; the note says what is wrong, --grid mends it."""
    path = tmp_path / "people.csv"
    rows = [f"{10 * i % 101};{i % 2};{'ab'[i // 2 % 2]}" for i in range(1, 200)]
    path.write_text("score;label;group\n" + "\n".join(rows) + "\n")
    words = ["fair", "best", "--csv", str(path)]
    assert main(words) == 2
    assert "no column 'score'; its header, split at ',', is" in capsys.readouterr().err
    assert main([*words, "--delimiter", ";"]) == 0
    out = capsys.readouterr().out
    assert "% of all: scores lie in [0, 100], thresholds in [0, 1]" in out
    assert main([*words, "--delimiter", ";", "--grid", "0,100,11"]) == 0
    assert "of all: scores lie" not in capsys.readouterr().out


def test_limits_are_named_as_options(capsys):
    for option in ("--eps", "--service", "--equal-opportunity"):
        assert main(["fair", "best", "--preset", "german", option, "2"]) == 2
        assert f"{option} is 2.0; expected a number in [0, 1]" in capsys.readouterr().err


def test_without_limits_no_violation_is_claimed(tmp_path, capsys):
    path = tmp_path / "people.csv"
    rows = [f"{i % 10 / 10},{i // 10 % 2},{'ab'[i // 20 % 2]}" for i in range(200)]
    path.write_text("score,label,group\n" + "\n".join(rows) + "\n")
    words = ["--method", "ofs-epochs", "--rounds", "3000"]
    assert main(["fair", "run", "--csv", str(path), *words]) == 0
    out = capsys.readouterr().out
    assert "violation at most 0, without limits, regret at most" in out
    assert "feasible: every threshold, as there are no limits" in out
