"""Robust planners from end to end at a tiny size, sweeps counted; no time is asserted."""

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import report, robust, robust_cases, robust_planners, robust_report, robust_sweeps
from benchmarks.robust_cases import FLOOR
from mdptheory import environments

PLAN = robust_planners.Plan(rounds=1, turn=0.0, threads=(1,))


@pytest.mark.parametrize("name", ["l1-200", "s-l1-288"])
def test_a_case_from_end_to_end(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(robust_planners, "PLANNERS", ("rcpi", "robust_value_iteration"))
    case = robust_cases.BY_NAME[name]
    row = robust_planners.run_case(case, 0.95, PLAN, quick=True)
    assert row["reference_radius"] <= 1e-7
    for result in row["results"]:
        assert "failure" not in result
        assert result["reached"]
        assert result["error"] <= result["bound"] + row["reference_radius"]
        if result["contender"] != FLOOR:
            assert result["gap"] <= 2.0 * result["bound"] + 1e-8
            assert result["status"] == "CONVERGED"
    assert (row["results"][0]["contender"] == FLOOR) == case.plain
    measured = {"command": "c", "machine": report.machine(), "planners": [row]}
    text = robust_report.markdown(measured)
    assert f"### {row['about']}, gamma 0.95" in text
    assert ("slides of HPW" in text) == (name == "s-l1-288")
    assert ("craam2 / our best" in text) == case.plain


def result(name: str, best: float, **more: object) -> dict[str, object]:
    return {"contender": name, "threads": 1, "best": best, "reached": True} | more


def test_the_outside_figure_is_implied_by_right_answers_only():
    row = {
        "case": "l1-200", "about": "x", "gamma": 0.95, "outside": 2.5,
        "results": [
            result(FLOOR, 4.0),
            result("wrong", 0.1, reached=False),
            result("right", 2.0),
            result("right", 1.0, threads=2),
        ],
    }  # fmt: skip
    assert robust_report.outside(row) == 5.0
    assert "5.00x **missed**" in robust_report.floors([row])
    row["outside"] = 25.0
    assert "50.00x met" in robust_report.floors([row])
    row["outside"] = None
    assert robust_report.outside(row) is None
    row["results"] = row["results"][1:]
    assert robust_report.outside(row | {"outside": 2.5}) is None


def test_sweeps_are_counted_with_those_taken_back():
    case = robust_cases.BY_NAME["machine10"]
    mdp = environments.machine_replacement(gamma=0.9)
    make, limit = robust_sweeps.STEPS["robust_value_iteration"]
    found = robust_sweeps.trace(mdp, case, make(), limit)
    assert found["span"]["greedy"] == found["span"]["work"] < found["plain"]["greedy"]
    (line,) = robust_sweeps.measure(("machine10",), quick=True)
    assert line["counts"]["robust_value_iteration"] == found
    assert all(set(counts) == {"plain", "span"} for counts in line["counts"].values())
    assert "| yes |" in robust_report.sweep_counts([line])
    assert robust_sweeps.trace(mdp, case, make(), 2) == {}


def test_the_order_is_read_off_the_plain_stop():
    counts = {
        name: {"plain": {"greedy": n}}
        for name, n in zip(robust_sweeps.ORDER, (2, 2, 9), strict=True)
    }
    assert robust_sweeps.ordered(counts) is True
    counts["rcpi"] = {"plain": {"greedy": 3}}
    assert robust_sweeps.ordered(counts) is False
    counts["rcpi"] = {}
    assert robust_sweeps.ordered(counts) is None


def test_cases_are_chosen_by_name_and_discount():
    pairs, parts = robust.chosen(["l1-1e3@0.99", "machine10", "sweeps"])
    assert [(case.name, g) for case, g in pairs] == [("l1-1e3", 0.99), ("machine10", 0.9)]
    assert parts == {"sweeps"}
    everything, parts = robust.chosen(None)
    assert len(everything) == 11
    assert parts == {"operators", "sweeps"}
    with pytest.raises(SystemExit, match=r"--rows nothing: expected one of l1-200, .*, sweeps"):
        robust.chosen(["nothing"])
    with pytest.raises(SystemExit, match="--only L3: expected one of L1; "):
        robust.sets(["L3"])


def test_quick_cases_are_small():
    for case in robust_cases.CASES:
        found, gamma, quick = robust_cases.find(f"{case.name}@0.9@quick")
        assert (found, gamma, quick) == (case, 0.9, True)
        assert case.make(True, 0.9).n_transitions <= 200_000
    assert not robust_cases.find("l1-200@0.9")[2]


def test_files_hold_what_is_measured_so_far(tmp_path: Path):
    options = argparse.Namespace(out=tmp_path / "r.md", json=tmp_path / "r.json")
    measured = {"command": "c", "machine": report.machine(), "planners": [], "failures": ["x"]}
    robust.deliver(options, measured)
    assert "Not measured: x." in options.out.read_text()
    assert json.loads(options.json.read_text())["failures"] == ["x"]
