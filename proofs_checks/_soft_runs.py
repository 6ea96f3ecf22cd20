"""Runs of the library's online learners, their statistics counted a second time."""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import OnlineOptions, OnlineResult, dr_lsvi_ucb, dr_rpo
from mdptheory.errors import FitWarning
from mdptheory.models import LinearMDP
from proofs_checks._soft_oracles import Setting

TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A run of a learner, and its statistics.

    Attributes
    ----------
    result : OnlineResult
        The library's.
    gram : array of shape (K + 1, H, d, d)
        Gram matrices before each episode and after the last one, ridge included.
    moments : array of shape (K + 1, H, d, S)
        Features summed by next state.
    fitted : array of int of shape (K,)
        The episode before which the policy of each episode was fitted.
    """

    result: OnlineResult
    gram: FloatArray
    moments: FloatArray
    fitted: IntArray


def learn(
    mdp: LinearMDP,
    told: Setting,
    seed: int,
    *,
    doubling: bool = False,
    blind: bool = False,
    keep: bool = False,
    every: int = 1,
) -> OnlineResult:
    """Run DR-RPO, or DR-LSVI-UCB at temperature 0.

    ``blind`` sets its widths to 0, ``keep`` keeps all policies, ``every`` tells which episodes
    are measured.
    """
    options = OnlineOptions(
        beta=0.0 if blind else "theory",
        ridge=told.ridge,
        refit="doubling" if doubling else "every",
        delta=told.delta,
        track_every=every,
        checkpoints=range(told.episodes) if keep else (),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # no fail state: still valid, and meant
        if told.tau > 0:
            return dr_rpo(
                mdp,
                told.episodes,
                told.ambiguity,
                tau=told.tau,
                reference=told.reference,
                options=options,
                track=mdp,
                rng=seed,
            )
        return dr_lsvi_ucb(mdp, told.episodes, told.ambiguity, options=options, track=mdp, rng=seed)


def record(
    mdp: LinearMDP, told: Setting, seed: int, *, doubling: bool = False, blind: bool = False
) -> Record:
    """Run, and count what was seen."""
    result = learn(mdp, told, seed, doubling=doubling, blind=blind, keep=doubling)
    states, actions = np.asarray(result.data.states), np.asarray(result.data.actions)
    gram, moments = counted(mdp, told.ridge, states, actions)
    return Record(result, gram, moments, fits(gram, result) if doubling else np.arange(len(states)))


def counted(
    mdp: LinearMDP, ridge: float, states: IntArray, actions: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Sum features over the transitions, before each episode and after the last one."""
    horizon, d, n = mdp.mu.shape
    gram = np.zeros((len(actions) + 1, horizon, d, d))
    moments = np.zeros((len(actions) + 1, horizon, d, n))
    gram[0] = ridge * np.eye(d)
    for h in range(horizon):
        phi = mdp.known.phi_at(h)[states[:, h], actions[:, h]]
        gram[1:, h] = phi[:, :, None] * phi[:, None, :]
        moments[1:, h] = phi[:, :, None] * np.eye(n)[states[:, h + 1]][:, None, :]
    return np.cumsum(gram, axis=0), np.cumsum(moments, axis=0)


def fits(gram: FloatArray, result: OnlineResult) -> IntArray:
    """Return the last fit before or at each episode: the first, then once a determinant doubled.

    Counts make determinants double exactly; rounding decides then, and what the library reports
    tells how.
    """
    said = np.column_stack([result.optimistic, result.certificate])
    said = np.hstack([said, result.policies.reshape(len(said), -1)])
    changed = np.append(False, (said[1:] != said[:-1]).any(axis=1))
    grown, last, out = np.linalg.slogdet(gram)[1], 0, []
    for k in range(len(gram) - 1):
        excess = float((grown[k] - grown[last]).max()) - math.log(2.0)
        if excess > TIE or (excess > -TIE and changed[k]):
            last = k
        out.append(last)
    return np.array(out)
