"""Every example runs, quickly, in an empty folder, and says what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SAYS = {
    "compare_planners.py": ("modified_policy_iteration, gamma 0.999", "45 of 45 cells computed"),
    "credit_desk.py": ("settled: 0.30, earns 0.1690", "breaks a limit by 0.0129", "primal-dual: "),
    "files_and_structure.py": ("river.tra", "3 components, 2 of them closed"),
    "finite_horizon.py": ("v has shape (21, 6)", "in every state: True"),
    "frozen_lake.py": ("SFFFFFFF", "from the start: 0.414640"),
    "iwocs_windy_walk.py": ("worst wind for policy 0: 0.500", "*###*.", "hull, a wind for each"),
    "offline_robust.py": ("it earns 0.821 or more against", "1.00: robust 1.102, PEVI 0.612"),
    "own_theorem.py": ("0 violations in 200 conclusive cases", "was caught at case"),
    "robust_river.py": ("15 strokes seen: 3 back", "robust, radius 0.2"),
    "shortest_path.py": ("expected steps", "the policy reaches the door for sure"),
    "solve_and_certify.py": ("2 (broken)   worth  139.6529: 1 (replace)", "proved: "),
}
NEEDS = {"frozen_lake.py": "gymnasium"}


def run(name, folder, *words):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *words],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_list_is_complete():
    assert len(SAYS) >= 6
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_example_runs(name, tmp_path):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    out = run(name, tmp_path)
    for words in SAYS[name]:
        assert words in out


@pytest.mark.parametrize("name", sorted(SAYS))
def test_example_is_short_and_introduces_itself(name):
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert text.startswith('"""')


def test_a_finished_grid_is_not_computed_again(tmp_path):
    assert "45 of 45 cells computed" in run("compare_planners.py", tmp_path, "here")
    again = run("compare_planners.py", tmp_path, "here")
    assert "0 of 45 cells computed" in again
