"""Every bandit algorithm, and environments of every kind to play in."""

import contextlib
import dataclasses
import os
import warnings

import numpy as np

from mdptheory import algorithms
from mdptheory.algorithms import BanditOptions
from mdptheory.environments import threshold_preset
from mdptheory.kernels.bandit_world import observe
from mdptheory.models import (
    DemographicParity,
    EqualOpportunity,
    GaussianBandit,
    LendingLoop,
    ServiceRate,
    ThresholdLoop,
)
from mdptheory.operators.closed_loop import (
    channel_places,
    compiled_world,
    draw_rounds,
    n_draws,
    n_places,
)

COMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "1"
ROUNDS = 150 if COMPILED else 40

ALGORITHMS = {
    "ofs": ("ofs", {}),
    "epochs_theory": ("ofs_epochs", {"first": 9}),
    "epochs_plain": ("ofs_epochs", {"first": 9, "bias": "none"}),
    "epochs_burn": ("ofs_epochs", {"first": 9, "burn": 4, "bias": "none"}),
    "ucb": ("ucb", {}),
    "pessimistic": ("pessimistic_ucb", {}),
    "primal_dual": ("primal_dual_ucb", {"step": 0.2, "cap": 3.0}),
    "greedy": ("greedy_feasible", {}),
    "explore": ("explore_then_commit", {"pulls": 5}),
    "fixed": ("fixed_arm", {"arm": 1}),
}


def gauss():
    residuals = [[0.2, 0.0], [-0.1, 0.0], [-0.2, 0.3], [-0.3, -0.3]]
    return GaussianBandit([0.9, 0.5, 0.7, 0.1], residuals, 0.2, [0.1, 0.2])


def hopeless():
    """Every arm violates its constraint, and three rounds of each show it."""
    return GaussianBandit([0.9, 0.5, 0.7, 0.1], [[0.1], [0.1], [0.2], [0.1]], 0.2, [0.01])


def trap(inertia=0.95):
    return GaussianBandit(
        [0.8, 0.5],
        sigma_reward=0.1,
        reward_slope=[-0.6, 0.0],
        target=[0.0, 1.0],
        inertia=inertia,
        start=1.0,
    )


def as_they_come(batch):
    """Applicants of both groups mixed, few of them of the first."""
    survival = [[[0.9, 0.3, 0.1], [1.0, 0.6, 0.2]], [[0.8, 0.5, 0.2], [0.9, 0.8, 0.6]]]
    return ThresholdLoop(survival, [0.2, 0.5, 0.8], 0.25, [0.4, 0.6], batch=batch, stratified=False)


def environments():
    """Every name with an environment and its constraints."""
    preset, limits = threshold_preset("synthetic")
    decile, service = threshold_preset("compas_decile")
    mixed, parity = as_they_come(12), (DemographicParity(0.3),)
    return {
        "gauss": (gauss(), gauss().constraints),
        "hopeless": (hopeless(), hopeless().constraints),
        "trap": (trap(), ()),
        "preset": (preset, limits),
        "open_preset": (preset.open(), limits),
        "opportunity": (decile, (EqualOpportunity(0.15), ServiceRate(0.5))),
        "pairs": (decile.with_group_thresholds(3), service),
        "mixed": (mixed, parity),
        "open_mixed": (mixed.open(), parity),
        "single": (as_they_come(1).open(), (*parity, ServiceRate(0.3))),
        "lending": (LendingLoop(), (ServiceRate(0.5), DemographicParity(0.3))),
    }


@contextlib.contextmanager
def silence():
    """Ignore what runs warn of: no feasible arm, a rate of nobody, arms never tried."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def learner_of(name, env, constraints, horizon=ROUNDS, **options):
    """Make the learner, or None where its theory has no constants."""
    function, told = ALGORITHMS[name]
    if name == "epochs_theory" and isinstance(env, LendingLoop):
        return None
    make = getattr(algorithms, f"{function}_learner")
    with silence():
        return make(env, horizon, constraints, options=BanditOptions(**options), **told)


def rerun(env, run, seed):
    """Return what every round of a run showed, (T, C) each: values or hits, ones or trials."""
    places, world = channel_places(env), compiled_world(env)
    draws = np.empty((len(run.arms), n_draws(env)))
    draw_rounds(env, np.random.default_rng(seed), draws)
    x, w, mean = (np.zeros(n_places(env)) for _ in range(3))
    shown = []
    for t, arm in enumerate(run.arms):
        mean[places] = run.means[t]
        observe(world, run.states[t].copy(), int(arm), mean, draws[t], x, w)
        shown.append((x[places], w[places]))
    return [np.array(each) for each in zip(*shown, strict=True)]


def same_run(one, other):
    """Tell whether two runs are equal bit for bit."""
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "best":
            continue
        kind = np.asarray(a).dtype.kind == "f"
        if not np.array_equal(a, b, equal_nan=kind):
            return False
    return True
