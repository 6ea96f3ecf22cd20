"""The table's machinery at a tiny size, without peers; no time is asserted."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import planning, problems, report
from benchmarks.__main__ import chosen
from benchmarks.contenders import BY_NAME, Contender
from benchmarks.crew import LostError, Member
from benchmarks.levers import LEVERS, compare
from benchmarks.planning import Heat, Plan

PLAN = Plan(rounds=1, turn=0.0, patience=120.0, threads=(1,))
ROW = problems.Row(
    "tiny", "tiny", lambda g: problems.garnet(30, 3, 4, g), lambda g: problems.garnet(9, 2, 3, g)
)


def test_a_row_from_end_to_end():
    crew = (BY_NAME["solve"], BY_NAME["value_iteration"])
    row = planning.run_row(ROW, 0.9, PLAN, quick=False, contenders=crew)
    assert row["n_states"] == 30
    assert row["reference_radius"] <= planning.REFERENCE_RADIUS
    assert "certificate checked" in row["reference"]
    for result in row["results"]:
        assert "failure" not in result
        assert result["reached"]
        assert result["error"] <= result["bound"] + row["reference_radius"]
        assert result["status"] == "CONVERGED"
        assert {"best", "median", "load_seconds", "peak_bytes"} <= set(result)
    assert set(row["limits"]["1"]) == {"sweep", "stream", "gather", "ratio"}
    measured = {"command": "c", "machine": report.machine(), "rows": [row]}
    text = report.markdown(measured)
    assert "| tiny | 0.9 |" in text
    assert "value_iteration" in text


class Liar:
    """Answers like a process whose solver only heeds tolerances below 1e-8."""

    def __init__(self, contender: Contender, truth: np.ndarray) -> None:
        self.contender, self.truth, self.off = contender, truth, 0.0

    def ask(self, verb: str, **order: object) -> dict[str, object]:
        if verb == "load":
            setting = order["setting"]
            self.off = 0.0 if isinstance(setting, float) and setting <= 1e-8 else 0.5
            return {"load_seconds": 0.1}
        if verb == "time":
            return {"seconds": [0.02]}
        np.save(str(order["out"]), self.truth + self.off)
        return {"seconds": 0.01, "peak_bytes": 0}


@pytest.fixture
def heat(tmp_path: Path) -> Heat:
    heat = Heat.__new__(Heat)
    heat.problem = problems.tiny()[0]
    heat.folder, heat.plan, heat.results, heat.racing = tmp_path, PLAN, [], []
    heat.patience = PLAN.patience
    heat.truth = planning.truth.refine(heat.problem, np.zeros(40), radius=1e-9)
    return heat


def test_the_loosest_honest_setting_is_taken(heat: Heat):
    liar = Liar(BY_NAME["quantecon vi"], heat.truth.middle)
    result: dict[str, object] = {"reached": False}
    heat.default(liar, result)  # type: ignore[arg-type]
    assert result["default_error"] == pytest.approx(0.5)
    assert heat.climb(liar, result)  # type: ignore[arg-type]
    assert result["setting"] == 1e-8
    assert report.error_text(0.5) == "**5.0e-01**"
    assert report.error_text(1e-7) == "1.0e-07"


def test_defaults_race_where_they_are_right_and_no_slower(heat: Heat):
    liar = Liar(BY_NAME["quantecon vi"], heat.truth.middle)
    wrong: dict[str, object] = {"reached": False, "default_error": 0.5}
    heat.tune(liar, wrong)  # type: ignore[arg-type]
    assert wrong["setting"] == 1e-8
    right: dict[str, object] = {"reached": False, "default_error": 1e-9}
    heat.tune(liar, right)  # type: ignore[arg-type]
    assert (right["setting"], right["error"], right["seconds"]) == (None, 1e-9, [0.02])


def test_trying_ends_with_patience(heat: Heat):
    heat.patience = 0.0
    liar = Liar(BY_NAME["quantecon vi"], heat.truth.middle)
    result: dict[str, object] = {"reached": False}
    assert not heat.climb(liar, result)  # type: ignore[arg-type]
    assert "of trying" in str(result["failure"])


def test_a_silent_process_is_given_up(tmp_path: Path):
    problems.tiny()[0].save(tmp_path / "p.npz")
    with pytest.raises(LostError, match="no answer to 'start'"):
        Member(BY_NAME["solve"], tmp_path / "p.npz", threads=1, patience=0.0)


def test_a_process_that_fails_says_why(tmp_path: Path):
    problems.tiny()[0].save(tmp_path / "p.npz")
    with pytest.raises(LostError, match="FileNotFoundError"):
        Member(BY_NAME["solve"], tmp_path / "absent.npz", threads=1, patience=60.0)
    member = Member(BY_NAME["solve"], tmp_path / "p.npz", threads=1, patience=60.0)
    member.process.kill()
    member.process.wait()
    with pytest.raises(LostError, match="process ended with code -9"):
        member.ask("warm")
    member.dismiss()


def result(name: str, best: float, **more: object) -> dict[str, object]:
    base = {"contender": name, "ours": False, "threads": 1, "best": best, "reached": True}
    return base | more


def test_ratios_count_only_peers_that_are_right():
    row = {
        "results": [
            result("solve", 2.0, ours=True),
            result("solve", 1.0, ours=True, threads=2),
            result("wrong", 0.1, reached=False),
            result("right", 6.0),
            result("right", 4.0, threads=2),
        ]
    }
    assert report.fastest_peer(row, 1)["best"] == 6.0
    assert report.ratio(row, 1) == 3.0
    assert report.ratio(row, 2) == 4.0
    assert report.ratio({"results": row["results"][:3]}, 1) is None


def test_slopes_of_a_power_law():
    points = [
        {"n_transitions": n, "solve": n**1.5, "sweep": 2.0 * n, "stream": n**0.5, "gather": 0.1}
        for n in (10, 100, 1000)
    ]
    found = planning.slopes(points)
    assert found["solve_slope"] == pytest.approx(1.5)
    assert found["sweep_slope"] == pytest.approx(1.0)
    assert found["limit_slope"] == pytest.approx(0.5)
    assert planning.slopes(points[:1]) == {}


def test_rows_are_chosen_by_name_and_discount():
    assert [(r.name, g) for r, g in chosen(["grid-100@0.99", "garnet-1e6"])] == [
        ("grid-100", 0.99),
        ("garnet-1e6", 0.95),
    ]
    assert len(chosen(None)) == 19
    assert len(chosen(None, full=True)) == 21
    assert chosen(["scaling"]) == []
    with pytest.raises(SystemExit, match=r"--rows nothing: expected one of garnet-1e3"):
        chosen(["nothing"])


def test_durations_have_fitting_units():
    texts = [report.duration(x) for x in (1.5, 2e-3, 3.14159e-6, 5e-9, float("inf"), None)]
    assert texts == ["1.5 s", "2 ms", "3.14 µs", "5 ns", "–", "–"]


def test_levers_are_compared_on_certified_answers():
    from benchmarks.contenders import load_ours

    found = compare(load_ours(problems.tiny()[0]), LEVERS, rounds=1)
    assert [f["lever"] for f in found] == list(LEVERS)
    assert all(float(f["bound"]) <= 1e-6 for f in found)
    assert found[0]["ratio"] == 1.0
