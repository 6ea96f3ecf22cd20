"""The independent checker: it believes no solver, only the rows of the model."""

from mdptheory.certificates._verdict import SaddleVerified, Verified
from mdptheory.certificates.bounds import check_bounds
from mdptheory.models import BoundsCertificate, TabularMDP

__all__ = ["SaddleVerified", "Verified", "check"]


def check(certificate: BoundsCertificate, mdp: TabularMDP, exact: bool = False) -> Verified:
    """Verify that a certificate bounds the optimal value and its policy's value.

    Parameters
    ----------
    certificate : BoundsCertificate
        The claim.
    mdp : TabularMDP
        The model it is about, with the same objective.
    exact : bool
        Verify in rational arithmetic on the stored floats; otherwise in floats, where an
        inequality may fail by a rigorous bound on the rounding error and no more.

    Returns
    -------
    Verified
        What was proved. ``exact=True`` makes it a theorem about the stored model.

    Raises
    ------
    InvalidCertificateError
        If the claim is malformed or an inequality fails; the message names the state.

    Notes
    -----
    The proofs are at the top of this module. Lists of rows are taken as the model's constructor
    left them; signs and finiteness of their numbers are looked at again.

    Examples
    --------
    >>> import numpy as np
    >>> from mdptheory.models import Discounted
    >>> mdp = TabularMDP.from_dense([[[1.0]]], [[1.0]], gamma=0.5)
    >>> claim = BoundsCertificate(Discounted(0.5), np.array([2.0]), np.array([2.0]), np.array([0]))
    >>> check(claim, mdp, exact=True)
    Verified(gap=0.0, exact=True, checked_rows=1, tolerance=0.0)
    """
    return check_bounds(certificate, mdp, exact)
