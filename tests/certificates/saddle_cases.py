"""Saddle certificates made by hand: slow loops over single rows, duals by scanning."""

import math
from dataclasses import replace

import numpy as np

from mdptheory.models import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    Discounted,
    EVaRSet,
    FiniteHorizon,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    SaddleCertificate,
    TabularMDP,
    TransportPlan,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.operators import worst_case

P = np.array(
    [
        [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]],
        [[0.25, 0.5, 0.25], [0.5, 0.0, 0.5]],
        [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]],
    ]
)
R = np.array([[1.0, 0.2], [0.5, 2.0], [0.0, 0.3]])
NAMES = ["inn", "road", "goal"]
WEIGHTS = np.array([1.0, 2.0, 0.5])
COST = np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))
LOWER, UPPER = np.full((3, 2, 3), 0.05), np.full((3, 2, 3), 0.6)
KERNELS = np.stack([P, P[::-1], P[:, ::-1]])
SETS = {
    "L1, nominal": L1Ball(0.3, "nominal"),
    "L1, all": L1Ball(0.3, "all"),
    "L1, no budget": L1Ball(0.0, "nominal"),
    "L1, without limit": L1Ball(math.inf, "all"),
    "L1, per state": L1Ball(np.array([0.1, 0.2, 1.9]), "nominal"),
    "L1, per pair": L1Ball(np.array([[0.1, 0.2], [0.0, 2.0], [1.0, 0.3]]), "nominal"),
    "weighted L1, nominal": WeightedL1Ball(0.4, WEIGHTS, "nominal"),
    "weighted L1, all": WeightedL1Ball(0.4, WEIGHTS, "all"),
    "Linf, nominal": LinfBall(0.1, "nominal"),
    "Linf, all": LinfBall(0.1, "all"),
    "L2": L2Ball(0.05, "nominal"),
    "intervals": IntervalSet(LOWER, UPPER),
    "KL": KLBall(0.1),
    "KL, tiny": KLBall(1e-9),
    "KL, huge": KLBall(40.0),
    "EVaR": EVaRSet(0.8),
    "Burg, nominal": BurgBall(0.1, "nominal"),
    "Burg, all": BurgBall(0.1, "all"),
    "Burg, leaving": BurgBall(1.5, "all"),
    "chi-square": ChiSquareBall(0.2),
    "chi-square, cut": ChiSquareBall(1.5),
    "CVaR": CVaRSet(0.6),
    "contamination, nominal": ContaminationSet(0.2, "nominal"),
    "contamination, all": ContaminationSet(0.2, "all"),
    "list": FiniteSet(KERNELS, coupled=False),
    "Wasserstein": WassersteinBall(0.2, COST),
}
SHARED = {
    "L1": L1Ball(0.5, "nominal", "s"),
    "L1, all": L1Ball(0.5, "all", "s"),
    "weighted L1": WeightedL1Ball(0.5, WEIGHTS, "nominal", "s"),
    "KL": KLBall(0.2, "s"),
    "Burg": BurgBall(0.2, "nominal", "s"),
    "chi-square": ChiSquareBall(0.3, "s"),
}
RATIONAL = (
    L1Ball, WeightedL1Ball, LinfBall, IntervalSet, ChiSquareBall, CVaRSet, ContaminationSet,
    FiniteSet, WassersteinBall,
)  # fmt: skip


def is_rational(ambiguity):
    return isinstance(ambiguity, RATIONAL)


def model(**options):
    options.setdefault("gamma", 0.5)
    return TabularMDP.from_dense(options.pop("P", P), options.pop("r", R), state_names=NAMES,
                                 **options)  # fmt: skip


def complete(mdp):
    """The same model with every successor stored (probability 0 where it was not)."""
    return mdp.completed(0.0)


def of_row(ambiguity, s, a):
    """The set around one row."""
    changes = {}
    for name in ("radius", "alpha", "fraction"):
        value = getattr(ambiguity, name, None)
        if isinstance(value, np.ndarray):
            changes[name] = float(value[s] if value.ndim == 1 else value[s, a])
    if isinstance(ambiguity, IntervalSet):
        return IntervalSet(ambiguity.lower[s, a], ambiguity.upper[s, a])
    if isinstance(ambiguity, FiniteSet):
        return FiniteSet(ambiguity.rows[:, s, a])
    if getattr(ambiguity, "rectangularity", "sa") == "s":
        changes["rectangularity"] = "sa"
    return replace(ambiguity, **changes) if changes else ambiguity


# ---- dual functions as the documentation states them, in plain Python ---------------------------


def budget_of(one):
    return -math.log(one.alpha) if isinstance(one, EVaRSet) else getattr(one, "radius", 0.0)


def penalty(one, p, x, lam, eta):
    """The formula of `mdptheory.certificates` without its budget term."""
    everywhere = getattr(one, "support", "nominal") == "all"
    use = np.full(len(p), True) if everywhere else p > 0
    least = x[use].min()
    match one:
        case L1Ball():
            return p @ np.minimum(x, least + 2 * lam)
        case WeightedL1Ball(weights=w):
            e = (x + lam * w)[use].min()
            return p @ np.minimum(x, e + lam * w)
        case WassersteinBall(cost=cost):
            return p @ (x[None, :] + lam * cost).min(axis=1)
        case KLBall() | EVaRSet():
            if lam == 0:
                return least
            there = p > 0
            return least - lam * math.log(p[there] @ np.exp((least - x[there]) / lam))
        case BurgBall():
            if lam == 0:
                return least
            there = p > 0
            return eta + lam * (1 + p[there] @ np.log((x[there] - eta) / lam))
        case ChiSquareBall():
            if lam == 0:
                return least
            return eta - lam - p @ np.maximum(eta - x, 0) ** 2 / (4 * lam)
        case LinfBall() | CVaRSet() | IntervalSet():
            low, high = limits(one, p)
            y = (x - eta)[use] if not isinstance(one, IntervalSet) else x - eta
            return eta + low @ np.maximum(y, 0) - high @ np.maximum(-y, 0)
        case L2Ball():
            y = (x - eta)[use]
            return eta + p[use] @ y - one.radius * math.sqrt(y @ y)
        case ContaminationSet(fraction=f):
            return (1 - f) * (p @ x) + f * least
        case FiniteSet(rows=rows):
            return (rows @ x).min()


def limits(one, p):
    match one:
        case LinfBall(radius=r, support=support):
            p = p if support == "all" else p[p > 0]
            return np.maximum(p - r, 0), np.minimum(p + r, 1)
        case CVaRSet(alpha=alpha):
            p = p[p > 0]
            return np.zeros(len(p)), np.minimum(p / alpha, 1)
        case IntervalSet(lower=low, upper=high):
            return low, high


def ternary(f, low, high, rounds=120):
    """Maximiser of a concave function."""
    for _ in range(rounds):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        if f(a) < f(b):
            low = a
        else:
            high = b
    return (low + high) / 2


def price(one, p, x):
    """Dual variables of one row, by scanning the documented function."""
    r, span = budget_of(one), float(np.ptp(x[p > 0])) + 1e-300
    if math.isinf(r) or span < 1e-14:
        return 0.0, float(x.min()) - 1.0
    mean = float(p @ x)
    match one:
        case L1Ball() | WeightedL1Ball() | WassersteinBall() | KLBall() | EVaRSet():
            if r == 0:
                return math.inf, 0.0
            top = 2 * float(np.ptp(x)) * max(1.0, 1 / r)
            best = ternary(lambda lam: penalty(one, p, x, lam, 0.0) - lam * r, 0.0, top)
            return max(best, 0.0), 0.0
        case ChiSquareBall():

            def lam_of(eta):
                return math.sqrt(p @ np.maximum(eta - x, 0) ** 2 / (4 * (1 + r)))

            eta = ternary(lambda e: e - 2 * (1 + r) * lam_of(e), x[p > 0].min(), mean + 2e6 * span)
            return lam_of(eta), eta
        case BurgBall():
            least = x.min() if one.support == "all" else x[p > 0].min()
            there = p > 0

            def value(log_nu):
                nu = math.exp(log_nu)
                return -nu + math.exp(p[there] @ np.log((x - least)[there] + nu) - r)

            nu = math.exp(ternary(value, math.log(span) - 40, math.log(span) + 20))
            return math.exp(p[there] @ np.log((x - least)[there] + nu) - r), least - nu
        case LinfBall() | CVaRSet() | IntervalSet():
            return 0.0, float(max(x, key=lambda eta: penalty(one, p, x, 0.0, eta)))
        case L2Ball():
            use = p > 0 if one.support == "nominal" else np.full(len(p), True)
            return 0.0, float(x[use].mean())
    return 0.0, 0.0


# ---- certificates -------------------------------------------------------------------------------


def rows_of(mdp):
    """State, action, dense nominal row and dense rewards of each row."""
    for k, s in enumerate(mdp.row_state()):
        some = slice(mdp.row_ptr[k], mdp.row_ptr[k + 1])
        p, paid = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
        p[mdp.next_state[some]] = mdp.prob[some]
        if mdp.transition_reward is not None:
            paid[mdp.next_state[some]] = mdp.transition_reward[some]
        yield k, int(s), int(mdp.action[k]), p / p.sum(), paid


def reply(mdp, ambiguity, v):
    """Nature's rows and the value of every row at v."""
    rows, value = [], []
    for k, s, a, p, paid in rows_of(mdp):
        found = worst_case(p, paid + mdp.gamma * v, of_row(ambiguity, s, a))
        base = 0.0 if mdp.transition_reward is not None else mdp.reward[k]
        rows.append(found.row)
        value.append(base + found.value)
    return np.array(rows), np.array(value)


def robust_value(mdp, ambiguity, policy=None, sweeps=None):
    """Value iteration, a row at a time; with a policy, its robust value."""
    v = np.zeros(mdp.n_states)
    rows = None if policy is None else mdp.policy_rows(policy)
    for _ in range(sweeps or math.ceil(math.log(1e-16) / math.log(mdp.gamma)) + 5):
        _, value = reply(mdp, ambiguity, v)
        v = np.maximum.reduceat(value, mdp.choice_ptr[:-1]) if rows is None else value[rows]
    return v


def dense_model(mdp, rows):
    """Nature's model, with every successor of positive or nominal mass stored."""
    ptr, nxt, prob, paid = [0], [], [], []
    for (_, _, _, p, reward), q in zip(rows_of(mdp), rows, strict=True):
        keep = np.flatnonzero(q > 0)
        nxt += keep.tolist()
        prob += q[keep].tolist()
        paid += reward[keep].tolist()
        ptr.append(len(nxt))
        del p
    changes = {"row_ptr": np.array(ptr), "next_state": np.array(nxt), "prob": np.array(prob)}
    if mdp.transition_reward is not None:
        changes["transition_reward"] = np.array(paid)
        changes["reward"] = np.add.reduceat(np.array(paid) * np.array(prob), ptr[:-1])
    return replace(mdp, **changes)


def plan_of(mdp, ambiguity, v):
    """Optimal transport by spending the budget on the steepest moves; one fractional move."""
    ptr, source, target, mass = [0], [], [], []
    for _, s, a, p, paid in rows_of(mdp):
        x, one = paid + mdp.gamma * v, of_row(ambiguity, s, a)
        lam = price(one, p, x)[0]
        n = len(p)
        cheap = [int(np.argmin(x + (lam + 1e-9) * one.cost[i])) for i in range(n)]
        dear = [int(np.argmin(x + max(lam - 1e-9, 0) * one.cost[i])) for i in range(n)]
        low, high = (sum(p[i] * one.cost[i, j[i]] for i in range(n)) for j in (cheap, dear))
        t = 0.0 if high <= low else min(1.0, (one.radius - low) / (high - low))
        for i in np.flatnonzero(p > 0):
            for j, part in ((cheap[i], 1 - t), (dear[i], t)):
                if part > 0:
                    source.append(int(i))
                    target.append(j)
                    mass.append(p[i] * part)
        ptr.append(len(source))
    return TransportPlan(np.array(ptr), np.array(source), np.array(target), np.array(mass))


def from_plan(mdp, plan):
    rows = np.zeros((mdp.n_rows, mdp.n_states))
    for k in range(mdp.n_rows):
        some = slice(plan.row_ptr[k], plan.row_ptr[k + 1])
        np.add.at(rows[k], plan.target[some], plan.mass[some])
    return rows


def duals(mdp, ambiguity, lower):
    pairs = [
        price(of_row(ambiguity, s, a), p, paid + mdp.gamma * lower)
        for _, s, a, p, paid in rows_of(mdp)
    ]
    return np.array([lam for lam, _ in pairs]), np.array([eta for _, eta in pairs])


def certify(mdp, ambiguity, width=1e-6):
    """A certificate around the slow robust value."""
    v = robust_value(mdp, ambiguity)
    rows, value = reply(mdp, ambiguity, v)
    plan = None
    if isinstance(ambiguity, WassersteinBall):
        plan = plan_of(mdp, ambiguity, v)
        rows = from_plan(mdp, plan)
    starts = mdp.choice_ptr[:-1]
    best = [int(np.argmax(part)) for part in np.split(value, starts[1:])]
    policy = np.array([mdp.action[first + k] for first, k in zip(starts, best, strict=True)])
    multiplier, level = duals(mdp, ambiguity, v - width)
    return SaddleCertificate(
        Discounted(mdp.gamma), ambiguity, v - width, v + width, policy, dense_model(mdp, rows),
        multiplier, level, plan,
    )  # fmt: skip


def shared_reply(ambiguity, ps, xs):
    """Nature's rows for two actions that share a budget, by scanning how she splits it."""

    def cost(first, rows=False):
        found = [
            worst_case(p, x, replace(of_row(ambiguity, 0, 0), radius=max(share, 0.0)))
            for p, x, share in zip(ps, xs, (first, ambiguity.radius - first), strict=True)
        ]
        return [one.row for one in found] if rows else -sum(one.value for one in found)

    best = ternary(cost, 0.0, ambiguity.radius, rounds=40)
    return cost(best, rows=True)


def shared_price(ambiguity, ps, xs):
    """One multiplier for both actions, and their levels, by scanning the documented function."""
    one = of_row(ambiguity, 0, 0)
    spans = [float(np.ptp(x)) for x in xs]

    def levels(lam):
        out = []
        for p, x in zip(ps, xs, strict=True):
            there, eta = p > 0, 0.0
            least, span = x[there].min(), float(np.ptp(x)) + 1e-300
            if isinstance(one, BurgBall):

                def value(log_nu, least=least, p=p, x=x):
                    return penalty(one, p, x, lam, least - math.exp(log_nu))

                top = math.log(span) + 20
                eta = least - math.exp(ternary(value, top - 50, top, rounds=80))
            elif isinstance(one, ChiSquareBall):

                def value(e, p=p, x=x):
                    return penalty(one, p, x, lam, e)

                eta = ternary(value, least, least + 3 * span + 4 * lam, rounds=80)
            out.append(eta)
        return out

    def total(lam):
        return (
            sum(penalty(one, p, x, lam, eta) for p, x, eta in zip(ps, xs, levels(lam), strict=True))
            - lam * ambiguity.radius
        )

    lam = ternary(total, 1e-9, 10 * max(spans), rounds=50)
    return lam, levels(lam)


def certify_shared(mdp, ambiguity, policy, width=1e-5):
    """A certificate about one random policy (``fixed``) for rows that share a budget."""
    everything = list(rows_of(mdp))
    pairs = [everything[2 * s : 2 * s + 2] for s in range(mdp.n_states)]
    v = np.zeros(mdp.n_states)

    def step(v):
        rows, value = [], []
        for s, pair in enumerate(pairs):
            ps = [p for _, _, _, p, _ in pair]
            xs = [policy[s, a] * (paid + mdp.gamma * v) for a, (*_, paid) in enumerate(pair)]
            found = shared_reply(ambiguity, ps, xs)
            rows += found
            base = sum(policy[s, a] * mdp.reward[k] for a, (k, *_) in enumerate(pair))
            value.append(base + sum(q @ x for q, x in zip(found, xs, strict=True)))
        return rows, np.array(value)

    for _ in range(30):
        rows, v = step(v)
    multiplier, level = np.zeros(mdp.n_rows), np.zeros(mdp.n_rows)
    for s, pair in enumerate(pairs):
        ps = [p for _, _, _, p, _ in pair]
        xs = [policy[s, a] * mdp.gamma * (v - width) for a in range(2)]
        multiplier[2 * s : 2 * s + 2], level[2 * s : 2 * s + 2] = shared_price(ambiguity, ps, xs)
    return SaddleCertificate(
        Discounted(mdp.gamma), ambiguity, v - width, v + width, policy,
        dense_model(mdp, rows), multiplier, level, fixed=True,
    )  # fmt: skip


def staged(horizon=3, gamma=0.9):
    return TabularMDP.from_dense(
        np.stack([P, P[::-1], P])[:horizon], np.stack([R, R, R[::-1]])[:horizon],
        objective=FiniteHorizon(horizon, gamma, [0.0, 1.0, -1.0]), state_names=NAMES,
    )  # fmt: skip


def certify_stages(mdp, ambiguity, width=1e-9):
    """Backward induction with one row at a time; ``mdp`` holds every stage's rows."""
    horizon = mdp.objective.horizon
    v, policy, rows = [np.asarray(mdp.objective.terminal)], [], []
    lower, upper = [v[0] - width], [v[0] + width]
    multiplier, level = [], []
    size = mdp.n_rows // horizon
    everything = list(rows_of(mdp))
    for h in reversed(range(horizon)):
        found, value = [], []
        for k, s, a, p, paid in everything[h * size : (h + 1) * size]:
            reply = worst_case(p, paid + mdp.gamma * v[0], of_row(ambiguity, s, a))
            found.append(reply.row)
            value.append(mdp.reward[k] + reply.value)
        table = np.array(value).reshape(3, 2)
        pairs = [price(of_row(ambiguity, s, a), p, paid + mdp.gamma * lower[0])
                 for _, s, a, p, paid in everything[h * size : (h + 1) * size]]  # fmt: skip
        multiplier.insert(0, [lam for lam, _ in pairs])
        level.insert(0, [eta for _, eta in pairs])
        rows.insert(0, found)
        policy.insert(0, table.argmax(axis=1))
        v.insert(0, table.max(axis=1))
        pad = width * (horizon - h + 1)
        lower.insert(0, v[0] - pad)
        upper.insert(0, v[0] + pad)
    return SaddleCertificate(
        mdp.objective, ambiguity, np.array(lower), np.array(upper), np.array(policy),
        dense_model(mdp, np.concatenate(rows)), np.concatenate(multiplier), np.concatenate(level),
    )  # fmt: skip
