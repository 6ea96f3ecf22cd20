"""What nature can do to one state: a slow second opinion on every ambiguity set.

Nothing here comes from the library's kernels. Sets given by linear inequalities are solved greedily
in rational arithmetic (or by enumerating the breakpoints of a concave function of one variable);
round balls by trying every support; divergences by bisection.
"""

import itertools
import math
from fractions import Fraction

import numpy as np

from mdptheory.models import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FactorSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.models.ambiguity import is_s_rectangular

ROUNDS = 200


# ---- one row --------------------------------------------------------------------------------


def normal(p):
    """Return a row in Fractions, divided by its sum."""
    exact = [Fraction(float(x)) for x in p]
    total = sum(exact)
    return [x / total for x in exact]


def within_bounds(low, high, z):
    """Fill up from the cheapest outcome."""
    rest, value = 1 - sum(low), sum(a * x for a, x in zip(low, z, strict=True))
    for i in sorted(range(len(z)), key=lambda i: z[i]):
        more = min(rest, high[i] - low[i])
        rest, value = rest - more, value + more * z[i]
    return value


def l1(p, z, radius):
    """Move half the radius from the dearest outcomes to the cheapest."""
    k = min(range(len(z)), key=lambda i: z[i])
    value, left = sum(a * x for a, x in zip(p, z, strict=True)), radius / 2
    for i in sorted(range(len(z)), key=lambda i: -z[i]):
        if i != k:
            part = min(left, p[i])
            left, value = left - part, value - part * (z[i] - z[k])
    return value


def transport(p, z, cost, radius):
    """Maximise the dual function of the price at its breakpoints."""
    n = len(z)
    prices = {Fraction(0)}
    for i in range(n):
        for j, k in itertools.combinations(range(n), 2):
            if cost[i][j] != cost[i][k]:
                prices.add((z[k] - z[j]) / (cost[i][j] - cost[i][k]))
    return max(
        sum(p[i] * min(z[j] + lam * cost[i][j] for j in range(n)) for i in range(n)) - lam * radius
        for lam in prices
        if lam >= 0
    )


def supports(n):
    """Return every set of outcomes but the empty one."""
    return [s for k in range(1, n + 1) for s in itertools.combinations(range(n), k)]


def round_ball(p, z, radius, scale):
    """Minimise over ``sum (q - p)^2 / scale <= radius`` (already squared), support by support."""
    p, z, scale = (np.array(x, dtype=np.longdouble) for x in (p, z, scale))
    least, n = z.min(), len(z)
    z = z - least
    best = p @ z
    for support in supports(n):
        a = np.array(support)
        off = np.setdiff1d(np.arange(n), a)
        lost = p[off].sum()
        s = scale[a]
        centre = p[a] + lost * s / s.sum()  # nearest point of the face's plane
        room = radius - (p[off] ** 2 / scale[off]).sum() - lost**2 / s.sum()
        if room < 0:
            continue
        mean = (s * z[a]).sum() / s.sum()
        fall = (s * (z[a] - mean) ** 2).sum()
        level = fall <= s.sum() * (1e-17 * z.max()) ** 2  # all alike, but for rounding
        q = centre if level else centre - s * (z[a] - mean) * np.sqrt(room / fall)
        if (q >= -1e-12 * p[a]).all():
            best = min(best, q @ z[a])
    for face in {float(x) for x in z}:  # the whole face of the cheapest, if it is reached
        if face == 0:
            a = np.flatnonzero(z == 0)
            off = np.flatnonzero(z != 0)
            need = (p[off] ** 2 / scale[off]).sum() + p[off].sum() ** 2 / scale[a].sum()
            if need <= radius:
                best = min(best, np.longdouble(0))
    return float(least + best)


def kl(p, z, radius):
    """Tilt by bisection on the inverse price."""
    return min(tilt_value(p, z, radius), float(np.dot(p, z)))


def tilt_value(p, z, radius):
    p, z = np.array(p, dtype=np.longdouble), np.array(z, dtype=np.longdouble)
    keep = p > 0
    p, z = p[keep], z[keep]
    d = z - z.min()
    top = d.max()
    if top == 0 or radius == 0:
        return float(p @ z)
    if radius >= -np.log(p[d == 0].sum()):
        return float(z.min())
    d = d / top

    def far(log_tau):
        tau = np.exp(np.longdouble(log_tau))
        w = p * np.exp(-tau * d)
        q = w / w.sum()
        log_sum = np.log1p(p @ np.expm1(-tau * d)) if tau < 1 else np.log(w.sum())
        return -tau * (q @ d) - log_sum, q

    lo, hi = -80.0, 80.0
    for _ in range(ROUNDS):
        mid = (lo + hi) / 2
        if far(mid)[0] < radius:
            lo = mid
        else:
            hi = mid
    return float(z.min() + top * (far(lo)[1] @ d))


def burg(p, z, radius):
    """Bisection on how far below the least worth the level lies."""
    p, z = np.array(p, dtype=np.longdouble), np.array(z, dtype=np.longdouble)
    least = z.min()
    d = z - least
    top = d.max()
    if top == 0 or radius == 0:
        return float(p @ z)
    d = d / top
    keep = p > 0
    p, d = p[keep], d[keep]
    if (d > 0).all():
        most = p @ np.log(d) + np.log(p @ (1 / d))
        if radius >= most:
            return float(least + top * np.exp(p @ np.log(d) - radius))

    def excess(log_nu):
        nu = np.exp(np.longdouble(log_nu))
        if nu > 1:
            return p @ np.log1p(d / nu) + np.log1p(-(p @ (d / (d + nu))))
        return p @ np.log(d + nu) + np.log(p @ (1 / (d + nu)))  # without the large log nu

    lo, hi = -11000.0, 80.0
    for _ in range(ROUNDS):
        mid = (lo + hi) / 2
        if excess(mid) > radius:
            lo = mid
        else:
            hi = mid
    nu = np.exp(np.longdouble(hi))
    if nu > 1:
        return float(least + top * nu * np.expm1(p @ np.log1p(d / nu) - radius))
    return float(least + top * (np.exp(p @ np.log(d + nu) - radius) - nu))


# ---- rows of a model -------------------------------------------------------------------------


def per_row(array, s, a):
    array = np.asarray(array, dtype=float)
    return float(array if array.ndim == 0 else array[s] if array.ndim == 1 else array[s, a])


@np.errstate(all="ignore")
def row_value(one, p, z, s=0, a=0, listed=None, place=None):
    """Return nature's least ``q.z``; p and z cover all states, z may be inf where undefined."""
    p = normal(p)
    n = len(p)
    support = getattr(one, "support", "nominal")
    if isinstance(one, IntervalSet | FiniteSet | WassersteinBall):
        support = "all"
    if isinstance(one, IntervalSet) and one.row_ptr is not None:
        keep = listed
    else:
        keep = list(range(n)) if support == "all" else [i for i in range(n) if p[i] > 0]
    full_p = p
    p, x = [p[i] for i in keep], [Fraction(float(z[i])) for i in keep]
    f = [float(v) for v in p]
    fz = [float(v) for v in x]
    match one:
        case L1Ball(radius=radius):
            return float(l1(p, x, Fraction(min(per_row(radius, s, a), 2.0))))
        case WeightedL1Ball(radius=radius, weights=weights):
            w = [Fraction(float(weights[i])) for i in keep]
            r = per_row(radius, s, a)
            cost = [
                [Fraction(0) if i == j else w[i] + w[j] for j in range(len(w))]
                for i in range(len(w))
            ]
            return float(min(x)) if math.isinf(r) else float(transport(p, x, cost, Fraction(r)))
        case WassersteinBall(radius=radius, cost=cost):
            r = per_row(radius, s, a)
            if math.isinf(r):
                return float(min(x))
            exact = [[Fraction(float(c)) for c in row] for row in cost]
            return float(transport(p, x, exact, Fraction(r)))
        case LinfBall(radius=radius):
            r = Fraction(min(per_row(radius, s, a), 2.0))
            return float(within_bounds([max(v - r, 0) for v in p], [min(v + r, 1) for v in p], x))
        case IntervalSet(lower=lower, upper=upper, row_ptr=ptr):
            if ptr is not None:
                low, high = lower[place], upper[place]
            elif lower.ndim == 1:
                low, high = lower, upper
            else:
                low, high = lower[s, a], upper[s, a]
            low, high = ([Fraction(float(v)) for v in side] for side in (low, high))
            low = [v / max(sum(low), 1) for v in low]
            high = [v / min(sum(high), 1) for v in high]
            return float(within_bounds(low, high, x))
        case CVaRSet(alpha=alpha):
            tail = Fraction(per_row(alpha, s, a))
            return float(within_bounds([Fraction(0)] * len(p), [min(v / tail, 1) for v in p], x))
        case ContaminationSet(fraction=fraction):
            part = Fraction(per_row(fraction, s, a))
            mean = sum(v * t for v, t in zip(p, x, strict=True))
            return float((1 - part) * mean + part * min(x))
        case FiniteSet(rows=rows):
            some = rows if rows.ndim == 2 else rows[:, s, a]
            return float(min(sum(v * t for v, t in zip(normal(q), x, strict=True)) for q in some))
        case L2Ball(radius=radius):
            return round_ball(f, fz, min(per_row(radius, s, a), 2.0) ** 2, [1.0] * len(f))
        case ChiSquareBall(radius=radius):
            return round_ball(f, fz, min(per_row(radius, s, a), 1e300), f)
        case KLBall(radius=radius):
            return kl(f, fz, per_row(radius, s, a))
        case EVaRSet(alpha=alpha):
            return kl(f, fz, -math.log(per_row(alpha, s, a)))
        case BurgBall(radius=radius):
            return burg(f, fz, per_row(radius, s, a))
    raise AssertionError(full_p)


# ---- states that share a budget ----------------------------------------------------------------


@np.errstate(all="ignore")
def shared_value(one, rows, budget, chances):
    """Return the least ``sum_a pi_a q_a.x_a``; rows are pairs (p, z).

    The dual function of the price is concave: golden sections, at the least on a wide grid.
    """
    data = []
    for chance, (p, z) in zip(chances, rows, strict=True):
        if chance > 0:
            support = getattr(one, "support", "nominal")
            p = np.array([float(v) for v in normal(p)])
            keep = np.full(len(p), True) if support == "all" else p > 0
            w = one.weights[keep] if isinstance(one, WeightedL1Ball) else None
            data.append((p[keep], chance * np.asarray(z, dtype=float)[keep], w))
    floor = sum(x.min() for _, x, _ in data)
    mean = sum(p @ x for p, x, _ in data)
    if math.isinf(budget) or mean == floor:
        return floor
    if budget == 0:
        return mean
    top = max(np.ptp(x) for _, x, _ in data)

    def g(lam):
        return sum(penalised(one, p, x, w, lam) for p, x, w in data) - lam * budget

    return max(floor, *golden(lambda t: g(top * math.exp(t)), -60.0, 60.0))


def golden(f, lo, hi):
    grid = np.linspace(lo, hi, 241)
    values = [f(t) for t in grid]
    k = int(np.argmax(values))
    lo, hi = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
    for _ in range(100):
        a, b = lo + 0.382 * (hi - lo), lo + 0.618 * (hi - lo)
        if f(a) < f(b):
            lo = a
        else:
            hi = b
    return [max(values), f((lo + hi) / 2)]


def penalised(one, p, x, w, lam):
    """Return ``min_q q.x + lam distance(q, p)``."""
    least = x.min()
    d = x - least
    if isinstance(one, L1Ball):
        return least + p @ np.minimum(d, 2 * lam)
    if isinstance(one, WeightedL1Ball):
        move = lam * (w[:, None] + w[None, :])
        np.fill_diagonal(move, 0.0)
        return least + p @ (d[None, :] + move).min(axis=1)
    if isinstance(one, KLBall):
        return least - lam * np.log1p(p @ np.expm1(-d / lam))
    if isinstance(one, ChiSquareBall):  # q = p (eta - x)_+ / (2 lam), sum 1
        lo, hi = least, x.max() + 4 * lam
        order = np.argsort(x)
        p, d = p[order], d[order]
        mass, first = np.cumsum(p), np.cumsum(p * d)
        for k in range(len(p)):
            eta = (2 * lam + first[k]) / mass[k]
            if k + 1 == len(p) or eta <= d[k + 1]:
                break
        part = np.maximum(eta - d, 0)
        q = p * part / (2 * lam)
        q = q / q.sum()
        return least + q @ d + lam * ((q - p) ** 2 / p).sum()
    # Burg: q = lam p / (x - eta)
    some = p > 0
    p, d = p[some], d[some]
    if (d > 0).all() and lam * (p @ (1 / d)) <= 1:
        return least + lam + lam * (p @ np.log(d / lam))
    lo, hi = 0.0, lam
    for _ in range(120):
        nu = (lo + hi) / 2
        if lam * (p @ (1 / (d + nu))) > 1:
            lo = nu
        else:
            hi = nu
    return least - hi + lam + lam * (p @ np.log((d + hi) / lam))


def minimax(one, rows, budget):
    """Maximise over distributions of actions: one, two or three of them."""
    m = len(rows)
    if m == 1:
        return shared_value(one, rows, budget, [1.0])
    if m == 2:

        def f(t):
            return shared_value(one, rows, budget, [t, 1 - t])

        return max(f(0.0), f(1.0), *section(f))
    raise AssertionError("at most two actions")


def section(f):
    lo, hi = 0.0, 1.0
    for _ in range(45):
        a, b = lo + 0.382 * (hi - lo), lo + 0.618 * (hi - lo)
        if f(a) < f(b):
            lo = a
        else:
            hi = b
    return [f((lo + hi) / 2)]


# ---- a sweep ------------------------------------------------------------------------------------


def rows_of(mdp, stage=0):
    """Yield state, action, dense row, dense worths but for gamma v, listed, place."""
    first = stage * mdp.n_states if mdp.n_stages > 1 else 0
    for s in range(mdp.n_states):
        for row in range(int(mdp.choice_ptr[first + s]), int(mdp.choice_ptr[first + s + 1])):
            a, b = int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1])
            listed = mdp.next_state[a:b].astype(int)
            p, pay = np.zeros(mdp.n_states), np.full(mdp.n_states, float(mdp.reward[row]))
            p[listed] = mdp.prob[a:b]
            if mdp.transition_reward is not None:
                pay[:] = np.inf
                pay[listed] = mdp.transition_reward[a:b]
            yield s, int(mdp.action[row]), p, pay, listed.tolist(), slice(a, b)


def sweep(mdp, ambiguity, v, policy=None, stage=0):
    """Apply the robust operator, or one policy's, in plain loops; return values and row values."""
    n = mdp.n_states
    gamma = mdp.gamma
    v = np.asarray(v, dtype=float)
    if policy is not None and policy.ndim == 2:
        policy = policy / policy.sum(axis=1, keepdims=True)
    shared = is_s_rectangular(ambiguity)
    if isinstance(ambiguity, FactorSet):
        found = [
            row_value(one, w, gamma * v)
            for one, w in zip(ambiguity.sets, ambiguity.factors, strict=True)
        ]
    q, games = np.full((n, mdp.n_actions), -np.inf), [[] for _ in range(n)]
    for s, a, p, pay, listed, place in rows_of(mdp, stage):
        z = np.where(np.isfinite(pay), pay + gamma * v, 0.0)
        if isinstance(ambiguity, FactorSet):
            u = ambiguity.weights[s, a]
            q[s, a] = pay[0] + float(np.dot(u / u.sum(), found))
        elif shared:
            games[s].append((a, p, z))
        elif mdp.transition_reward is None:  # keep the reward out: it may dwarf what is to come
            q[s, a] = pay[0] + row_value(ambiguity, p, gamma * v, s, a, listed, place)
        else:
            q[s, a] = row_value(ambiguity, p, z, s, a, listed, place)
    if shared:
        out = np.empty(n)
        for s, game in enumerate(games):
            budget = per_row(ambiguity.radius, s, 0)
            rows = [(p, z) for _, p, z in game]
            if policy is None:
                out[s] = minimax(ambiguity, rows, budget)
            else:
                chances = [
                    policy[s, a] if policy.ndim == 2 else float(policy[s] == a) for a, _, _ in game
                ]
                out[s] = shared_value(ambiguity, rows, budget, chances)
        return out, q
    if policy is None:
        return q.max(axis=1), q
    if policy.ndim == 1:
        return q[np.arange(n), policy], q
    return np.where(policy > 0, policy * np.where(policy > 0, q, 0), 0).sum(axis=1), q
