"""One-state games of s-rectangular sets, their distances, dual functions and cvxpy oracles."""

import warnings

import numpy as np

from mdptheory import Discounted, TabularMDP
from mdptheory.models.ambiguity import BurgBall, ChiSquareBall, KLBall, L1Ball, WeightedL1Ball
from mdptheory.operators.state_backup import StateBackup

KINDS = ("l1", "weighted l1", "kl", "burg", "chi2")


def model(p, z):
    """State 0 has the rows ``p``, whose outcomes pay ``z``; the others lead back to it."""
    m, n = p.shape
    reward = np.zeros((m + n - 1, n))
    reward[:m] = z
    prob = np.zeros((m + n - 1, n))
    prob[:m], prob[m:, 0] = p, 1.0
    return TabularMDP(
        choice_ptr=np.r_[0, m + np.arange(n)], action=np.r_[np.arange(m), np.zeros(n - 1, int)],
        row_ptr=np.arange(m + n) * n, next_state=np.tile(np.arange(n), m + n - 1),
        prob=prob.ravel(), reward=(prob * reward).sum(1), transition_reward=reward.ravel(),
        objective=Discounted(0.9), n_states=n,
    )  # fmt: skip


def ball(kind, radius, weights, support):
    return {
        "l1": lambda: L1Ball(radius, support, "s"),
        "weighted l1": lambda: WeightedL1Ball(radius, weights, support, "s"),
        "kl": lambda: KLBall(radius, "s"),
        "burg": lambda: BurgBall(radius, support, "s"),
        "chi2": lambda: ChiSquareBall(radius, "s"),
    }[kind]()


class Case:
    """A state's rows and worths with a set, and what nature may use."""

    def __init__(self, kind, p, z, radius, weights=None, support="all"):
        self.kind, self.p, self.z, self.radius = (
            kind,
            np.array(p, float),
            np.array(z, float),
            radius,
        )
        self.m, self.n = self.p.shape
        self.weights = np.ones(self.n) if weights is None else np.asarray(weights, float)
        everywhere = support == "all" and kind in ("l1", "weighted l1", "burg")
        self.usable = np.full(self.p.shape, True) if everywhere else self.p > 0
        self.game = StateBackup(
            model(self.p, self.z), ball(kind, radius, self.weights, support), threads=1
        )

    def solve(self):
        """Value, policy and nature's rows of the minimax problem, with the dual variables."""
        v, out = np.zeros(self.n), np.empty(self.n)
        for _ in range(2):  # the second sweep starts from guesses
            self.game.greedy(v, out)
        reply = self.game.reply(v)
        return out[0], self.game.policy()[0, : self.m], self._rows(reply), reply

    def play(self, pi):
        """Value and nature's rows against one policy, with the dual variables."""
        policy = np.zeros((self.n, self.game.mdp.n_actions))
        policy[:, 0] = 1.0
        policy[0, : self.m], policy[0, self.m :] = pi, 0.0
        out = np.empty(self.n)
        for _ in range(2):
            self.game.evaluate(policy, np.zeros(self.n), out)
        reply = self.game.reply_to(policy, np.zeros(self.n))
        return out[0], self._rows(reply), reply

    def _rows(self, reply):
        rows = np.zeros((self.m, self.n))
        count = np.diff(reply.row_ptr[: self.m + 1])
        stop = reply.row_ptr[self.m]
        rows[np.repeat(np.arange(self.m), count), reply.next_state[:stop]] = reply.prob[:stop]
        return rows

    def distance(self, q):
        """The budget that nature's rows take."""
        p = self.p
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "l1": lambda: np.abs(q - p).sum(),
                "weighted l1": lambda: (self.weights * np.abs(q - p)).sum(),
                "kl": lambda: np.where(q > 0, q * np.log(q / p), 0.0).sum(),
                "burg": lambda: np.where(p > 0, p * np.log(p / q), 0.0).sum(),
                "chi2": lambda: np.where(q == p, 0.0, (q - p) ** 2 / p).sum(),
            }[self.kind]()

    def bound(self, pi, reply):
        """What weak duality proves for a policy from the reply's multiplier and levels."""
        if self.radius == 0.0:
            return float(pi @ (self.p * self.z).sum(1))
        lam = float(reply.multiplier[0])
        parts = [
            self._penalised(self.p[a][ok], pi[a] * self.z[a][ok], lam, reply.level[a], ok)
            for a, ok in enumerate(self.usable)
        ]
        return sum(parts) - lam * self.radius

    def _penalised(self, p, x, lam, eta, ok):
        if lam == 0.0:
            return x.min()
        if self.kind in ("l1", "weighted l1"):
            w = self.weights[ok] if self.kind == "weighted l1" else np.ones(p.size)
            e = (x + lam * w).min()
            return e + p @ np.minimum(x - e, lam * w)
        if self.kind == "kl":
            return x.min() - lam * np.log(p @ np.exp((x.min() - x) / lam))
        if self.kind == "chi2":
            return eta - p @ np.maximum(eta - x, 0.0) ** 2 / (4 * lam) - lam
        assert eta <= x.min() + 1e-12 * (1 + abs(x.min()))
        some = p > 0
        return eta + lam * (p[some] @ (1 + np.log((x[some] - eta) / lam)))

    # ---- oracles ------------------------------------------------------------------------------

    def _budget(self, cp, q):
        """The distance as cvxpy has it; rows off their support must vanish there."""
        terms, extra = [], []
        for a in range(self.m):
            ok = self.usable[a]
            p, row = self.p[a][ok], q[a][ok]
            if (~ok).any():
                extra.append(q[a][~ok] == 0)
            if self.kind in ("l1", "weighted l1"):
                w = self.weights[ok] if self.kind == "weighted l1" else np.ones(p.size)
                terms.append(cp.sum(cp.multiply(w, cp.abs(row - p))))
            elif self.kind == "kl":
                terms.append(cp.sum(cp.kl_div(row, p)))
            elif self.kind == "chi2":
                terms.append(cp.sum(cp.multiply(1 / p, cp.square(row - p))))
            else:
                some = p > 0
                terms.append(
                    p[some] @ np.log(p[some]) - cp.sum(cp.multiply(p[some], cp.log(row[some])))
                )
        return [sum(terms) <= self.radius, *extra]

    def program(self, pi=None):
        """The minimax value, or that of a policy, by cvxpy on worths of unit span."""
        import cvxpy as cp

        span = max(float(np.ptp(self.z[self.usable])), 1e-300)
        shift = float(self.z[self.usable].min())
        z = np.where(self.usable, (self.z - shift) / span, 0.0)
        q = cp.Variable((self.m, self.n), nonneg=True)
        limits = [cp.sum(q, axis=1) == 1, *self._budget(cp, q)]
        if pi is None:
            u = cp.Variable()
            limits += [q[a] @ z[a] <= u for a in range(self.m)]
            goal = u
        else:
            goal = cp.sum(cp.multiply(np.asarray(pi)[:, None] * z, q))
        problem = cp.Problem(cp.Minimize(goal), limits)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the status says it, too
            answer = problem.solve(solver=cp.CLARABEL)
        sure = problem.status == "optimal"
        return shift + span * float(answer), span * (1e-6 if sure else 1e-4), sure


def cases(kind, count, seed):
    """Random states; most with ties, zeros and point masses."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        m, n = int(rng.integers(1, 5)), int(rng.integers(1, 7))
        p = rng.multinomial(rng.integers(1, 9), np.full(n, 1 / n), size=m).astype(float)
        z = rng.integers(0, 4, (m, n)).astype(float)
        if k % 3 == 0:
            p, z = rng.dirichlet(np.ones(n), m), rng.normal(size=(m, n))
        p /= p.sum(1, keepdims=True)
        radius = float(rng.choice([0.0, 1e-3, 0.25, 0.5, 1.0, 2.0, 3.0, rng.exponential()]))
        weights = rng.choice([0.5, 1.0, 2.0], n) if k % 2 else rng.uniform(0.1, 3.0, n)
        pi = np.eye(m)[0] if k % 5 == 0 else rng.dirichlet(np.full(m, 0.5))
        yield Case(kind, p, z, radius, weights, "all" if k % 2 else "nominal"), pi
