"""Loans to two groups over seven credit clusters, with the numbers of a public simulation."""

from mdptheory.models import LendingLoop


def lending_loop(
    *, interest: float = 1.0, cash: float = 1e4, group_thresholds: bool = False
) -> LendingLoop:
    """Lend from a credit cluster on, while repaid loans and defaults move the clusters [1]_.

    Parameters
    ----------
    interest : float
        What a repaid loan earns, in loans; 1 in the demonstration, 0.3 by default there.
    cash : float
        Money before the first round, in loans.
    group_thresholds : bool
        Whether the arms are the 64 pairs of thresholds, one a group, and not the 8 shared ones.

    Returns
    -------
    LendingLoop
        Seven clusters; the second group starts one cluster lower.

    Notes
    -----
    No learner has a guarantee here and `certify` refuses it: rejected applicants stay where they
    are, so an arm settles at as many states as there are ways to begin. Without noise each
    threshold but the lowest ends with nobody above it, as each loan may be lost; what it earns
    on the way is all that it earns.

    References
    ----------
    .. [1] A. D'Amour et al. (2020). Fairness is not static: deeper understanding of long term
       fairness via simulation studies.

    Examples
    --------
    >>> lending_loop(group_thresholds=True).n_arms
    64
    """
    loop = LendingLoop(interest=interest, cash=cash)
    return loop.with_group_thresholds() if group_thresholds else loop
