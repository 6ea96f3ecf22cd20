"""One paper, one file: algorithms beyond plain planning."""

from mdptheory.algorithms._bandit_learner import BanditLearner
from mdptheory.algorithms._bandit_records import BanditInfo, BanditOptions, BanditState
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
from mdptheory.algorithms.fair_baselines import (
    greedy_feasible,
    greedy_feasible_learner,
    pessimistic_ucb,
    pessimistic_ucb_learner,
    primal_dual_ucb,
    primal_dual_ucb_learner,
    ucb,
    ucb_learner,
)
from mdptheory.algorithms.fixed_plans import (
    explore_then_commit,
    explore_then_commit_learner,
    fixed_arm,
    fixed_arm_learner,
)
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
from mdptheory.algorithms.ofs import ofs, ofs_learner
from mdptheory.algorithms.ofs_epochs import ofs_epochs, ofs_epochs_learner
from mdptheory.algorithms.pevi import pevi
from mdptheory.algorithms.r2pvi import r2pvi
from mdptheory.algorithms.va_drpvi import va_drpvi
from mdptheory.algorithms.va_r2pvi import va_r2pvi

__all__ = [
    "BanditInfo",
    "BanditLearner",
    "BanditOptions",
    "BanditState",
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
    "explore_then_commit",
    "explore_then_commit_learner",
    "fixed_arm",
    "fixed_arm_learner",
    "greedy_feasible",
    "greedy_feasible_learner",
    "iwocs",
    "kl_lsvi_ucb",
    "kl_lsvi_ucb_learner",
    "lsvi_ucb",
    "lsvi_ucb_learner",
    "ofs",
    "ofs_epochs",
    "ofs_epochs_learner",
    "ofs_learner",
    "pessimistic_ucb",
    "pessimistic_ucb_learner",
    "pevi",
    "primal_dual_ucb",
    "primal_dual_ucb_learner",
    "r2pvi",
    "ucb",
    "ucb_learner",
    "va_drpvi",
    "va_r2pvi",
]
