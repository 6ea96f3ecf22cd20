"""The README's commands are the ones CI runs, its code runs as printed, and its links lead on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
BLOCKS = [match.groups() for match in FENCE.finditer(README)]
PYTHON = [(code, out) for kind, code, out in BLOCKS if kind == "python"]
SHELL = [line for kind, code, _ in BLOCKS if kind == "bash" for line in code.splitlines()]
SET_UP = [line for line in SHELL if "venv" in line]


def run(words, folder, **options):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "PATH": path}, **options,
    )  # fmt: skip


def test_the_two_commands_are_what_ci_runs():
    assert len(SET_UP) == 2
    lines = [line.strip() for line in CI.splitlines()]
    for command in SET_UP:
        assert command in lines
    assert "python3 -m venv .venv" in SET_UP[0]
    assert SET_UP[1].endswith("-m pytest")


def test_ci_names_only_what_exists_and_stops_at_the_first_failure(tmp_path):
    assert "set -euo pipefail" in CI
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    named = re.findall(r"tests/[\w/.]+", CI)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
    kernels = ('env "$1=1"', "kernels_with NUMBA_BOUNDSCHECK", "kernels_with NUMBA_DISABLE_JIT")
    for word in (*kernels, "ruff check", "mypy"):
        assert word in CI
    done = run(["bash", "-n", str(ROOT / ".ci" / "run")], tmp_path)
    assert done.returncode == 0, done.stderr


STUB = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$CI_LOG"
[[ "$(basename "$0") $*" == *"$CI_BREAK"* ]] && exit 1
[[ "$*" == *pytest* ]] && echo "3 passed in 1s"
exit 0
"""
FAKE_PYTHON = """#!/usr/bin/env bash
mkdir -p .venv/bin
for tool in pip python mdptheory ruff mypy; do cp "$CI_STUB" ".venv/bin/$tool"; done
"""


def rehearse(folder, broken):
    """Run a copy of ``.ci/run`` in which every tool only says that it was called."""
    (folder / ".ci").mkdir()
    script = folder / ".ci" / "run"
    script.write_text(CI, encoding="utf-8")
    for name, text in (("stub", STUB), ("bin/python3", FAKE_PYTHON)):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    done = subprocess.run(
        ["bash", str(script)], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
             "CI_LOG": str(folder / "log"), "CI_STUB": str(folder / "stub"), "CI_BREAK": broken},
    )  # fmt: skip
    return done, (folder / "log").read_text(encoding="utf-8").splitlines()


def test_ci_calls_everything_and_ends_with_the_tests_own_summary(tmp_path):
    done, calls = rehearse(tmp_path, "no such call")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3 passed in 1s"
    wanted = (
        "pip install .[all]", "mdptheory reproduce --quick --out out", "pip install .[test]",
        "python -m pytest", "mdptheory solve gym:Taxi-v4 --certificate c.json",
        "mdptheory check c.json gym:Taxi-v4 --exact", "ruff check", "ruff format --check", "mypy",
    )  # fmt: skip
    assert [call for call in wanted if call not in [c.strip() for c in calls]] == []


@pytest.mark.parametrize(
    "broken",
    ["pip install .[all]", "mdptheory reproduce", "pip install .[test]", "python -m pytest",
     "pytest -q -n 0 tests/", "mdptheory solve", "mdptheory check", "ruff check", "ruff format",
     "mypy"],
)  # fmt: skip
def test_ci_fails_when_any_step_fails(tmp_path, broken):
    done, calls = rehearse(tmp_path, broken)
    assert done.returncode != 0
    assert broken in calls[-1]


@pytest.mark.parametrize("index", range(len(PYTHON)))
def test_python_block_runs_as_printed(index, tmp_path):
    code, expected = PYTHON[index]
    (tmp_path / "block.py").write_text(code, encoding="utf-8")
    done = run([sys.executable, "-W", "error", "block.py"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if expected is not None:
        assert done.stdout == expected


def test_shell_lines_run(tmp_path):
    for code, _ in PYTHON:
        if ".write_" in code:  # the lines may ask for the files that the blocks leave
            done = run([sys.executable, "-c", code], tmp_path)
            assert done.returncode == 0, done.stderr
    for line in SHELL:
        if line not in SET_UP:
            done = run(["bash", "-c", line], tmp_path)
            assert (done.returncode, done.stderr) == (0, ""), line


def test_links_and_the_picture_exist():
    prose = FENCE.sub("", README)
    targets = re.findall(r"\]\(([^)#]+)\)", prose)
    local = [target for target in targets if "://" not in target]
    assert "FINDINGS.md" in local
    assert [target for target in local if not (ROOT / target).exists()] == []
    pictures = [ROOT / target for target in local if target.endswith(".png")]
    assert pictures
    assert all(picture.stat().st_size < 200_000 for picture in pictures)


def test_the_tables_name_every_command_code_suffix_and_extra():
    import tomllib

    from mdptheory.cli import failures
    from mdptheory.io import files

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    commands = ["solve", "check", "info", "convert", *project["entry-points"]["mdptheory.commands"]]
    for command in commands:
        assert f"| `mdptheory {command}" in README
    for code in (failures.OK, failures.FAILS, failures.BAD_INPUT, failures.FAULT,
                 failures.INTERRUPTED):  # fmt: skip
        assert f"\n| {code} |" in README
    assert "| `mdptheory offline-robust" in README
    assert "| `mdptheory fair run" in README
    for suffix in files._READERS:
        assert f"| `{suffix}` |" in README
    for extra in project["optional-dependencies"]:
        assert f"`{extra}`" in README


def test_every_option_in_the_table_exists(capsys):
    from mdptheory.cli import main

    rows = re.findall(r"^\| `mdptheory ([\w-]+(?: run)?).*?` \| (.*) \|$", README, re.MULTILINE)
    assert len(rows) >= 7
    for command, text in rows:
        assert main([*command.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        for option in re.findall(r"--[\w-]+", text):
            assert option in shown, (command, option)


def test_the_introduction_is_short():
    first = README.split("\n\n")[1]
    assert len(first.splitlines()) <= 5


def test_own_theorem_takes_about_twenty_lines():
    block = next(code for code, _ in PYTHON if "@case" in code)
    body = [line for line in block.splitlines() if line and not line.startswith(("from", "import"))]
    assert len(body) <= 20
