"""The commands about data: what they learn, print, write, verify and refuse."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from test_cli_commands import refused, run, run_json

from mdptheory import io
from mdptheory.algorithms import OfflineOptions, drpvi, r2pvi
from mdptheory.environments import collect, simulated_linear_mdp
from mdptheory.models import ChiSquarePenalty, KLPenalty, TVBall, TVPenalty

TV = ("--kind", "tv", "--lam", "1.0")
SETS = {
    "tv": TVPenalty(1.0), "kl": KLPenalty(1.0), "chi2": ChiSquarePenalty(1.0),
    "tv-ball": TVBall(0.2),
}  # fmt: skip


@pytest.fixture(scope="module")
def mdp():
    return simulated_linear_mdp(0.3)


@pytest.fixture(scope="module")
def data(mdp):
    return collect(mdp, None, 20_000, rng=1)


@pytest.fixture(scope="module")
def source(mdp, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "episodes.npz"
    io.write_offline(path, data, mdp.known)
    return str(path)


def test_a_policy_and_what_its_value_means(capsys, source):
    code, out, err = run(capsys, "offline-robust", source, *TV)
    assert (code, err) == (0, "")
    assert "20000 episodes of 3 steps; 5 states, 16 actions, 4 factors" in out
    assert "nature: tv, price 1 for each factor and step" in out
    assert "pessimistic value at the start: 0.983808" in out
    assert "an estimate: only --beta theory proves how far it may be off" in out
    assert ["1", "0.1785158852", "15", "15", "15"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("beta", ["0.5", "theory"])
def test_json_has_the_learners_own_numbers(capsys, source, mdp, data, kind, beta):
    level = ("--radius", "0.2") if kind == "tv-ball" else ("--lam", "1.0")
    words = ("--beta", beta, "--ridge", "0.5", "--delta", "0.2")
    code, answer = run_json(capsys, "offline-robust", source, "--kind", kind, *level, *words)
    options = OfflineOptions(
        beta="theory" if beta == "theory" else float(beta), ridge=0.5, delta=0.2,
        kl_shift=beta == "theory",
    )  # fmt: skip
    learner = drpvi if kind == "tv-ball" else r2pvi
    fit = learner(data, mdp.known, SETS[kind], options=options)
    assert code == 0
    np.testing.assert_array_equal(answer["v"], fit.v)
    np.testing.assert_array_equal(answer["policy"], fit.policy)
    assert answer["value"] == fit.v[0, 0]
    assert answer["certified"] is (beta == "theory")
    assert answer["gap"] == (fit.certificate.gap if beta == "theory" else None)
    assert answer["notes"] == []


@pytest.mark.parametrize("name", ["c.json", "c.npz"])
def test_a_claim_is_written_and_verified(capsys, source, tmp_path, name):
    claim, out_file = str(tmp_path / name), str(tmp_path / "p.csv")
    words = ("--beta", "theory", "--certificate", claim, "--out", out_file)
    code, out, _ = run(capsys, "offline-robust", source, *TV, *words)
    assert code == 0
    assert "with probability at least 0.9 over the episodes, the policy earns at least 0." in out
    assert f"certificate written to {claim}" in out
    assert f"values and policy written to {out_file}" in out
    code, out, err = run(capsys, "check", claim, source)
    assert (code, err) == (0, "")
    assert "proves for the 20000 episodes" in out
    assert "independent, of one linear MDP with these features and rewards" in out
    assert "against nature (TVPenalty) from the start and loses at most 0.2" in out
    code, verdict = run_json(capsys, "check", claim, source)
    assert (code, verdict["valid"], verdict["delta"]) == (0, True, 0.1)
    assert verdict["gap"] == verdict["upper"] - verdict["lower"]
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 15
    assert float(rows[0]["value"]) == verdict["lower"]


def test_few_episodes_prove_little_and_it_says_so(capsys, mdp, tmp_path):
    path = tmp_path / "few.npz"
    io.write_offline(path, collect(mdp, None, 5, rng=0), mdp.known)
    code, out, _ = run(capsys, "offline-robust", str(path), *TV, "--beta", "theory")
    assert code == 0
    assert "that is little: more episodes" in out


def test_warnings_become_notes(capsys, tmp_path):
    from mdptheory.models import KnownModel, OfflineData

    known = KnownModel(np.eye(2)[None].repeat(2, axis=0), [[0.5, 0.5]] * 2)
    io.write_offline(tmp_path / "d.npz", OfflineData([[0, 1, 0]], [[0, 0]]), known)
    code, out, err = run(capsys, "offline-robust", str(tmp_path / "d.npz"), *TV)
    assert (code, err) == (0, "")
    assert "note: 1 pairs of step and factor have no data" in out
    _, answer = run_json(capsys, "offline-robust", str(tmp_path / "d.npz"), *TV)
    assert len(answer["notes"]) == 1


def test_steep_kl_estimates_are_said_to_be_worth_little(capsys, source):
    """Less one standard error they were too high in 18 of 40 data sets at --lam 0.1."""
    words = ("offline-robust", source, "--kind", "kl", "--lam")
    assert "exp(20): the value may be far too high" in run(capsys, *words, "0.1")[1]
    assert "too high" not in run(capsys, *words, "1.0")[1]
    assert "too high" not in run(capsys, *words, "0.1", "--beta", "theory")[1]


def test_a_forged_claim_fails_with_the_place(capsys, source, mdp, data, tmp_path):
    options = OfflineOptions(beta="theory")
    claim = r2pvi(data, mdp.known, TVPenalty(1.0), options=options).certificate
    path = str(tmp_path / "c.json")
    io.write_certificate(dataclasses.replace(claim, delta=1e-6), path)
    code, out, err = run(capsys, "check", path, source)
    assert (code, out) == (1, "")
    assert "beta[1, 0] is" in err
    assert len(err.splitlines()) == 1
    code, out, _ = run(capsys, "check", path, source, "--json")
    verdict = json.loads(out)
    assert (code, verdict["valid"]) == (1, False)
    assert "the proof needs at least" in verdict["reason"]
    assert "logarithms" in refused(capsys, "check", path, source, "--exact")
    assert "nothing.npz: no such file" in refused(capsys, "check", path, "nothing.npz")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--kind", "tv"), "--kind tv needs --lam"),
        (("--kind", "tv-ball"), "--kind tv-ball needs --radius"),
        ((*TV, "--radius", "0.1"), "--kind tv goes with --lam, not with --radius"),
        (("--kind", "tv-ball", "--lam", "1"), "--kind tv-ball goes with --radius, not with --lam"),
        (("--kind", "tv", "--lam", "0"), "weight is 0.0; expected a number in (0, inf]"),
        (("--kind", "tv-ball", "--radius", "1.5"), "radius is 1.5; expected a number in [0, 1]"),
        (("--kind", "l1", "--lam", "1"), "'l1' is not one of"),
        ((*TV, "--beta", "much"), "--beta is 'much'; expected a number or theory"),
        ((*TV, "--beta", "-1"), "beta is -1"),
        ((*TV, "--ridge", "0"), "ridge is 0.0; expected a number in (0, inf)"),
        ((*TV, "--beta", "theory", "--delta", "1"), "delta is 1.0"),
        ((*TV, "--certificate", "c.json"), "--certificate needs --beta theory"),
        ((*TV, "--certificate", "c.txt", "--beta", "theory"), "expected a name ending in .json"),
        ((*TV, "--out", "p.txt"), "--out p.txt: expected a name ending in .csv"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(capsys, source, words, sentence):
    assert sentence in refused(capsys, "offline-robust", source, *words)


def test_files_of_another_kind_are_refused(capsys, source, tmp_path):
    assert "no such file" in refused(capsys, "offline-robust", "env:riverswim", *TV)
    model = str(tmp_path / "m.npz")
    assert run(capsys, "convert", "env:riverswim", model)[0] == 0
    assert "unknown entry" in refused(capsys, "offline-robust", model, *TV)
    assert "unknown entry" in refused(capsys, "solve", source)
