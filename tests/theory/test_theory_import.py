"""The engine is light to import, and its public names are what it exports."""

import subprocess
import sys

from mdptheory import theory

HEAVY = ("hypothesis", "scipy.stats", "joblib", "rich", "typer", "cma", "matplotlib", "cvxpy")


def test_import_loads_nothing_heavy():
    code = (
        f"import sys; from mdptheory import theory; print([m for m in {HEAVY} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_exports_exist():
    assert len(set(theory.__all__)) == len(theory.__all__)
    assert all(hasattr(theory, name) for name in theory.__all__)
