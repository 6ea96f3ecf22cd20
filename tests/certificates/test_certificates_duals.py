"""The checker's bound is the documented formula, at any dual variables, not only the best."""

from dataclasses import replace

import numpy as np
import pytest
from saddle_cases import SETS, budget_of, certify, model, of_row, penalty, rows_of

from mdptheory.certificates import check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import ContaminationSet, FiniteSet, IntervalSet, L2Ball, LinfBall
from mdptheory.models.ambiguity import CVaRSet

SPARSE = np.array([[[0.5, 0.5, 0.0]] * 2, [[0.25, 0.75, 0.0]] * 2, [[0.0, 0.5, 0.5]] * 2])
FREE = (ContaminationSet, FiniteSet, IntervalSet, L2Ball, LinfBall, CVaRSet)


def bound_of(claim, mdp, s):
    """What the checker proves for state s: the refusal of a far too high lower bound says it."""
    lower = claim.lower - 20.0  # so that the other states' inequalities hold
    lower[s] += 50.0
    forged = replace(claim, lower=lower, upper=claim.upper + 100.0)
    with pytest.raises(InvalidCertificateError, match=rf"lower\[{s} .*dual bound, ") as caught:
        check(forged, mdp)
    return lower, float(str(caught.value).split("dual bound, ")[1].split(", by")[0])


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", [n for n in SETS if n not in ("L1, no budget", "KL, tiny")])
def test_the_bound_is_the_documented_formula(name, factor):
    for mdp in (model(gamma=0.25), model(P=SPARSE, gamma=0.25)):
        if isinstance(SETS[name], IntervalSet | FiniteSet | L2Ball) and mdp.n_transitions < 16:
            continue
        claim = certify(mdp, SETS[name])
        claim = replace(
            claim, multiplier=claim.multiplier * factor, level=claim.level - 20.0 * mdp.gamma
        )
        if isinstance(SETS[name], L2Ball):
            claim = replace(claim, multiplier=np.zeros(6))
        for s in range(3):
            lower, bound = bound_of(claim, mdp, s)
            for k, state, a, p, paid in rows_of(mdp):
                if state == s and a == claim.policy[s]:
                    one, x = of_row(SETS[name], s, a), paid + mdp.gamma * lower
                    lam, eta = claim.multiplier[k], claim.level[k]
                    if name.startswith("Burg") and lam > 0:
                        there = p > 0 if one.support == "nominal" else np.full(3, True)
                        eta = min(eta, x[there].min() - lam * p[x == x[there].min()].sum())
                    cost = 0.0 if isinstance(one, FREE) else lam * min(budget_of(one), 1e300)
                    wanted = mdp.reward[k] + penalty(one, p, x, lam, eta) - cost
                    assert bound == pytest.approx(wanted, abs=1e-9)
