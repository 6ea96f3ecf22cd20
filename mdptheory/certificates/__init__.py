"""The independent checker: it believes no solver, only the rows of the model, or the data.

`check` verifies two kinds of claims: bounds on an ordinary model's optimal value
(`BoundsCertificate`, proved in `bounds`) and saddle points of a robust model (`SaddleCertificate`,
proved in `saddle`). `check_offline` verifies claims about policies learnt from episodes
(`OfflineCertificate`, proved in `offline`).

Dual variables of a robust claim
--------------------------------
Let ``x_i`` be what outcome i of a row is worth: its reward, if rewards are per transition, plus the
discounted ``lower`` of the successor; for sets whose rows share a budget, that times the policy's
probability of the row; for a factor, the discounted ``lower``. Let p be the nominal row divided by
its sum, ``xmin`` the least worth that nature may pick, lam the row's ``multiplier``, eta its
``level``. Every lam >= 0 and every eta gives a lower bound on ``q.x`` over the rows q of the set::

    L1Ball           sum_i p_i min(x_i, xmin + 2 lam) - lam radius
    WeightedL1Ball   sum_i p_i min(x_i, e + lam w_i) - lam radius,   e = min_j (x_j + lam w_j)
    WassersteinBall  sum_i p_i min_j (x_j + lam C_ij) - lam radius
    KLBall           -lam log sum_i p_i exp(-x_i / lam) - lam radius
    EVaRSet          the same with radius -log alpha
    BurgBall         eta + lam (1 + sum_i p_i log((x_i - eta) / lam)) - lam radius,   eta <= xmin
    ChiSquareBall    eta - lam - sum_i p_i max(eta - x_i, 0)^2 / (4 lam) - lam radius
    LinfBall, IntervalSet, CVaRSet, with bounds l <= q <= u
                     eta + sum_i (l_i max(x_i - eta, 0) - u_i max(eta - x_i, 0))
    L2Ball           eta + p.y - radius |y|,   y_i = min(x_i - eta, p_i / lam)
    ContaminationSet (1 - fraction) p.x + fraction xmin
    FiniteSet        the least of the listed rows' values

KL, EVaR, Burg and chi-square with lam = 0 give ``xmin``; L2 with lam = 0 gives ``y = x - eta``. An
infinite lam goes with a radius of 0 and gives ``p.x``. Rows that share a budget have one multiplier
a state and pay for the radius once. The formulas are weak duality: the first five minimise
``q.x + lam distance(q, p)`` over all distributions q (for the first three by moving mass from i to
j, which costs ``2 lam``, ``lam (w_i + w_j)`` or ``lam C_ij`` a unit); Burg's and chi-square's also
price the row's sum, with eta (chi-square's eta is that price plus ``2 lam``); with bounds, eta
prices the sum alone; for L2, ``q.x >= eta + q.y`` because ``y <= x - eta``, and Cauchy-Schwarz on
``(q - p).y`` does the rest.
"""

from typing import overload

from mdptheory.certificates._verdict import SaddleVerified, Verified
from mdptheory.certificates.bounds import check_bounds
from mdptheory.certificates.offline import OfflineVerified, check_offline
from mdptheory.certificates.saddle import check_saddle
from mdptheory.models import (
    BoundsCertificate,
    OfflineCertificate,
    SaddleCertificate,
    TabularMDP,
)

__all__ = ["OfflineVerified", "SaddleVerified", "Verified", "check", "check_offline"]


@overload
def check(certificate: BoundsCertificate, mdp: TabularMDP, exact: bool = ...) -> Verified: ...
@overload
def check(certificate: SaddleCertificate, mdp: TabularMDP, exact: bool = ...) -> SaddleVerified: ...


def check(
    certificate: BoundsCertificate | SaddleCertificate, mdp: TabularMDP, exact: bool = False
) -> Verified | SaddleVerified:
    """Verify that a certificate bounds the optimal value and its policy's value.

    Parameters
    ----------
    certificate : BoundsCertificate or SaddleCertificate
        The claim.
    mdp : TabularMDP
        The model it is about, with the same objective; the nominal model of a robust claim.
    exact : bool
        Verify in rational arithmetic on the stored floats; otherwise in floats, where an
        inequality may fail by a rigorous bound on the rounding error and no more.

    Returns
    -------
    Verified or SaddleVerified
        What was proved. ``exact=True`` makes it a theorem about the stored model (for robust
        claims, with each nominal row divided by its sum).

    Raises
    ------
    InvalidCertificateError
        If the claim is malformed or an inequality fails (the message names the state), or if
        ``exact`` is asked of an ambiguity set that has no rational proof.
    TypeError
        If ``certificate`` is something else.

    Notes
    -----
    The proofs are at the top of `mdptheory.certificates.bounds` and `.saddle`. The first takes
    lists of rows as the model's constructor left them and looks again at signs and finiteness of
    their numbers; the second runs the constructors' checks again.

    Examples
    --------
    >>> import numpy as np
    >>> from mdptheory.models import Discounted
    >>> mdp = TabularMDP.from_dense([[[1.0]]], [[1.0]], gamma=0.5)
    >>> claim = BoundsCertificate(Discounted(0.5), np.array([2.0]), np.array([2.0]), np.array([0]))
    >>> check(claim, mdp, exact=True)
    Verified(gap=0.0, exact=True, checked_rows=1, tolerance=0.0)
    """
    if isinstance(certificate, SaddleCertificate):
        return check_saddle(certificate, mdp, exact)
    if isinstance(certificate, BoundsCertificate):
        return check_bounds(certificate, mdp, exact)
    if isinstance(certificate, OfflineCertificate):
        raise TypeError("certificate is about data; check_offline(certificate, data, known) has it")
    raise TypeError(
        f"certificate is of type {type(certificate).__name__}; expected a BoundsCertificate or a"
        " SaddleCertificate"
    )
