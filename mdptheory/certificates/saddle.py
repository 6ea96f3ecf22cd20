"""Robust claims: a policy and nature's model that certify each other.

What is proved
--------------
Let D be the ambiguity set around the nominal rows, each divided by its sum, and L the robust
Bellman operator: for every state the best action (or mixture) against nature's worst rows.

*Upper.* Take rows q in D, found near the rows of ``worst_case`` as `_nature` says, and let T be the
ordinary Bellman operator of that model. ``upper >= T upper`` gives, as for ordinary models, ``upper
>= `` the optimal value of the model; nature may play it, so no policy earns more. For a claim about
one policy (``fixed``) T is that policy's.

*Lower.* ``L_policy x (s)`` is the least that the policy earns in one step before x, over D. It is
monotone and moves constants by gamma, because every row is a distribution. By weak duality each
choice of the dual variables bounds it from below, `_dual`; so ``lower <= `` those bounds gives
``lower <= L_policy lower``, hence ``lower <=`` the policy's robust value.

Together ``lower <= robust value of the policy <= robust optimal value <= upper``. For a finite
horizon the same, stage by stage.

Floats: both sides are enclosed (`_enclosure`). An inequality is accepted unless it certainly fails;
the most by which it may fail is carried through the contraction, or added over the stages, and
returned as tolerance. Where enclosures are so wide that this means nothing, the claim is refused.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates._arithmetic import EPS, nearest, round_up
from mdptheory.certificates._enclosure import Enclosure, Load, join, point, rational
from mdptheory.certificates._factors import factor_game
from mdptheory.certificates._form import largest_gap, require
from mdptheory.certificates._rows import Board
from mdptheory.certificates._saddle_form import Claim, formed, limits
from mdptheory.certificates._sides import bound, shared_bound, worth
from mdptheory.certificates._verdict import SaddleVerified
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import (
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    FactorSet,
    FiniteHorizon,
    FiniteSet,
    IntervalSet,
    L1Ball,
    LinfBall,
    SaddleCertificate,
    TabularMDP,
    WassersteinBall,
    WeightedL1Ball,
)

RATIONAL = (
    L1Ball, WeightedL1Ball, LinfBall, IntervalSet, ChiSquareBall, WassersteinBall, CVaRSet,
    ContaminationSet, FiniteSet,
)  # fmt: skip
COARSE = 1e-9  # relative to the numbers compared: rounding that could hide more proves nothing


def check_saddle(certificate: SaddleCertificate, mdp: TabularMDP, exact: bool) -> SaddleVerified:
    """Verify that a policy and nature's model certify each other; see `check`."""
    _require_rational(certificate, exact)
    with np.errstate(all="ignore"):
        claim = formed(certificate, mdp)
        distances, tolerance = _stages(claim, rational if exact else point)
    gap = largest_gap(claim.lower, claim.upper)
    return SaddleVerified(
        gap, exact, certificate.worst_case.n_rows, tolerance, np.concatenate(distances[::-1])
    )


def _require_rational(certificate: SaddleCertificate, exact: bool) -> None:
    sets: Any = getattr(certificate.ambiguity, "sets", (certificate.ambiguity,))
    for one in sets:
        if exact and not isinstance(one, RATIONAL):
            raise InvalidCertificateError(
                f"{type(one).__name__} has no rational proof; these sets have one:"
                f" {', '.join(kind.__name__ for kind in RATIONAL)}"
            )


def _stages(claim: Claim, load: Load) -> tuple[list[FloatArray], float]:
    """Verify both sides, for a finite horizon from the last stage to the first."""
    mdp, lower, upper = claim.mdp, claim.lower, claim.upper
    staged = isinstance(mdp.objective, FiniteHorizon)
    if isinstance(mdp.objective, FiniteHorizon):
        terminal = mdp.objective.terminal
        end = np.zeros(mdp.n_states) if terminal is None else terminal
        last = claim.place.at(claim.horizon)
        require(lower[-1] <= end, "lower", lower[-1], "more than the terminal reward", end, last)
        require(upper[-1] >= end, "upper", upper[-1], "less than the terminal reward", end, last)
    distances, tolerance, widest = [], 0.0, 0.0
    for h in reversed(range(claim.horizon)):
        ahead = h + 1 if staged else h
        step = _Step(claim, h, load)
        distance, above = step.upper(upper[h], upper[ahead])
        slack = max(above, step.lower(lower[h], lower[ahead]))
        distances.append(distance)
        if staged:
            tolerance = (slack + mdp.gamma * tolerance) * (1.0 + 4.0 * EPS)
        elif slack > 0:
            tolerance = round_up(Fraction(slack) / (1 - Fraction(mdp.gamma)))
        widest = max(widest, tolerance)  # with gamma < 1 the last stages may be the least certain
    return distances, widest


class _Step:
    """One stage: the Bellman inequalities of both sides."""

    def __init__(self, claim: Claim, stage: int, load: Load) -> None:
        self.claim, self.stage, self.load = claim, stage, load
        self.nominal = claim.nominal(stage)
        self.states = self.nominal.states
        self.name = claim.name(stage)
        is_staged = isinstance(claim.mdp.objective, FiniteHorizon)
        self.place = claim.place.at(stage) if is_staged else claim.place
        self.reward = load(
            self.nominal.reward if self.nominal.paid is None else np.zeros(len(self.states))
        )
        self.weights = claim.weights[stage]
        self.used = np.flatnonzero(self.weights > 0)
        self.ends = np.searchsorted(self.states[self.used], np.arange(claim.mdp.n_states + 1))
        chosen = load(self.weights[self.used])
        self.chances = chosen / chosen.sums(self.ends)[self.states[self.used]]
        self.gamma = load(np.array([claim.mdp.gamma]))
        self.mixture: Enclosure | None = None  # (n_rows, r): how rows are made of factors
        ambiguity: Any = claim.certificate.ambiguity
        if isinstance(ambiguity, FactorSet):
            self.mixture, self.boards = factor_game(claim, ambiguity, self.nominal, stage, load)
            return
        self.boards = [
            Board(
                ambiguity, self.nominal, claim.worst(stage), self._plan(), claim.mdp.n_states,
                load, self.name, self.states, limits(ambiguity, self.nominal),
            )
        ]  # fmt: skip

    def _plan(self) -> Any:
        plan = self.claim.plan
        if plan is None:
            return None
        worst = self.claim.certificate.worst_case
        ends = worst.choice_ptr[:: worst.n_states]
        some = slice(int(ends[self.stage]), int(ends[self.stage + 1]) + 1)
        return type(plan)(plan.row_ptr[some], plan.source, plan.target, plan.mass)

    def upper(self, have: FloatArray, ahead: FloatArray) -> tuple[FloatArray, float]:
        """Require the inequality of every row (of the policy's mixture if the claim is fixed)."""
        z = self.load(ahead) * self.gamma
        found = [worth(board, z) for board in self.boards]
        value = self.reward + self._mixed([one[0] for one in found])
        distance = np.concatenate([one[1] for one in found])
        if not self.claim.certificate.fixed:
            return distance, self._require("upper", have, value, self.states, self._by_action)
        mean = (self.chances * value[self.used]).sums(self.ends)
        everyone = np.arange(len(have))
        return distance, self._require("upper", have, mean, everyone, lambda _: "its policy")

    def lower(self, have: FloatArray, ahead: FloatArray) -> float:
        """Require the inequality of the policy's rows."""
        z = self.load(ahead) * self.gamma
        lam, eta = self.claim.multiplier[self.stage], self.claim.level[self.stage]
        reward = self.reward[self.used]
        if self.boards[0].shared:
            found = shared_bound(self.boards[0], self.used, z, lam, eta, self.chances)
            value = (self.chances * reward).sums(self.ends) + found
        else:
            rows = self.used if self.mixture is None else np.zeros(1, dtype=np.int64)
            parts = [bound(board, rows, z, lam[i:], eta[i:]) for i, board in enumerate(self.boards)]
            found = parts[0] if self.mixture is None else self._mixed(parts)[self.used]
            value = (self.chances * (reward + found)).sums(self.ends)
        everyone = np.arange(len(have))
        return self._require("lower", have, value, everyone, lambda _: "its policy's dual bound")

    def _mixed(self, found: list[Enclosure]) -> Enclosure:
        """Return what the rows are worth, from what nature's rows or factors are."""
        if self.mixture is None:
            return found[0]
        each = join(found)
        r, n_rows = each.size, len(self.states)
        terms = (self.mixture * each).reshape(-1)
        return terms.sums(np.arange(0, n_rows * r + 1, r))

    def _by_action(self, row: int) -> str:
        return f"action {self.claim.mdp.action_label(int(self.nominal.action[row]))}"

    def _require(
        self, name: str, have: FloatArray, value: Enclosure, states: IntArray,
        who: Callable[[int], str],
    ) -> float:  # fmt: skip
        """Require ``have(s) >= value``, or ``<=`` if it is the lower bound; return what is hidden.

        An enclosure that reaches across the bound is accepted; what it may hide is returned.
        """
        is_lower = name == "lower"
        bound = self.load(have).lo[states]
        near, far = (value.hi, value.lo) if is_lower else (value.lo, value.hi)
        excess, hidden = (bound - near, bound - far) if is_lower else (near - bound, far - bound)
        size = np.abs(np.asarray(have)[states]) + 1.0
        fails = ~(excess <= 0)  # NaN fails
        coarse = ~fails & ~(hidden <= COARSE * size)
        if fails.any() or coarse.any():
            k = int(np.argmax(fails if fails.any() else coarse))
            s = int(states[k])
            place = self.place.state(name, s)
            if not fails.any():
                raise InvalidCertificateError(
                    f"{place} is {float(have[s])!r}: floats are too coarse to compare it with"
                    f" {who(k)}, which rounding leaves open by {nearest(hidden[k]):.3g}"
                )
            raise InvalidCertificateError(
                f"{place} is {float(have[s])!r}, {'more' if is_lower else 'less'} than one step"
                f" with {who(k)}, {nearest(near[k])!r}, by {nearest(excess[k]):.3g}"
                f" ({int(fails.sum())} of {len(fails)} fail)"
            )
        worst = nearest(np.max(hidden))
        return float(np.nextafter(worst, np.inf)) if worst > 0 else 0.0
