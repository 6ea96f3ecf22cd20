"""The commands as a user types them: what they print, where, and with which exit code."""

import csv
import json

import numpy as np
import pytest

from mdptheory import Discounted, TabularMDP, io
from mdptheory.cli import main


@pytest.fixture
def model(tmp_path):
    """Two named states; staying in the good one earns 1 a step, so v* = (9, 10) at gamma 0.9."""
    P = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
    mdp = TabularMDP.from_dense(
        P, [[0.0, 0.0], [1.0, 0.0]], 0.9,
        state_names=["poor", "rich"], action_names=["stay", "move"],
    )  # fmt: skip
    path = tmp_path / "model.npz"
    io.write(mdp, path)
    return str(path)


def run(capsys, *words):
    """Run a command; return its exit code, stdout and stderr."""
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def run_json(capsys, *words):
    code, out, err = run(capsys, *words, "--json")
    assert err == ""
    assert out.count("\n") == 1
    return code, json.loads(out)


def refused(capsys, *words):
    """Run a command that must be refused; return its sentence."""
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("mdptheory: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_solve_prints_names_values_and_the_certified_error(capsys, model):
    code, out, err = run(capsys, "solve", model)
    assert (code, err) == (0, "")
    assert "The certified error bound is within the tolerance." in out
    assert "discounted, gamma 0.9" in out
    lines = [line.split() for line in out.splitlines() if "(poor)" in line or "(rich)" in line]
    assert [line[-2:] for line in lines] == [["1", "(move)"], ["0", "(stay)"]]
    assert [float(line[2]) for line in lines] == pytest.approx([9, 10], abs=1e-6)


def test_solve_json_has_the_whole_answer(capsys, model):
    code, answer = run_json(capsys, "solve", model, "--tol", "1e-9")
    assert code == 0
    assert answer["objective"] == {"kind": "discounted", "gamma": 0.9}
    assert answer["status"] == "CONVERGED"
    assert answer["error_bound"] <= 1e-9
    assert answer["v"] == pytest.approx([9, 10], abs=1e-9)
    assert answer["policy"] == [1, 0]
    assert answer["state_names"] == ["poor", "rich"]
    assert answer["certificate"] is None


def test_gamma_and_horizon_choose_the_objective(capsys, model):
    _, halved = run_json(capsys, "solve", model, "--gamma", "0.5")
    assert halved["v"] == pytest.approx([1, 2], abs=1e-6)
    _, staged = run_json(capsys, "solve", model, "--horizon", "3")
    assert staged["v"] == [[2, 3], [1, 2], [0, 1], [0, 0]]
    assert staged["objective"]["horizon"] == 3
    _, both = run_json(capsys, "solve", model, "--horizon", "2", "--gamma", "0.5")
    assert both["v"][0] == [0.5, 1.5]


def test_total_reward_of_a_corridor(capsys, tmp_path):
    P = np.zeros((3, 1, 3))
    P[0, 0, 1] = P[1, 0, 2] = P[2, 0, 2] = 1
    path = tmp_path / "corridor.npz"
    io.write(TabularMDP.from_dense(P, [[-1.0], [-1.0], [0.0]], 0.5), path)
    code, answer = run_json(capsys, "solve", str(path), "--total-reward")
    assert code == 0
    assert answer["v"] == pytest.approx([-2, -1, 0])


def test_an_unreachable_tolerance_gives_code_1_and_the_answer(capsys, model):
    code, answer = run_json(capsys, "solve", model, "--tol", "1e-300")
    assert (code, answer["status"]) == (1, "ROUNDING")
    assert answer["v"] == pytest.approx([9, 10])


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_certificate_round_trip(capsys, model, tmp_path, suffix):
    certificate = str(tmp_path / f"c{suffix}")
    code, out, _ = run(capsys, "solve", model, "--certificate", certificate)
    assert code == 0
    assert f"certificate written to {certificate}" in out
    code, verdict = run_json(capsys, "check", certificate, model, "--exact")
    assert (code, verdict["valid"], verdict["exact"]) == (0, True, True)
    assert 0 <= verdict["gap"] <= 2e-6
    code, out, _ = run(capsys, "check", certificate, model)
    assert code == 0
    assert "in floating point" in out


def test_the_certificate_brings_its_own_objective(capsys, model, tmp_path):
    certificate = str(tmp_path / "c.json")
    run(capsys, "solve", model, "--horizon", "4", "--certificate", certificate)
    code, verdict = run_json(capsys, "check", certificate, model, "--exact")
    assert code == 0
    assert verdict["objective"]["kind"] == "finite_horizon"


def test_a_certificate_for_another_model_fails_with_code_1(capsys, model, tmp_path):
    certificate, other = str(tmp_path / "c.json"), str(tmp_path / "other.npz")
    run(capsys, "solve", model, "--certificate", certificate)
    P = [[[1.0, 0.0]], [[1.0, 0.0]]]
    io.write(TabularMDP.from_dense(P, [[0.0], [1.0]], 0.9), other)
    code, out, err = run(capsys, "check", certificate, other)
    assert (code, out) == (1, "")
    assert err.startswith("mdptheory: ")
    assert err.count("\n") == 1
    code = main(["check", certificate, other, "--json"])
    said = capsys.readouterr()
    verdict = json.loads(said.out)
    assert (code, verdict["valid"]) == (1, False)
    assert verdict["reason"] in said.err


def test_a_tampered_certificate_fails_with_code_1(capsys, model, tmp_path):
    path = tmp_path / "c.json"
    run(capsys, "solve", model, "--certificate", str(path))
    claim = io.read_certificate(path)
    tampered = type(claim)(claim.objective, claim.lower + 0.5, claim.upper + 0.5, claim.policy)
    io.write_certificate(tampered, path)
    assert run(capsys, "check", str(path), model, "--exact")[0] == 1


@pytest.mark.parametrize("option", ["--out", "--policy-out"])
def test_policy_as_csv(capsys, model, tmp_path, option):
    path = tmp_path / "policy.csv"
    run(capsys, "solve", model, option, str(path))
    with path.open(newline="") as file:
        records = list(csv.DictReader(file))
    assert [r["state_name"] for r in records] == ["poor", "rich"]
    assert [r["action_name"] for r in records] == ["move", "stay"]
    assert [float(r["value"]) for r in records] == pytest.approx([9, 10], abs=1e-6)


def test_policy_as_json_and_npz(capsys, model, tmp_path):
    run(capsys, "solve", model, "--horizon", "2", "--out", str(tmp_path / "p.json"))
    records = json.loads((tmp_path / "p.json").read_text())
    assert [(r["stage"], r["state"]) for r in records] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    run(capsys, "solve", model, "--out", str(tmp_path / "p.npz"))
    with np.load(tmp_path / "p.npz") as saved:
        assert saved["policy"].tolist() == [1, 0]


def test_info_shows_structure(capsys, model, tmp_path):
    code, out, _ = run(capsys, "info", model)
    assert code == 0
    assert "communicating (every state can be reached from every other)" in out
    code, fields = run_json(capsys, "info", model)
    assert (fields["states"], fields["rows"], fields["transitions"]) == (2, 4, 4)
    assert (fields["reward_min"], fields["reward_max"]) == (0, 1)
    assert (fields["components"], fields["diameter"]) == (1, 1)
    assert fields["expected_diameter"] == pytest.approx(1)
    assert fields["absorbing"] == []


def test_info_tells_the_expected_diameter_from_the_luckiest(capsys):
    _, out, _ = run(capsys, "info", "env:riverswim_classic")
    assert "5 steps at best, 14.7223 expected" in out
    _, out, _ = run(capsys, "info", "env:riverswim_chain")
    assert out.splitlines()[-1].endswith("99 steps at best")
    code, fields = run_json(capsys, "info", "env:gamblers_ruin")
    assert (code, fields["diameter"], fields["expected_diameter"]) == (0, None, None)


def test_info_lists_absorbing_states_by_name(capsys):
    code, out, _ = run(capsys, "info", "env:gamblers_ruin")
    assert code == 0
    absorbing = next(line for line in out.splitlines() if "absorbing" in line)
    assert "none" not in absorbing


def test_environments_solve(capsys):
    code, answer = run_json(capsys, "solve", "env:riverswim", "--gamma", "0.5")
    assert (code, len(answer["v"])) == (0, 6)
    assert answer["objective"] == {"kind": "discounted", "gamma": 0.5}


def test_gymnasium_solve_and_exact_check(capsys, tmp_path):
    pytest.importorskip("gymnasium")
    certificate = str(tmp_path / "c.json")
    name = "gym:FrozenLake-v1"
    code, out, _ = run(capsys, "solve", name, "--gamma", "0.95", "--certificate", certificate)
    assert code == 0
    assert "gamma 0.95" in out
    code, verdict = run_json(capsys, "check", certificate, name, "--exact")
    assert (code, verdict["valid"]) == (0, True)
    assert verdict["objective"]["gamma"] == 0.95


def test_convert_keeps_the_model(capsys, model, tmp_path):
    target = tmp_path / "model.csv"
    code, out, _ = run(capsys, "convert", model, str(target))
    assert code == 0
    assert "2 states, 4 transitions" in out
    again = io.read(target, objective=Discounted(0.9))
    P, r = again.to_dense()
    P0, r0 = io.read(model).to_dense()
    assert np.array_equal(P, P0)
    assert np.array_equal(r, r0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["solve"], "Missing argument 'SOURCE'"),
        (["solv", "x"], "No such command 'solv'"),
        (["solve", "absent.npz"], "absent.npz: no such file; expected a file, gym:NAME or env:"),
        (["solve", "env:nowhere"], "env:nowhere is unknown; expected one of"),
        (["info", "env:riverswim", "--gamma", "1.5"], "gamma is 1.5; expected a number in [0, 1)"),
        (["info", "env:riverswim", "--gamma", "x"], "Invalid value for '--gamma'"),
        (["solve", "env:riverswim", "--horizon", "0"], "horizon is 0; expected an integer"),
        (["solve", "env:riverswim", "--tol", "-1"], "tol is -1"),
        (["solve", "env:riverswim", "--total-reward"], "no state is absorbing"),
        (["info", "env:riverswim", "--total-reward", "--gamma", "0.5"], "--total-reward goes"),
        (["solve", "env:riverswim", "--out", "p.xls"], "--out p.xls: expected a name ending in"),
        (["solve", "env:riverswim", "--certificate", "c.txt"], "expected a name ending in .json"),
        (["solve", "env:riverswim", "--certificate", "no/c.json"], "no is no folder"),
        (["check", "absent.json", "env:riverswim"], "absent.json"),
    ],
)
def test_bad_usage_is_one_sentence_on_stderr_with_code_2(capsys, words, sentence):
    assert sentence in refused(capsys, *words)


def test_hostile_and_long_names_are_shown_not_obeyed(capsys, tmp_path):
    names = ["\x1b[2J[red]", "long " * 40]
    mdp = TabularMDP.from_dense(
        [[[1.0, 0.0]], [[0.0, 1.0]]], [[0.0], [1.25]], 0.5, state_names=names
    )
    path = tmp_path / "names.npz"
    io.write(mdp, path)
    for command in ("solve", "info"):
        code, out, _ = run(capsys, command, str(path))
        assert (code, "\x1b" in out) == (0, False)
        assert "\\x1b[2J[red]" in out
    shown = run(capsys, "solve", str(path))[1]
    assert any(word.startswith(("2.5", "2.4999", "2.5000")) for word in shown.split())


def test_bounds_are_rounded_up():
    from mdptheory.cli.report import rounded_up

    shown = [rounded_up(x) for x in (0.0, 1.0, 1.0001, 9.991e-12, 123456.0, float("inf"))]
    assert shown == ["0", "1", "1.01", "1e-11", "1.24e+05", "inf"]


def test_a_check_that_rounding_leaves_open_fails_and_points_to_exact(capsys, monkeypatch, model):
    from mdptheory import certificates

    certificate = model.replace("model.npz", "c.json")
    run(capsys, "solve", model, "--certificate", certificate)
    verified = certificates.Verified(gap=0.1, exact=False, checked_rows=4, tolerance=float("inf"))
    monkeypatch.setattr(certificates, "check", lambda *_, **__: verified)
    code, out, err = run(capsys, "check", certificate, model)
    assert (code, out) == (1, "")
    assert "--exact decides" in err


def test_a_broken_file_is_one_sentence(capsys, tmp_path):
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    assert "broken.npz" in refused(capsys, "solve", str(path))
    assert "broken.npz" in refused(capsys, "info", str(path))


def test_a_folder_is_no_model(capsys, tmp_path):
    refused(capsys, "solve", str(tmp_path))


def test_version_and_help(capsys):
    from mdptheory import __version__

    assert run(capsys, "--version") == (0, f"mdptheory {__version__}\n", "")
    code, out, _ = run(capsys)
    assert code == 2
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for word in ("solve", "check", "info", "convert", "Exit codes", "130"):
        assert word in out
