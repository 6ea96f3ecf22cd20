"""Where the proofs lose: OFS, bounds derived here.

One row per link, in the order of the proof, the conclusion last. The dot is the tightest case that
was sampled, the tick the median case, both as measured/bound on conclusive cases: 1 means that the
inequality is attained, 0.1 that the bound is ten times what was measured. Links that are equalities
sit at 1. The fraction on the right counts conclusive cases among those to which the link applied; a
link without any is hollow. Violated links are red. Beside a chain's name: its verdict, and how many
of its broken twins were caught.
"""

from typing import Any

import numpy as np

from paper_figures._runner import Progress
from paper_figures._slack_chart import Config, links_of, plot

__all__ = ["Config", "compute", "plot"]


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Flatten the links of these chains into columns."""
    return links_of("ofs", config, rng, progress)
