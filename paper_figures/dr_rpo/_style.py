"""Names, colours and dashes that the figures about DR-RPO (reconstruction) share."""

from typing import Any

from paper_figures.r2pvi._style import COLOURS as OFFLINE
from paper_figures.r2pvi._style import SHADES

COLOURS = {
    "LSVI-UCB": OFFLINE["PEVI"],
    "KL-LSVI-UCB": OFFLINE["DRVI-L"],
    "DR-LSVI-UCB": OFFLINE["DRPVI"],
    "DR-RPO": OFFLINE["R2PVI-TV"],
    "TV": OFFLINE["R2PVI-TV"],
    "KL": OFFLINE["R2PVI-KL"],
    "χ²": OFFLINE["R2PVI-χ²"],
}
"""One colour a learner, and one a penalty: those of the offline learners of the same kind."""

TAU_SHADES = dict(zip((0.3, 0.05, 0.01), SHADES, strict=False))
"""DR-RPO at three temperatures; the hardest is darkest."""

DASHED: Any = (0, (4, 1.6))
DOTTED: Any = (0, (1.2, 1.4))
