"""One paper, one file: algorithms beyond plain planning."""

from mdptheory.algorithms.iwocs import (
    IWOCSOptions,
    IWOCSRecord,
    IWOCSResult,
    IWOCSStatus,
    MonteCarlo,
    iwocs,
)

__all__ = ["IWOCSOptions", "IWOCSRecord", "IWOCSResult", "IWOCSStatus", "MonteCarlo", "iwocs"]
