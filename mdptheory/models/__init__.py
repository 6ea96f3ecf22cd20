"""Frozen data: what a problem is and what an answer is."""

from mdptheory.models._checks import absorbing_states
from mdptheory.models._one_hot import one_hot_actions
from mdptheory.models.ambiguity import (
    AmbiguitySet,
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FactorSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    RowAmbiguity,
    SignedLpBall,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.models.bandit import BanditProblem, GaussianBandit
from mdptheory.models.bandit_run import BanditRun, BestArm, LoopConstants
from mdptheory.models.delayed_impact import DelayedImpact, ImpactRegime, PolicyImpact
from mdptheory.models.factor_ambiguity import (
    ChiSquarePenalty,
    FactorAmbiguity,
    FactorKind,
    FactorPenalty,
    KLPenalty,
    TVBall,
    TVPenalty,
    factor_levels,
)
from mdptheory.models.fair_constraints import (
    Channel,
    DemographicParity,
    EqualOpportunity,
    FairConstraint,
    LinearResidual,
    ResidualRows,
    ServiceRate,
    residual_rows,
)
from mdptheory.models.lending_loop import ClosedLoop, LendingLoop
from mdptheory.models.linear import (
    FeatureProcess,
    KnownModel,
    LinearMDP,
    SampledLinearMDP,
)
from mdptheory.models.linear_plan import LinearPlan
from mdptheory.models.objective import Discounted, FiniteHorizon, Objective, TotalReward
from mdptheory.models.offline import OfflineData, OfflineStatistics, RealData
from mdptheory.models.offline_certificate import OfflineCertificate
from mdptheory.models.performative import PerformativeGaussian
from mdptheory.models.result import (
    BoundsCertificate,
    Convergence,
    RobustSolution,
    SaddleCertificate,
    Solution,
    Status,
    Trace,
    TransportPlan,
)
from mdptheory.models.tabular import TabularMDP
from mdptheory.models.threshold_loop import LoopDynamics, ThresholdLoop

__all__ = [
    "AmbiguitySet",
    "BanditProblem",
    "BanditRun",
    "BestArm",
    "BoundsCertificate",
    "BurgBall",
    "CVaRSet",
    "Channel",
    "ChiSquareBall",
    "ChiSquarePenalty",
    "ClosedLoop",
    "ContaminationSet",
    "Convergence",
    "DelayedImpact",
    "DemographicParity",
    "Discounted",
    "EVaRSet",
    "EqualOpportunity",
    "FactorAmbiguity",
    "FactorKind",
    "FactorPenalty",
    "FactorSet",
    "FairConstraint",
    "FeatureProcess",
    "FiniteHorizon",
    "FiniteSet",
    "GaussianBandit",
    "ImpactRegime",
    "IntervalSet",
    "KLBall",
    "KLPenalty",
    "KnownModel",
    "L1Ball",
    "L2Ball",
    "LendingLoop",
    "LinearMDP",
    "LinearPlan",
    "LinearResidual",
    "LinfBall",
    "LoopConstants",
    "LoopDynamics",
    "Objective",
    "OfflineCertificate",
    "OfflineData",
    "OfflineStatistics",
    "PerformativeGaussian",
    "PolicyImpact",
    "RealData",
    "ResidualRows",
    "RobustSolution",
    "RowAmbiguity",
    "SaddleCertificate",
    "SampledLinearMDP",
    "ServiceRate",
    "SignedLpBall",
    "Solution",
    "Status",
    "TVBall",
    "TVPenalty",
    "TabularMDP",
    "ThresholdLoop",
    "TotalReward",
    "Trace",
    "TransportPlan",
    "WassersteinBall",
    "WeightedL1Ball",
    "absorbing_states",
    "factor_levels",
    "one_hot_actions",
    "residual_rows",
]
