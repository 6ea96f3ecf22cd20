"""How decisions differ between groups, under fairlearn's names and conventions, numpy alone."""

from mdptheory.metrics.parity import (
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equal_opportunity_ratio,
    equalized_odds_difference,
    equalized_odds_ratio,
)
from mdptheory.metrics.rates import (
    decisions,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from mdptheory.metrics.report import GroupReport

__all__ = [
    "GroupReport",
    "decisions",
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "false_positive_rate",
    "selection_rate",
    "true_positive_rate",
]
