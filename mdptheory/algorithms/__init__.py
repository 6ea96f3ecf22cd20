"""One paper, one file: algorithms beyond plain planning."""

from mdptheory.algorithms._explicit_beta import explicit_beta
from mdptheory.algorithms._offline_records import OfflineFit, OfflineOptions, RealFit
from mdptheory.algorithms._online_process import (
    RealOnlineFit,
    RealOnlineLearner,
    RealOnlineResult,
)
from mdptheory.algorithms._online_records import (
    OnlineInfo,
    OnlineOptions,
    OnlineResult,
    OnlineState,
)
from mdptheory.algorithms._online_run import OnlineLearner
from mdptheory.algorithms.dr_lsvi_ucb import dr_lsvi_ucb, dr_lsvi_ucb_learner
from mdptheory.algorithms.dr_rpo import dr_rpo, dr_rpo_learner
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
from mdptheory.algorithms.kl_lsvi_ucb import kl_lsvi_ucb, kl_lsvi_ucb_learner
from mdptheory.algorithms.lsvi_ucb import lsvi_ucb, lsvi_ucb_learner
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
    "OnlineInfo",
    "OnlineLearner",
    "OnlineOptions",
    "OnlineResult",
    "OnlineState",
    "RealFit",
    "RealOnlineFit",
    "RealOnlineLearner",
    "RealOnlineResult",
    "dr_lsvi_ucb",
    "dr_lsvi_ucb_learner",
    "dr_rpo",
    "dr_rpo_learner",
    "drpvi",
    "drvi_l",
    "explicit_beta",
    "iwocs",
    "kl_lsvi_ucb",
    "kl_lsvi_ucb_learner",
    "lsvi_ucb",
    "lsvi_ucb_learner",
    "pevi",
    "r2pvi",
    "va_drpvi",
    "va_r2pvi",
]
