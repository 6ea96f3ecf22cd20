"""Share the stored values and the rational reference of other folders."""

import sys
from pathlib import Path

for folder in ("environments", "contracts"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / folder))
