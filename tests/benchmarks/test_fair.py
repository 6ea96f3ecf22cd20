"""The fair table's machinery at a tiny size, and its plain program against ours."""

import argparse

import numpy as np
import pytest

from benchmarks import fair, numpy_fair
from mdptheory.environments import threshold_preset


@pytest.mark.parametrize("rule", fair.RULES)
def test_the_plain_program_does_what_ours_does(rule: str):
    loop, constraints = threshold_preset("compas_decile")
    limits = numpy_fair.Limits(0.15, 0.5)
    runs = fair.RULES[rule](loop, 4_000, constraints).run_many(range(8), loop)
    plain = [
        numpy_fair.play(loop, rule.lower(), limits, 4_000, np.random.default_rng(100 + i))
        for i in range(3)
    ]
    for ours, theirs in (
        ([run.reward[-1] for run in runs], [run.reward for run in plain]),
        ([run.violation[-1] for run in runs], [run.violation for run in plain]),
    ):
        room = 5 * np.std(ours) * np.sqrt(1 / 8 + 1 / 3) + 1.0
        assert abs(np.mean(ours) - np.mean(theirs)) <= room


def test_the_tables_are_made(tmp_path):
    out = tmp_path / "fair.md"
    fair.run(argparse.Namespace(quick=True, rows=None, out=out, json=None))
    text = out.read_text()
    assert "| primal-dual | 2 |" in text
    assert "| compas_decile |" in text
    with pytest.raises(SystemExit, match="--rows round: expected one of rounds, sweep"):
        fair.run(argparse.Namespace(quick=True, rows=["round"], out=out, json=None))
