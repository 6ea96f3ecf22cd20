"""What the channels of a closed loop promise a learner: means, ranges and scales of the noise."""

import itertools

import numpy as np
import pytest

from mdptheory.models import ThresholdLoop
from mdptheory.operators.closed_loop import loop_means

TABLE = np.array([[[1, 0.5, 0.1], [1, 0.9, 0.4]], [[1, 0.6, 0.2], [1, 1.0, 0.7]]])


def loop(**changes):
    given = {"survival": TABLE, "thresholds": [0.0, 0.5, 1.0], "p0": 0.4, "q0": [0.3, 0.6]}
    return ThresholdLoop(**(given | changes))


def applicants(env, state, arm, rng, rounds):
    """Simulate rounds person by person; NaN for a rate of nobody."""
    p, *q = state
    shown = []
    for _ in range(rounds):
        if env.stratified:
            members = [0] * env.sizes[0] + [1] * env.sizes[1]
        else:
            members = (rng.random(env.batch) >= p).astype(int).tolist()
        hits, sizes, good, good_hits = [0, 0], [0, 0], [0, 0], [0, 0]
        earned = [0.0, 0.0]
        for g in members:
            y = int(rng.random() < q[g])
            a = int(rng.random() < env.survival[g, y, arm])
            sizes[g] += 1
            hits[g] += a
            good[g] += y
            good_hits[g] += a * y
            earned[g] += a * (1.0 if y else -env.cost)
        if env.stratified:
            share = (p / sizes[0], (1 - p) / sizes[1])
            row = [share[0] * earned[0] + share[1] * earned[1]]
            row += [hits[0] / sizes[0] - hits[1] / sizes[1]]
            row += [share[0] * hits[0] + share[1] * hits[1]]
        else:
            row = [sum(earned) / env.batch, sum(hits) / env.batch]
        row += [h / n if n else np.nan for h, n in zip(hits, sizes, strict=True)]
        row += [h / n if n else np.nan for h, n in zip(good_hits, good, strict=True)]
        shown.append(row)
    return np.array(shown)


@pytest.mark.parametrize(
    ("batch", "stratified"), [(4, True), ((3, 9), True), (6, False), (1, False)]
)
def test_channels_against_people(batch, stratified):
    """Means are unbiased, values stay in range, and spread no more than the scale."""
    env = loop(batch=batch, stratified=stratified, cost=1.5)
    state = np.array([0.35, 0.3, 0.6])
    rng = np.random.default_rng(7)
    rounds = 3000
    shown = applicants(env, state, 1, rng, rounds)
    means = loop_means(env, state)[1]
    assert shown.shape[1] == len(env.channels)
    for c, channel in enumerate(env.channels):
        seen = shown[~np.isnan(shown[:, c]), c]
        spread = seen.std()
        assert abs(seen.mean() - means[c]) <= 5 * spread / np.sqrt(len(seen)) + 1e-12
        assert channel.low <= seen.min()
        assert seen.max() <= channel.high
        if not channel.trials:
            assert spread <= channel.scale * (1 + 5 / np.sqrt(rounds))
        else:
            assert channel.scale == 0.5
            sizes = env.sizes if stratified else (batch, batch)
            assert channel.trials == sizes[channel.name.endswith("B")]


def log_mgf(env, state, arm, channel, t):
    """Exact log E exp(t (X - E X)) of a value channel: people are independent."""
    p, *q = state
    total = 0.0
    people = []  # (how many, [(probability, value)])
    shares = (p, 1 - p) if env.stratified else (1.0, 1.0)
    for g in range(2):
        bad, good = env.survival[g, :, arm]
        kinds = [(q[g] * good, 1), (q[g] * (1 - good), None)]
        kinds += [((1 - q[g]) * bad, 0), ((1 - q[g]) * (1 - bad), None)]
        sign = {"reward": shares[g], "service": shares[g], "gap": 1 - 2 * g}[channel]
        worth = {1: 1.0, 0: -env.cost} if channel == "reward" else {1: 1.0, 0: 1.0}
        people.append([(w, sign * worth.get(y, 0.0)) for w, y in kinds])
    if env.stratified:
        groups = [(n, [(w, v / n) for w, v in k]) for n, k in zip(env.sizes, people, strict=True)]
    else:
        mixed = [(p * w, v) for w, v in people[0]] + [((1 - p) * w, v) for w, v in people[1]]
        groups = [(env.batch, [(w, v / env.batch) for w, v in mixed])]
    for n, kinds in groups:
        mean = sum(w * v for w, v in kinds)
        total += n * np.log(sum(w * np.exp(t * (v - mean)) for w, v in kinds))
    return total


def worst_ratio(env, scales):
    """Largest log-mgf over what the scale allows, over states, arms and both tails."""
    worst = 0.0
    for p, qa, qb in itertools.product((0.0, 0.05, 0.5, 1.0), (0.1, 0.5, 0.95), (0.1, 0.5, 0.95)):
        for arm, (name, scale) in itertools.product(range(env.n_arms), scales.items()):
            for t in (-30.0, -3.0, -0.3, 0.3, 3.0, 30.0):
                value = log_mgf(env, (p, qa, qb), arm, name, t)
                worst = max(worst, value / (t * t * scale * scale / 2))
    return worst


@pytest.mark.parametrize(
    ("batch", "stratified"), [(3, True), ((2, 5), True), (3, False), (1, False)]
)
def test_scales_are_sub_gaussian_and_no_smaller_ones_are(batch, stratified):
    env = loop(batch=batch, stratified=stratified, cost=2.0)
    scales = {c.name: c.scale for c in env.channels if not c.trials}
    assert worst_ratio(env, scales) <= 1 + 1e-9
    for name, scale in scales.items():
        assert worst_ratio(env, {name: 0.8 * scale}) > 1


def test_scales_by_their_formulas():
    env = loop(batch=100, cost=2.0)
    assert [c.scale for c in env.channels][:3] == pytest.approx([0.15, 0.5 * np.sqrt(0.02), 0.05])
    uneven = loop(batch=(100, 25), cost=1.0)
    gap = 0.5 * np.sqrt(1 / 100 + 1 / 25)
    assert [c.scale for c in uneven.channels][:3] == pytest.approx([0.2, gap, 0.1])
    assert [c.trials for c in uneven.channels] == [0, 0, 0, 100, 25, 100, 25]
    names = [c.name for c in loop(stratified=False, groups=("x", "y")).channels]
    assert names == ["reward", "service", "rate_x", "rate_y", "tpr_x", "tpr_y"]


def test_the_absolute_gap_is_biased_and_the_signed_one_is_not():
    """Why residuals read the signed gap: with equal groups |gap| has mean about 1/sqrt(pi n)."""
    half = np.full((2, 2, 1), 0.5)
    env = ThresholdLoop(half, [0.5], 0.5, [0.5, 0.5], batch=25)
    gap = applicants(env, env.start_state, 0, np.random.default_rng(2), 2000)[:, 1]
    assert abs(gap.mean()) < 5 * gap.std() / np.sqrt(2000)
    assert np.abs(gap).mean() == pytest.approx(1 / np.sqrt(np.pi * 25), abs=0.01)
