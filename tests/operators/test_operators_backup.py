"""A backup's sweeps with one and more threads, its narrowed rows and its account of the work."""

import numpy as np
import pytest
from operator_models import MODELS, full, ragged, staged

from mdptheory import environments
from mdptheory.operators import crew
from mdptheory.operators.backup import Backup
from mdptheory.operators.crew import thread_count

SHARED = {
    "ragged": ragged(0, 40),
    "dense": full(24),
    "garnet": environments.garnet(30, 4, 5, gamma=0.95, rng=0),
    "one state": MODELS["one state"],
}


def story(mdp, threads):
    """Sweep over all rows, over the promising ones, with one policy; return all that is seen."""
    seen = []
    with Backup(mdp, threads=threads) as backup:
        assert backup.threads == threads
        v, top = np.zeros(mdp.n_states), np.empty(mdp.n_states)
        seen.append(backup.best_reward(0.5, top))
        seen += [top.tobytes(), backup.q.tobytes(), backup.best.tobytes()]
        for threshold in (np.inf, 1.0, 0.1, 0.0):
            seen.append(backup.greedy(v, top))
            v, top = top.copy(), top
            seen += [top.tobytes(), backup.best_rows().tobytes(), backup.policy().tobytes()]
            backup.keep(top, threshold)
            seen += [backup.current_rows, backup.best_rows().tobytes(), backup.reduced]
        value, *rest = backup.policy_rows().sweeps(v.copy(), goal=1e-9, limit=31)
        seen += [value.tobytes(), rest]
        backup.restore()
        seen.append(backup.greedy(v, top))
        whole = backup.policy_rows(whole=True)
        seen += [top.tobytes(), backup.q.tobytes(), whole.reward.tobytes()]
        seen.append(whole.krylov(v, goal=1e-10, limit=50))
        seen += [v.tobytes(), whole.matrix().toarray().tobytes(), backup.work]
    return seen


@pytest.mark.parametrize("name", sorted(SHARED))
@pytest.mark.parametrize("threads", [2, 3, 64])
def test_any_number_of_threads_gives_the_same_bits(monkeypatch, name, threads):
    monkeypatch.setattr(crew, "PARALLEL_TRANSITIONS", 0)
    for one, many in zip(story(SHARED[name], 1), story(SHARED[name], threads), strict=True):
        assert one == many


def test_small_models_are_not_shared():
    assert Backup(SHARED["garnet"], threads=8).threads == 1


@pytest.mark.parametrize("threads", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("name", sorted(SHARED))
def test_shares_cover_each_state_once(monkeypatch, name, threads):
    monkeypatch.setattr(crew, "PARALLEL_TRANSITIONS", 0)
    mdp = SHARED[name]
    backup = Backup(mdp, threads=threads)
    covered = [s for rows in backup.full for s in range(rows.first, rows.first + len(rows[1]) - 1)]
    assert covered == list(range(mdp.n_states))
    assert sum(rows.n_rows for rows in backup.full) == mdp.n_rows
    assert sum(rows.size for rows in backup.full) == mdp.n_transitions


def test_the_number_of_threads_follows_the_setting(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert thread_count() == 3
    for setting in ("", "0", "many"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", setting)
        assert thread_count() >= 1


def test_keep_leaves_out_what_is_too_low_and_restore_brings_it_back():
    mdp = SHARED["ragged"]
    backup = Backup(mdp)
    v, top = np.zeros(40), np.empty(40)
    backup.greedy(v, top)
    q, best = backup.q.copy(), backup.best_rows()
    for threshold in (0.5, 0.0):
        backup.keep(top, threshold)
        kept = np.concatenate([rows.origin[: rows.n_rows] for rows in backup.sets])
        want = np.flatnonzero(q >= np.repeat(top, np.diff(mdp.choice_ptr)) - threshold)
        assert np.array_equal(kept, want)
        assert np.array_equal(backup.best_rows(), best)
        backup.greedy(v, top)
        assert np.array_equal(top, q[best])
    assert backup.reduced
    backup.restore()
    assert not backup.reduced
    assert backup.current_rows == mdp.n_rows
    assert np.array_equal(backup.best_rows(), best)


def test_work_counts_transitions_in_full_sweeps():
    mdp = SHARED["ragged"]
    backup = Backup(mdp)
    v, top = np.zeros(40), np.empty(40)
    backup.best_reward(0.0, top)
    assert backup.work == 0.0
    backup.greedy(v, top)
    assert backup.work == 1.0
    backup.keep(top, 0.0)
    backup.greedy(v, top)
    share = sum(rows.size for rows in backup.sets) / mdp.n_transitions
    assert 0 < share < 1
    assert backup.work == pytest.approx(1.0 + share)
    before = backup.work
    rows = backup.policy_rows()
    assert backup.work == pytest.approx(before + rows.share)
    rows.sweeps(v, goal=-1.0, limit=4)
    assert backup.work == pytest.approx(before + 5 * rows.share)
    before = backup.work
    backup.greedy_in_place(v, backwards=True)
    assert backup.work == pytest.approx(before + 1.0)
    assert not backup.reduced


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_stage_is_a_slice_of_the_rows(stage):
    mdp = staged()
    backup = Backup(mdp, stage=stage)
    assert (backup.rows.start, backup.rows.stop) == (8 * stage, 8 * stage + 8)
    assert backup.n_rows == 8
    assert backup.row_counts().tolist() == [2] * 4
    assert backup.n_transitions * 3 == mdp.n_transitions
