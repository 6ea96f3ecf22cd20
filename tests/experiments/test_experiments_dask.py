"""The same grid on a real local cluster, with a worker killed in mid-run."""

import importlib
import os
import signal
import threading
import time

import pytest
from grid_cases import Config, draw, fail_on_odd

from mdptheory.errors import MissingExtraError
from mdptheory.experiments import GridError, run_grid

distributed = pytest.importorskip("distributed")

CONFIGS = [Config(n=n, pause=0.15) for n in range(1, 13)]


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            memory_limit="600MiB",
            dashboard_address=None,
            local_directory=str(tmp_path_factory.mktemp("dask")),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_without_a_client_a_local_cluster_is_started_and_closed(tmp_path):
    grid = run_grid(draw, CONFIGS[:2], [0], out=tmp_path, backend="dask", n_jobs=1)
    assert grid.executed == 2
    with pytest.raises(ValueError, match="No global client"):
        distributed.get_client()


def test_all_cells_complete_with_the_serial_bytes_though_a_worker_is_killed(tmp_path, client):
    workers = client.run(os.getpid)
    assert len(set(workers.values())) == 2

    killed = []

    def kill_one():
        while len(list(tmp_path.glob("dask/cells/*.npz"))) < 2:
            time.sleep(0.02)
        victim = next(iter(workers.values()))
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)

    killer = threading.Thread(target=kill_one)
    killer.start()
    grid = run_grid(draw, CONFIGS, [0], out=tmp_path / "dask", backend="dask")
    killer.join(timeout=10)
    assert killed, "the grid ended before a worker could be killed"
    assert grid.executed == len(CONFIGS)
    client.wait_for_workers(2, timeout=30)
    assert set(client.run(os.getpid).values()) != set(workers.values())

    run_grid(draw, CONFIGS, [0], out=tmp_path / "serial")
    assert contents(tmp_path / "dask") == contents(tmp_path / "serial")
    assert run_grid(draw, CONFIGS, [0], out=tmp_path / "dask", backend="dask").executed == 0


def test_failures_come_back_from_the_cluster(tmp_path, client):
    configs = [Config(n=n) for n in range(1, 5)]
    with pytest.raises(GridError, match="2 of 4 cells failed"):
        run_grid(fail_on_odd, configs, [0], out=tmp_path, backend="dask")
    assert len(list((tmp_path / "cells").iterdir())) == 2


def test_without_the_extra_the_message_names_it(tmp_path, monkeypatch):
    def refuse(name, package=None):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 'mdptheory\[cluster\]' brings it"):
        run_grid(draw, CONFIGS, [0], out=tmp_path, backend="dask")
