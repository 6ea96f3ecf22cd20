import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grid_cases
import numpy as np
import pytest
from grid_cases import Config, draw, fail_on_odd

from mdptheory.errors import InvalidModelError
from mdptheory.experiments import GridError, run_grid

CONFIGS = [Config(n=n) for n in (1, 2, 3)]
SCRIPT = Path(grid_cases.__file__)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_cells_are_in_grid_order_and_hold_what_the_function_returned(tmp_path):
    grid = run_grid(draw, CONFIGS, [5, 6], out=tmp_path)
    assert [(cell.config.n, cell.seed) for cell in grid.cells] == [
        (n, seed) for n in (1, 2, 3) for seed in (5, 6)
    ]
    assert grid.executed == 6
    assert [cell.arrays()["values"].shape for cell in grid.cells] == [
        (1,),
        (1,),
        (2,),
        (2,),
        (3,),
        (3,),
    ]
    assert grid.stack("mean").shape == (6,)
    assert len(np.unique(grid.stack("mean"))) == 6


def test_bytes_do_not_depend_on_workers_or_order(tmp_path):
    run_grid(draw, CONFIGS, range(3), out=tmp_path / "one")
    run_grid(draw, CONFIGS, range(3), out=tmp_path / "two", n_jobs=2)
    run_grid(draw, CONFIGS[::-1], [2, 1, 0], out=tmp_path / "reversed")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "reversed")


def test_blas_sums_do_not_depend_on_workers(tmp_path):
    configs = [Config(n=200_003)]
    run_grid(grid_cases.dot, configs, range(2), out=tmp_path / "one")
    run_grid(grid_cases.dot, configs, range(2), out=tmp_path / "two", n_jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_cells_run_on_one_thread(tmp_path, n_jobs):
    grid = run_grid(grid_cases.threads, CONFIGS, [0], out=tmp_path, n_jobs=n_jobs)
    assert (grid.stack("numba") == 1).all()
    assert all((cell.arrays()["pools"] == 1).all() for cell in grid.cells)
    if n_jobs == 2:
        assert (grid.stack("env") == "1").all()


def test_serial_run_gives_the_threads_back(tmp_path):
    import numba

    before = numba.get_num_threads()
    run_grid(draw, CONFIGS, [0], out=tmp_path)
    assert numba.get_num_threads() == before


def test_second_call_computes_nothing_and_extension_only_what_is_new(tmp_path):
    run_grid(draw, CONFIGS, [0], out=tmp_path)
    before = contents(tmp_path)
    assert run_grid(draw, CONFIGS, [0], out=tmp_path).executed == 0
    assert contents(tmp_path) == before
    assert run_grid(draw, CONFIGS, [0, 1], out=tmp_path).executed == 3
    changed = [Config(n=1, scale=2.0), *CONFIGS[1:]]
    assert run_grid(draw, changed, [0], out=tmp_path).executed == 1
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert len(manifest["cells"]) == len(list((tmp_path / "cells").iterdir())) == 7
    assert manifest["function"].endswith("draw")
    for key, record in manifest["cells"].items():
        assert (tmp_path / "cells" / f"{key}.npz").exists()
        assert record["seed"] in (0, 1)


def test_damaged_cells_are_redone(tmp_path):
    grid = run_grid(draw, CONFIGS, [0], out=tmp_path)
    whole = contents(tmp_path)
    first, second, third = (cell.path for cell in grid.cells)
    first.write_bytes(first.read_bytes()[:-7])
    second.write_bytes(third.read_bytes())  # whole, but another cell's
    (tmp_path / "cells" / f"{third.name}.0123.tmp").write_bytes(b"half")
    assert run_grid(draw, CONFIGS, [0], out=tmp_path).executed == 2
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failing_cell_does_not_stop_the_others(tmp_path, n_jobs):
    with pytest.raises(GridError, match="2 of 3 cells failed") as caught:
        run_grid(fail_on_odd, CONFIGS, [7], out=tmp_path, n_jobs=n_jobs)
    text = str(caught.value)
    assert "Config(n=1, scale=1.0, pause=0.0, mark=''), seed 7: ArithmeticError: 1 is odd" in text
    assert "ArithmeticError: 3 is odd" in text
    assert "in fail_on_odd" in text  # a traceback
    assert len(list((tmp_path / "cells").iterdir())) == 1


def test_many_failures_are_all_named(tmp_path):
    configs = [Config(n=n) for n in (1, 3, 5, 7, 9)]
    with pytest.raises(GridError, match=r"and: config Config\(n=7.*\), seed 0, config Config\(n=9"):
        run_grid(fail_on_odd, configs, [0], out=tmp_path)


def test_a_dead_worker_is_reported_and_the_rest_resumes(tmp_path):
    mark = str(tmp_path / "died")
    configs = [Config(n=n, mark=mark) for n in range(1, 6)]
    with pytest.raises(GridError, match=r"a worker process died .* running again resumes"):
        run_grid(grid_cases.die_once, configs, [0], out=tmp_path / "grid", n_jobs=2)
    grid = run_grid(grid_cases.die_once, configs, [0], out=tmp_path / "grid", n_jobs=2)
    assert 1 <= grid.executed <= 5
    assert len(grid.stack("mean")) == 5


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(InvalidModelError, match="configs x seeds is empty"):
        run_grid(draw, CONFIGS, [], out=tmp_path)
    with pytest.raises(InvalidModelError, match=r"name a cell twice: config Config\(n=1.*seed 0"):
        run_grid(draw, CONFIGS, [0, 0], out=tmp_path)
    with pytest.raises(InvalidModelError, match="backend is 'ray'; expected None or 'dask'"):
        run_grid(draw, CONFIGS, [0], out=tmp_path, backend="ray")
    for n_jobs in (0, -2, True, 1.0):
        with pytest.raises(InvalidModelError, match=r"n_jobs is .*; expected a positive integer"):
            run_grid(draw, CONFIGS, [0], out=tmp_path, n_jobs=n_jobs)
    with pytest.raises(GridError, match="returned int; expected a dict of named arrays"):
        run_grid(return_three, CONFIGS, [0], out=tmp_path)


def return_three(config, rng):
    return 3


def start(folder, n_jobs):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder / "grid"), str(n_jobs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "GRID_LOG": str(folder / "log.txt")},
    )


def wait_for_cells(folder, count):
    deadline = time.monotonic() + 60
    while len(list(folder.glob("grid/cells/*.npz"))) < count:
        assert time.monotonic() < deadline, "the grid did not get going"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    command = [sys.executable, str(SCRIPT), str(folder), "1"]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"8\n"
    return contents(folder)


@pytest.mark.parametrize(
    ("stop", "n_jobs"), [(signal.SIGKILL, 1), (signal.SIGKILL, 2), (signal.SIGINT, 2)]
)
def test_a_killed_run_resumes_without_redoing_or_losing_a_cell(
    tmp_path, never_killed, stop, n_jobs
):
    run = start(tmp_path, n_jobs)
    wait_for_cells(tmp_path, 2)
    # SIGKILL takes the workers too, as a batch system or a power cut would
    os.killpg(run.pid, stop)
    out, err = run.communicate(timeout=60)
    assert run.returncode != 0
    assert out == ""
    survivors = {p.stem: p.stat().st_mtime_ns for p in tmp_path.glob("grid/cells/*.npz")}
    assert 2 <= len(survivors) < 8

    resumed = start(tmp_path, n_jobs)
    out, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, err
    assert int(out) == 8 - len(survivors)
    assert err == ""  # no progress bar without a terminal
    for path in tmp_path.glob("grid/cells/*.npz"):
        assert survivors.get(path.stem, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    assert contents(tmp_path / "grid") == never_killed

    executions = (tmp_path / "log.txt").read_text().split()
    assert set(executions) == {str(n) for n in range(1, 9)}
    assert len(executions) - 8 <= n_jobs  # at most the cells that had ended but not yet landed


def test_a_run_whose_parent_alone_is_killed_resumes(tmp_path, never_killed):
    run = start(tmp_path, 2)
    try:
        wait_for_cells(tmp_path, 2)
        run.kill()  # its workers live on for a while, and may still be finishing a cell
        run.wait(timeout=60)
        resumed = start(tmp_path, 2)
        _, err = resumed.communicate(timeout=60)
        assert resumed.returncode == 0, err
        assert contents(tmp_path / "grid") == never_killed
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=60)


def test_progress_is_shown_on_a_terminal(tmp_path):
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    command = [sys.executable, str(SCRIPT), str(tmp_path), "1"]
    run = subprocess.run(command, stderr=follower, stdout=subprocess.PIPE, check=True, timeout=60)
    os.close(follower)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert "cells" in shown
    assert run.stdout == b"8\n"
