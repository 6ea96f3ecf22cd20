"""The runner: names, data with origin, plots from the file."""

import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mdptheory import cli
from mdptheory.errors import InvalidFileError, InvalidModelError
from mdptheory.experiments import read_arrays
from mdptheory.theory import verify_chains
from paper_figures import _runner
from paper_figures._runner import draw, list_figures, select_figures
from paper_figures._verify_file import read_report
from paper_figures.planning import fig1_certified_gap as gap_figure
from paper_figures.planning import fig2_slack
from proofs_checks.cli import write_report
from proofs_checks.registry import CHAINS

NAMES = [entry.name for entry in list_figures()]
GAP = "planning/fig1_certified_gap"


def quiet(label, done, total):
    pass


@pytest.fixture(scope="module")
def report_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "verify.json"
    write_report(verify_chains(CHAINS[:2], trials=8), path)
    return path


def test_every_figure_has_the_three_parts_and_a_caption():
    assert {"planning/fig1_certified_gap", "planning/fig2_slack"} <= set(NAMES)
    for entry in list_figures():
        module = entry.module
        assert module.Config.__dataclass_params__.frozen
        assert isinstance(module.Config.quick(), module.Config)
        assert callable(module.compute)
        assert callable(module.plot)
        assert len(entry.title) > 10
        assert len(entry.caption) > 100


@pytest.mark.parametrize("name", ["planning", "planning/", "planning/fig1", GAP])
def test_names_select(name):
    assert GAP in [entry.name for entry in select_figures(name)]


def test_a_name_selects_nothing_else():
    assert [e.name for e in select_figures("planning/fig2")] == ["planning/fig2_slack"]


@pytest.mark.parametrize("name", ["planning/fig", "plan", "planning/fig9", "robust"])
def test_unknown_names_list_what_exists(name):
    with pytest.raises(InvalidModelError, match=f"unknown; there are {NAMES[0]}, "):
        select_figures(name)


@pytest.mark.figure
@pytest.mark.parametrize("entry", list_figures(), ids=lambda entry: entry.name)
def test_every_figure_runs_in_its_quick_configuration(tmp_path, entry, report_file):
    drawn = draw(entry, tmp_path, quick=True, options={"report": str(report_file)})
    arrays, meta = read_arrays(drawn.data)
    assert arrays
    assert meta["figure"] == entry.name
    assert meta["quick"] is True
    assert meta["seed"] == 0
    assert {"mdptheory", "numpy", "python"} <= set(meta["versions"])
    assert "commit" in meta
    assert meta["config"]["class"] == "Config"
    first = drawn.png.read_bytes(), drawn.svg.read_bytes()
    assert first[0].startswith(b"\x89PNG")
    assert b"<svg" in first[1]
    drawn.png.unlink()
    again = draw(entry, tmp_path, replot=True)
    assert (again.png.read_bytes(), again.svg.read_bytes()) == first


def test_replot_plots_from_the_file_and_computes_nothing(tmp_path, monkeypatch):
    calls = []
    module = SimpleNamespace(
        Config=fig2_slack.Config,
        compute=lambda config, rng, progress: calls.append(1) or {"x": rng.random(3)},
        plot=lambda data, fig: fig.add_subplot().plot(data["x"]),
    )
    entry = SimpleNamespace(name="paper/fig", module=module)
    with pytest.raises(InvalidModelError, match=r"fig\.npz is not there; run once without --rep"):
        draw(entry, tmp_path, replot=True)
    draw(entry, tmp_path, seed=1)
    draw(entry, tmp_path, replot=True)
    assert calls == [1]
    first = read_arrays(tmp_path / "paper/data/fig.npz")
    draw(entry, tmp_path, seed=1)
    assert (read_arrays(tmp_path / "paper/data/fig.npz")[0]["x"] == first[0]["x"]).all()
    draw(entry, tmp_path, seed=2)
    assert (read_arrays(tmp_path / "paper/data/fig.npz")[0]["x"] != first[0]["x"]).all()


def test_commit_is_none_without_git(tmp_path, monkeypatch):
    monkeypatch.setattr(_runner, "PACKAGE", tmp_path / "paper_figures")
    assert _runner.commit() is None
    (tmp_path / ".git").mkdir()  # broken, or git is missing
    assert _runner.commit() is None


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_commit_is_the_checkouts(tmp_path, monkeypatch):
    run = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run([*run, "init", "-q"], check=True)
    subprocess.run([*run, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    monkeypatch.setattr(_runner, "PACKAGE", tmp_path / "paper_figures")
    assert len(_runner.commit()) == 40


# ---- the figures' data --------------------------------------------------------------------------


def test_no_measured_error_lies_above_its_certified_bound():
    config = gap_figure.Config(problems=("riverswim20", "inventory21"), repeats=1, points=12)
    data = gap_figure.compute(config, np.random.default_rng(0), quiet)
    for i in range(2):
        floor = float(data[f"floor_{i}"])
        assert floor < 1e-8
        for j in range(len(config.planners)):
            bound, error = data[f"bound_{i}_{j}"], data[f"error_{i}_{j}"]
            assert (error <= bound + floor).all()
            assert bound[-1] <= config.tol
            assert data[f"seconds_{i}_{j}"].shape == (len(bound), 1)
        value_iteration = data[f"bound_{i}_0"]
        assert value_iteration[0] > 10 * config.tol  # the early stops are early


def test_slack_columns_are_the_reports(report_file):
    config = fig2_slack.Config(report=str(report_file))
    data = fig2_slack.compute(config, np.random.default_rng(0), quiet)
    chains = [
        chain
        for chain in json.loads(report_file.read_text())["chains"]
        if chain["id"].startswith("planning.")
    ]
    assert list(data["chain"]) == [chain["id"] for chain in chains]
    links = [link for chain in chains for link in chain["links"]]
    assert list(data["link"]) == [link["statement"] for link in links]
    np.testing.assert_array_equal(data["conclusive"], [link["conclusive"] for link in links])
    assert (data["caught"] <= data["twins"]).all()


def test_a_violated_link_is_shown_as_such(report_file, tmp_path):
    from matplotlib.figure import Figure

    report = json.loads(report_file.read_text())
    report["chains"][0]["links"][0].update(violations=3, max_tightness=None, median_tightness=None)
    (tmp_path / "bad.json").write_text(json.dumps(report))
    config = fig2_slack.Config(report=str(tmp_path / "bad.json"))
    data = fig2_slack.compute(config, np.random.default_rng(0), quiet)
    figure = Figure(layout="constrained")
    fig2_slack.plot(data, figure)
    shown = [text.get_text() for part in figure.subfigs for ax in part.axes for text in ax.texts]
    assert any(text.startswith("violated 3/") for text in shown)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "has format 'list'; expected 'mdptheory-verify-1'"),
        ('{"format": "other"}', "has format 'other'"),
        ('{"format": "mdptheory-verify-1", "chains": [{}]}', r"chains\[0\] lacks 'id'"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InvalidFileError, match=message):
        read_report(tmp_path / "x.json")


# ---- the command line ---------------------------------------------------------------------------


def test_figures_command(tmp_path, capsys, report_file):
    words = ["figures", "planning/fig2", "--quick", "--out", str(tmp_path)]
    assert cli.main([*words, "--report", str(report_file)]) == 0
    printed = capsys.readouterr().out.split()
    assert printed == [str(tmp_path / f"planning/fig2_slack.{kind}") for kind in ("png", "svg")]
    assert cli.main([*words, "--replot"]) == 0
    assert cli.main(["figures", "--list"]) == 0
    assert NAMES[0] in capsys.readouterr().out


def test_an_unknown_figure_is_one_sentence_and_exit_code_2(capsys):
    assert cli.main(["figures", "planning/fig9"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"mdptheory: figure 'planning/fig9' is unknown; there are {NAMES[0]}")
    assert error.count("\n") == 1


def test_python_m_paper_figures_is_the_same_command():
    command = [sys.executable, "-m", "paper_figures", "--list"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert NAMES[0] in result.stdout
    assert result.stderr == ""
