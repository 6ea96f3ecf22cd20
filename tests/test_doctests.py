"""The examples in the docstrings give what they show, to the digits that they show."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*words, cwd=ROOT):
    command = [sys.executable, "-m", "pytest", "--doctest-modules", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *words], cwd=cwd, capture_output=True, text=True, check=False
    ).stdout


def test_docstring_examples():
    pytest.importorskip("hypothesis")  # mdptheory.theory.strategies shows some
    last = run("mdptheory").strip().splitlines()[-1]
    assert "failed" not in last
    assert "error" not in last
    assert int(last.split()[0]) >= 30


def test_a_wrong_example_is_caught(tmp_path):
    (tmp_path / "wrong.py").write_text('"""\n>>> 1 + 1\n3\n"""\n', encoding="utf-8")
    assert "1 failed" in run("wrong.py", cwd=tmp_path)
