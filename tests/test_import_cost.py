"""``import mdptheory`` stays light: no optional package, at most twice the price of Numba."""

import statistics
import subprocess
import sys

import pytest

import mdptheory

HEAVY = (
    "cvxpy", "matplotlib", "hypothesis", "pandas", "gymnasium", "dask", "networkx", "joblib",
    "typer", "rich", "cma", "umbi", "fairlearn", "sklearn", "scipy.sparse", "scipy.optimize",
)  # fmt: skip
ROUNDS = 5
WATCH = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def python(script: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()


def seconds(module: str) -> float:
    return float(python(WATCH.format(module)))


def loaded(module: str) -> set[str]:
    return set(python(f"import sys, {module}; print(' '.join(sys.modules))").split())


def test_import_loads_no_heavy_package():
    assert "mdptheory.solvers" in loaded("mdptheory")
    for module in ("mdptheory", "mdptheory.metrics"):
        assert sorted(set(HEAVY) & loaded(module) - loaded("numba")) == []


def test_rooms_are_imported_when_asked_for():
    rooms = ("certificates", "environments", "io")
    for room in rooms:
        names = loaded("mdptheory")
        assert not any(name.startswith(f"mdptheory.{room}") for name in names)
        assert python(f"import mdptheory; print(mdptheory.{room}.__name__)") == f"mdptheory.{room}"
        assert python(f"import mdptheory; print('{room}' in dir(mdptheory))") == "True"
    with pytest.raises(AttributeError, match="module 'mdptheory' has no attribute 'nothing'"):
        mdptheory.nothing  # noqa: B018  the access is what is tested


def test_import_costs_at_most_twice_numba():
    """Compare neighbours in time, so that a busy machine slows both; repeat before failing."""
    seconds("mdptheory")  # byte code and disk cache
    ratios = []
    for _ in range(3 * ROUNDS):
        ratios.append(seconds("mdptheory") / seconds("numba"))
        if len(ratios) >= ROUNDS and statistics.median(ratios) <= 2:
            return
    raise AssertionError(f"import mdptheory / import numba = {statistics.median(ratios):.2f}")
