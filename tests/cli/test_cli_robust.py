"""The command that solves against nature: what it prints, writes and refuses."""

import csv

import numpy as np
import pytest
from test_cli_commands import refused, run, run_json

from mdptheory import L1Ball, environments, evaluate_robust, io, robust_solve


def test_robust_prints_both_values_and_what_nature_may_do(capsys):
    code, out, err = run(
        capsys, "robust", "env:machine_replacement", "--set", "l1", "--radius", "0.2"
    )
    assert (code, err) == (0, "")
    assert "nature: l1 set of 0.2 for each pair, support nominal" in out
    assert "The certified error bound is within the tolerance." in out
    assert "robust value" in out
    assert "nominal value" in out
    first = next(line.split() for line in out.splitlines() if line.split()[:1] == ["0"])
    robust, nominal = (float(number) for number in first[-4:-2])
    assert robust == pytest.approx(-9.27599853, abs=1e-6)
    assert nominal == pytest.approx(-5.33829670, abs=1e-6)


def test_robust_json_has_the_whole_answer(capsys):
    words = ("robust", "env:riverswim", "--set", "kl", "--radius", "0.05", "--tol", "1e-8")
    code, answer = run_json(capsys, *words)
    assert code == 0
    assert answer["v"][0] == pytest.approx(101.46112359, abs=1e-7)
    assert answer["nominal_v"][0] == pytest.approx(1530.96399823, abs=1e-6)
    assert (answer["set"], answer["radius"], answer["rect"]) == ("kl", 0.05, "sa")
    assert answer["policy"] == [1] * 6


def test_a_shared_budget_gives_a_random_policy_and_an_exact_proof(capsys, tmp_path):
    proof, policy = tmp_path / "r.json", tmp_path / "p.csv"
    code, out, _ = run(
        capsys, "robust", "env:machine_replacement", "--set", "l1", "--radius", "0.4",
        "--rect", "s", "--certificate", str(proof), "--out", str(policy),
    )  # fmt: skip
    assert code == 0
    assert "for each state" in out
    assert f"certificate written to {proof}" in out
    code, out, _ = run(capsys, "check", str(proof), "env:machine_replacement", "--exact")
    assert code == 0
    assert "in exact rational arithmetic: lower <= v* against nature (L1Ball) <= upper" in out
    rows = list(csv.DictReader(policy.read_text(encoding="utf-8").splitlines()))
    chance = {(int(r["state"]), int(r["action"])): float(r["probability"]) for r in rows}
    assert chance[3, 1] == pytest.approx(0.1016, abs=1e-3)
    assert chance[3, 0] + chance[3, 1] == pytest.approx(1.0)


def test_rewards_of_new_successors_are_asked_for(capsys):
    words = ("robust", "env:riverswim", "--set", "l1", "--radius", "0.2", "--support", "all")
    assert "transition_reward[0, 0, 1] is not defined" in refused(capsys, *words)
    code, answer = run_json(capsys, *words, "--new-reward", "0")
    assert code == 0
    assert answer["v"][0] == pytest.approx(113.08737546, abs=1e-5)


def test_a_finite_horizon_against_nature(capsys):
    code, answer = run_json(
        capsys, "robust", "env:healthcare", "--set", "cvar", "--radius", "0.5", "--horizon", "3"
    )
    assert code == 0
    assert np.shape(answer["policy"]) == (3, 20)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--set", "kl", "--radius", "0.1", "--support", "all"), "stays on the nominal successors"),
        (("--set", "linf", "--radius", "0.1", "--rect", "s"), "--rect s goes with l1, kl, burg"),
        (("--set", "l1", "--radius", "-0.1"), "radius is -0.1; expected a number in [0, inf"),
        (("--set", "cvar", "--radius", "0"), "alpha is 0.0; expected a number in (0, 1]"),
        (("--set", "l3", "--radius", "0.1"), "'l3' is not one of"),
        (("--set", "l1"), "--radius"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(capsys, words, sentence):
    assert sentence in refused(capsys, "robust", "env:healthcare", *words)


def test_a_forged_certificate_is_refused(capsys, tmp_path):
    import dataclasses

    mdp = environments.healthcare()
    claim = robust_solve(mdp, L1Ball(0.2, "nominal")).certificate
    path = tmp_path / "c.npz"
    io.write_certificate(
        dataclasses.replace(claim, lower=claim.lower + 1.0, upper=claim.upper + 1.0), path
    )
    code, _, err = run(capsys, "check", str(path), "env:healthcare")
    assert code == 1
    assert "lower[0] is" in err


def test_a_certificate_about_one_policy_says_so(capsys, tmp_path):
    mdp = environments.healthcare()
    path = tmp_path / "c.json"
    proof = evaluate_robust(mdp, L1Ball(0.2, "nominal"), np.zeros(20, dtype=int)).certificate
    io.write_certificate(proof, path)
    code, out, _ = run(capsys, "check", str(path), "env:healthcare", "--exact")
    assert code == 0
    assert "lower <= the policy's value against nature (L1Ball) <= upper" in out
