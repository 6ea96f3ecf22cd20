"""One round of a closed loop: means, what is observed, and the next state."""

import math

from mdptheory._typing import FloatArray
from mdptheory.kernels.bandit_records import (
    C0,
    C1,
    C_P,
    ETA_P,
    ETA_Q,
    GAUSS,
    P0,
    P_HIGH,
    P_LOW,
    POPULATION,
    Q_HIGH,
    Q_LOW,
    QA0,
    Desk,
    Gauss,
    Population,
    World,
)
from mdptheory.kernels.lean import lean, lean_inline
from mdptheory.kernels.lending import lending_advance, lending_drift, lending_means, lending_round

# Channels of a population, whether shown or not: reward, gap, service, then counts
GAP, SERVICE, RATE, TPR = 1, 2, 3, 5


@lean
def binomial(
    n: int,
    p: float,
    log_p: float,
    log_q: float,
    u: float,
    log_factorial: FloatArray,
    reciprocal: FloatArray,
) -> int:
    """Turn a uniform number into Bin(n, p): values are tried outwards from the mode."""
    if n == 0 or p <= 0.0:
        return 0
    if p >= 1.0:
        return n
    mode = min(n, int((n + 1) * p))
    odds, against = p / (1.0 - p), (1.0 - p) / p
    choices = log_factorial[n] - log_factorial[mode] - log_factorial[n - mode]
    high = low = math.exp(choices + mode * log_p + (n - mode) * log_q)
    up = down = mode
    rest = u - high
    while rest >= 0.0:
        if up < n:
            high *= (n - up) * odds * reciprocal[up + 1]
            up += 1
            rest -= high
            if rest < 0.0:
                return up
        if down > 0:
            low *= down * against * reciprocal[n - down + 1]
            down -= 1
            rest -= low
            if rest < 0.0:
                return down
        elif up == n:  # the masses sum to 1 but for rounding
            return mode
    return mode


@lean_inline
def population_means(it: Population, z: FloatArray, arm: int, out: FloatArray) -> None:
    """Write the mean of every channel."""
    p = z[0]
    reward = service = 0.0
    for g in range(2):
        q, share = z[1 + g], p if g == 0 else 1.0 - p
        good, bad = q * it.survival[g, 1, arm], (1.0 - q) * it.survival[g, 0, arm]
        reward += share * (good - it.cost * bad)
        service += share * (good + bad)
        out[RATE + g] = good + bad
        out[TPR + g] = it.survival[g, 1, arm]
    out[0], out[SERVICE] = reward, service
    out[GAP] = out[RATE] - out[RATE + 1]


@lean
def population_round(
    it: Population, z: FloatArray, arm: int, u: FloatArray, x: FloatArray, w: FloatArray
) -> None:
    """Draw a batch; ``x`` gets values and hits, ``w`` ones and trials."""
    p, n_first, n_second = z[0], it.n_first, it.n_second
    if not it.stratified:
        n_first = 0
        if p > 0.0:
            log_q = math.log1p(-p) if p < 1.0 else 0.0
            n_first = binomial(
                it.n_first, p, math.log(p), log_q, u[6], it.log_factorial, it.reciprocal
            )
        n_second = it.n_first - n_first
    reward = service = 0.0
    for g in range(2):
        n, q, share = (n_first, z[1], p) if g == 0 else (n_second, z[2], 1.0 - p)
        log_q = math.log(q) if q > 0.0 else 0.0
        log_rest = math.log1p(-q) if q < 1.0 else 0.0
        good = binomial(n, q, log_q, log_rest, u[3 * g], it.log_factorial, it.reciprocal)
        taken = 0
        profit = 0.0
        for y in range(2):
            hits = binomial(
                good if y == 1 else n - good,
                it.survival[g, y, arm],
                it.log_survival[g, y, arm],
                it.log_rejected[g, y, arm],
                u[3 * g + 2 - y],
                it.log_factorial,
                it.reciprocal,
            )
            taken += hits
            profit += hits if y == 1 else -it.cost * hits
            if y == 1:
                x[TPR + g], w[TPR + g] = hits, good
        x[RATE + g], w[RATE + g] = taken, n
        if it.stratified:
            reward += share * profit / n
            service += share * taken / n
        else:
            reward += profit / it.n_first
            service += taken / it.n_first
    x[0], x[SERVICE] = reward, service
    w[0] = w[GAP] = w[SERVICE] = 1.0
    x[GAP] = x[RATE] / n_first - x[RATE + 1] / n_second if it.stratified else 0.0


@lean_inline
def population_advance(
    it: Population, z: FloatArray, arm: int, first: float, second: float
) -> None:
    """Move the state; ``first`` and ``second`` are the acceptance rates that p follows."""
    d = it.drift
    for g in range(2):
        q = z[1 + g]
        good, bad = q * it.survival[g, 1, arm], (1.0 - q) * it.survival[g, 0, arm]
        aim = d[QA0 + g] + d[C1] * good - d[C0] * bad
        z[1 + g] = (1.0 - d[ETA_Q]) * q + d[ETA_Q] * min(max(aim, d[Q_LOW]), d[Q_HIGH])
    aim = d[P0] + d[C_P] * (first - second)
    z[0] = (1.0 - d[ETA_P]) * z[0] + d[ETA_P] * min(max(aim, d[P_LOW]), d[P_HIGH])


@lean_inline
def gauss_means(it: Gauss, z: FloatArray, arm: int, out: FloatArray) -> None:
    """Write the mean of every channel."""
    for c in range(len(it.sigma)):
        out[c] = it.base[arm, c] + it.slope[arm, c] * z[0]


@lean_inline
def means(world: World, z: FloatArray, arm: int, out: FloatArray) -> None:
    """Write the mean of every channel of an arm at a state."""
    if world.kind == GAUSS:
        gauss_means(world.gauss, z, arm, out)
    elif world.kind == POPULATION:
        population_means(world.population, z, arm, out)
    else:
        lending_means(world.lending, z, arm, out)


@lean
def all_means(world: World, z: FloatArray, out: FloatArray) -> None:
    """Write the means of every channel under every arm at a state."""
    for arm in range(out.shape[0]):
        means(world, z, arm, out[arm])


@lean_inline
def observe(
    world: World,
    z: FloatArray,
    arm: int,
    mean: FloatArray,
    draw: FloatArray,
    x: FloatArray,
    w: FloatArray,
) -> None:
    """Draw what a round shows; ``draw`` holds normal numbers or uniform ones."""
    if world.kind == GAUSS:
        for c in range(len(mean)):
            x[c] = mean[c] + world.gauss.sigma[c] * draw[c]
            w[c] = 1.0
    elif world.kind == POPULATION:
        population_round(world.population, z, arm, draw, x, w)
    else:
        lending_round(world.lending, z, arm, draw, x, w)


@lean_inline
def advance(
    world: World,
    z: FloatArray,
    arm: int,
    mean: FloatArray,
    draw: FloatArray,
    x: FloatArray,
    w: FloatArray,
) -> None:
    """Move the state after a round."""
    if world.kind == GAUSS:
        kept = world.gauss.inertia
        z[0] = kept * z[0] + (1.0 - kept) * world.gauss.target[arm]
    elif world.kind == POPULATION:
        first, second = mean[RATE], mean[RATE + 1]
        if world.population.stochastic:  # a group that nobody applied from keeps its mean
            first = x[RATE] / w[RATE] if w[RATE] > 0.0 else first
            second = x[RATE + 1] / w[RATE + 1] if w[RATE + 1] > 0.0 else second
        population_advance(world.population, z, arm, first, second)
    else:
        lending_advance(world.lending, z, arm, draw)


@lean
def drift(world: World, z: FloatArray, arm: int, out: FloatArray) -> None:
    """Write the next state without noise."""
    for i in range(len(z)):
        out[i] = z[i]
    if world.kind == GAUSS:
        kept = world.gauss.inertia
        out[0] = kept * z[0] + (1.0 - kept) * world.gauss.target[arm]
    elif world.kind == POPULATION:
        s = world.population.survival
        first = z[1] * s[0, 1, arm] + (1.0 - z[1]) * s[0, 0, arm]
        second = z[2] * s[1, 1, arm] + (1.0 - z[2]) * s[1, 0, arm]
        population_advance(world.population, out, arm, first, second)
    else:
        lending_drift(world.lending, z, arm, out)


@lean
def settle(
    world: World, z: FloatArray, arm: int, tol: float, max_steps: int, scratch: FloatArray
) -> int:
    """Iterate the noiseless step until it moves by less than ``tol``; return the steps taken."""
    if world.kind == GAUSS:  # with inertia 0.999 it would take 35,000 steps
        z[0] = world.gauss.target[arm]
        return 1
    for step in range(max_steps):
        drift(world, z, arm, scratch)
        moved = 0.0
        for i in range(len(z)):
            moved = max(moved, abs(scratch[i] - z[i]))
            z[i] = scratch[i]
        if moved < tol:
            return step + 1
    return max_steps


@lean
def sweep(
    world: World,
    z: FloatArray,
    arm: int,
    desk: Desk,
    draws: FloatArray,
    skip: int,
    total: FloatArray,
    weight: FloatArray,
) -> None:
    """Play one arm as many rounds as there are draws; add up what it shows after the first."""
    mean, x, w = desk.mean, desk.x, desk.w
    for t in range(len(draws)):
        means(world, z, arm, mean)
        observe(world, z, arm, mean, draws[t], x, w)
        if t >= skip:
            for c in range(len(total)):
                total[c] += x[c]
                weight[c] += w[c]
        advance(world, z, arm, mean, draws[t], x, w)
