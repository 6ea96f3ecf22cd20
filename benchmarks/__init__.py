"""Speed against peers and against the machine's limits, side by side in one run."""
