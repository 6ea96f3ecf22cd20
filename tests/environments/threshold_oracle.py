"""The closed loop of threshold decisions in plain Python: an oracle for presets and kernels."""

from typing import NamedTuple


class Steady(NamedTuple):
    reward: float
    gap: float
    service: float
    state: tuple[float, float, float]


def clip(x, low, high):
    return min(max(x, low), high)


def means(env, arm, state):
    """Reward, gap and service of one arm at (p, q_A, q_B)."""
    p, *q = state
    rate, utility = [], []
    for g in range(2):
        bad, good = (float(env.survival[g, y, arm]) for y in (0, 1))
        rate.append(q[g] * good + (1 - q[g]) * bad)
        utility.append(q[g] * good - env.cost * (1 - q[g]) * bad)
    return (
        p * utility[0] + (1 - p) * utility[1],
        rate[0] - rate[1],
        p * rate[0] + (1 - p) * rate[1],
    )


def step(env, arm, state):
    """Where the state moves."""
    dyn = env.dynamics
    p, *q = state
    moved = []
    for g in range(2):
        bad, good = (float(env.survival[g, y, arm]) for y in (0, 1))
        aim = float(env.q0[g]) + dyn.c1 * q[g] * good - dyn.c0 * (1 - q[g]) * bad
        moved.append((1 - dyn.eta_q) * q[g] + dyn.eta_q * clip(aim, dyn.q_low, dyn.q_high))
    gap = means(env, arm, state)[1]
    aim = clip(env.p0 + dyn.c_p * gap, dyn.p_low, dyn.p_high)
    return ((1 - dyn.eta_p) * p + dyn.eta_p * aim, *moved)


def steady(env, arm):
    """Where the arm settles from the start, and what it shows there."""
    state = tuple(env.start_state.tolist())
    for _ in range(20_000):
        after = step(env, arm, state)
        change = max(abs(a - b) for a, b in zip(after, state, strict=True))
        state = after
        if change < 1e-15:
            break
    return Steady(*means(env, arm, state), state)


def feasible(gap, service, tol, min_rate):
    return abs(gap) <= tol + 1e-9 and service >= min_rate - 1e-9
