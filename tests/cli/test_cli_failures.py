"""Failures that no input produces on demand, plug-ins, and the process as a whole."""

import importlib.metadata
import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
import typer

from mdptheory import structure
from mdptheory.cli import main, plugins
from mdptheory.errors import NotConvergedError


def python(*words, **options):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, **options
    )


def raising(error):
    def fail(*_args, **_options):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 2, "not enough memory for this input"),
        (OSError(28, "No space left on device", "c.json"), 2, "c.json: No space left on device"),
        (NotConvergedError("too early"), 1, "too early"),
        (ZeroDivisionError("oops"), 70, "internal error, ZeroDivisionError: oops;"),
        (ValueError("numpy's\nown words"), 70, "internal error, ValueError: numpy's own words;"),
    ],
)
def test_an_error_inside_a_command(capsys, monkeypatch, error, code, sentence):
    monkeypatch.setattr(structure, "analyse", raising(error))
    assert main(["info", "env:riverswim"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"mdptheory: {sentence}")
    assert said.err.count("\n") == 1


def test_a_type_error_is_a_refusal_only_where_mdptheory_raises_it(capsys, monkeypatch):
    from mdptheory import io

    monkeypatch.setattr(structure, "analyse", lambda mdp: structure.graph(None))
    assert main(["info", "env:riverswim"]) == 70
    monkeypatch.setattr(structure, "analyse", lambda mdp: io.write(None, "m.npz"))
    capsys.readouterr()
    assert main(["info", "env:riverswim"]) == 2
    assert "mdp has type NoneType; expected a TabularMDP" in capsys.readouterr().err


def test_an_ascii_terminal_is_no_failure(tmp_path):
    script = (
        "import sys; from mdptheory import TabularMDP, io; from mdptheory.cli import main;"
        "mdp = TabularMDP.from_dense([[[1.0]]], [[1.0]], 0.5, state_names=['été']);"
        "io.write(mdp, 'm.npz'); sys.argv = ['mdptheory', 'solve', 'm.npz']; sys.exit(main())"
    )
    done = python("-c", script, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 (\\xe9t\\xe9)" in done.stdout


def test_a_fault_shows_its_place_on_request(capsys, monkeypatch):
    monkeypatch.setattr(structure, "analyse", raising(ZeroDivisionError("oops")))
    monkeypatch.setenv("MDPTHEORY_TRACEBACK", "1")
    assert main(["info", "env:riverswim"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_in_a_process_gives_130():
    script = (
        "import os, signal, sys; from mdptheory import structure; from mdptheory.cli import main;"
        "structure.analyse = lambda mdp: os.kill(os.getpid(), signal.SIGINT);"
        "sys.exit(main(['info', 'env:riverswim']))"
    )
    done = python("-c", script)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_traceback():
    script = "import sys; from mdptheory.cli import main; sys.exit(main(['info', 'env:riverswim']))"
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as out:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=out, stderr=subprocess.PIPE, text=True
        )
    assert "Traceback" not in done.stderr


def test_the_console_script_is_installed():
    entries = importlib.metadata.entry_points(group="console_scripts", name="mdptheory")
    assert [entry.value for entry in entries] == ["mdptheory.cli:main"]
    names = {entry.name for entry in importlib.metadata.entry_points(group=plugins.GROUP)}
    assert {"verify", "figures", "reproduce"} <= names


def test_versions_and_threading_layer():
    done = python("-m", "mdptheory")
    assert done.returncode == 0
    assert done.stdout.startswith("mdptheory ")
    assert "numba threading layer" in done.stdout.splitlines()[-1]


def test_solve_and_info_load_no_plugin_and_no_plotting():
    script = (
        "import sys; from mdptheory.cli import main; main(['info', 'env:riverswim']);"
        "print([m for m in ('matplotlib', 'hypothesis', 'cvxpy', 'proofs_checks',"
        " 'paper_figures', 'gymnasium') if m in sys.modules], file=sys.stderr)"
    )
    assert python("-c", script).stderr.strip() == "[]"


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Pretend that some packages registered commands."""
    (tmp_path / "plugin_here.py").write_text(
        "import typer\n"
        "from typing import Annotated\n"
        "def greet(name: str, times: Annotated[int, typer.Option()] = 1, fail: bool = False):\n"
        "    '''Say hello.'''\n"
        "    print(f'hello {name} ' * times)\n"
        "    return 1 if fail else None\n"
        "def leave():\n    raise typer.Exit(1)\n"
        "def crash():\n    raise RuntimeError('went wrong')\n"
        "not_a_function = 3\n"
    )
    (tmp_path / "plugin_broken.py").write_text("raise RuntimeError('no graphics\\nhere')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    values = {
        "greet": "plugin_here:greet",
        "leave": "plugin_here:leave",
        "crash": "plugin_here:crash",
        "three": "plugin_here:not_a_function",
        "broken": "plugin_broken:x",
        "absent": "plugin_nowhere:x",
        "solve": "plugin_broken:x",
    }
    entries = [EntryPoint(name, value, plugins.GROUP) for name, value in values.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: entries)


def test_a_plugin_runs_with_its_options_and_exit_code(capsys, installed):
    assert main(["greet", "you", "--times", "2"]) == 0
    assert capsys.readouterr().out.strip() == "hello you hello you"
    assert main(["greet", "you", "--fail"]) == 1
    assert main(["leave"]) == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["broken", "--any"], 2, "the command 'broken' (plugin_broken:x) cannot be loaded,"),
        (["absent"], 2, "No module named 'plugin_nowhere'"),
        (["three"], 2, "the command 'three' (plugin_here:not_a_function) cannot be loaded,"),
        (["greet"], 2, "Missing argument"),
        (["crash"], 70, "internal error, RuntimeError: went wrong"),
    ],
)
def test_a_failing_plugin_is_one_sentence(capsys, installed, words, code, sentence):
    assert main(words) == code
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err


def test_help_lists_plugins_even_broken_ones(capsys, installed):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "Say hello." in out
    assert "(cannot be loaded)" in out


def test_a_plugin_cannot_take_a_built_in_name(capsys, installed):
    assert main(["solve", "env:riverswim", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == "env:riverswim"


def test_the_usage_base_class_covers_what_typer_raises():
    from mdptheory.cli.failures import _USAGE

    assert issubclass(typer.BadParameter, _USAGE)
    assert _USAGE.__name__ == "ClickException"
