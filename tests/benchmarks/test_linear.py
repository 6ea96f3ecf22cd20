"""The linear table's machinery at a tiny size, and its plain programs against ours."""

import argparse
import time

import numpy as np
import pytest

from benchmarks import linear, numpy_offline
from mdptheory.algorithms import OfflineOptions, drpvi, drvi_l, pevi, r2pvi
from mdptheory.environments import AmericanPut, collect_real
from mdptheory.models import ChiSquarePenalty, KLBall, KLPenalty, TVBall, TVPenalty

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # sparse data, hat functions
OPTIONS = OfflineOptions(beta=0.1, ridge=1.0, clip_w=False)
SEARCH = OfflineOptions(beta=0.1, ridge=1.0, clip_w=False, optimizer="nelder-mead")
PROGRAMS = {
    "pevi": (0.0, lambda data, put: pevi(data, put, options=OPTIONS)),
    "tv_penalty": (3.0, lambda data, put: r2pvi(data, put, TVPenalty(3.0), options=OPTIONS)),
    "kl_penalty": (3.0, lambda data, put: r2pvi(data, put, KLPenalty(3.0), options=OPTIONS)),
    "chi2_penalty": (
        3.0,
        lambda data, put: r2pvi(data, put, ChiSquarePenalty(3.0), options=SEARCH),
    ),
    "tv_ball": (0.1, lambda data, put: drpvi(data, put, TVBall(0.1), options=SEARCH)),
    "kl_ball": (0.1, lambda data, put: drvi_l(data, put, KLBall(0.1), options=SEARCH)),
}


@pytest.mark.parametrize("method", PROGRAMS)
def test_the_plain_programs_fit_what_ours_fit(method: str):
    put = AmericanPut(5, 12, start=100.0)
    data = collect_real(put, 0, 200, rng=1)
    level, ours = PROGRAMS[method]
    plain = numpy_offline.fit(method, linear.put_episodes(put, data), level)
    np.testing.assert_allclose(plain, ours(data, put).w, rtol=1e-7, atol=1e-7)


def test_the_tables_are_made(tmp_path, capsys):
    out = tmp_path / "linear.md"
    options = argparse.Namespace(quick=True, rows=["offline", "statistics"], out=out, json=None)
    linear.run(options)
    text = out.read_text()
    assert "plain R2PVI-TV" in text
    assert "Many trajectories" in text
    options.rows = ["offlin"]
    with pytest.raises(SystemExit, match="--rows offlin: expected one of offline, online"):
        linear.run(options)


def test_slow_contenders_are_not_repeated():
    calls = {"fast": 0, "slow": 0}

    def count(name):
        calls[name] += 1

    entries = {"fast": lambda: count("fast"), "slow": lambda: (count("slow"), time.sleep(0.02))}
    best = linear.race(entries, rounds=4, patience=0.01)
    assert calls == {"fast": 5, "slow": 2}
    assert best["slow"] >= 0.02
