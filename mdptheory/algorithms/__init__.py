"""One paper, one file: algorithms beyond plain planning."""

from mdptheory.algorithms._explicit_beta import explicit_beta
from mdptheory.algorithms._offline_records import OfflineFit, OfflineOptions, RealFit
from mdptheory.algorithms.drpvi import drpvi
from mdptheory.algorithms.drvi_l import drvi_l
from mdptheory.algorithms.iwocs import (
    IWOCSOptions,
    IWOCSRecord,
    IWOCSResult,
    IWOCSStatus,
    MonteCarlo,
    iwocs,
)
from mdptheory.algorithms.pevi import pevi
from mdptheory.algorithms.r2pvi import r2pvi
from mdptheory.algorithms.va_drpvi import va_drpvi
from mdptheory.algorithms.va_r2pvi import va_r2pvi

__all__ = [
    "IWOCSOptions",
    "IWOCSRecord",
    "IWOCSResult",
    "IWOCSStatus",
    "MonteCarlo",
    "OfflineFit",
    "OfflineOptions",
    "RealFit",
    "drpvi",
    "drvi_l",
    "explicit_beta",
    "iwocs",
    "pevi",
    "r2pvi",
    "va_drpvi",
    "va_r2pvi",
]
