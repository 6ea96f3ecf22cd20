"""Every chain, in the order in which a reader would want to meet them."""

from mdptheory.theory import Chain
from proofs_checks import (
    absorption,
    certificate_soundness,
    contraction,
    elimination,
    finite_horizon,
    modified_policy_iteration,
    performance_difference,
    policy_iteration,
    policy_loss,
    robust_coverage,
    robust_duality,
    robust_sensitivity,
    robust_sets,
    simulation,
    stopping,
)

CHAINS: tuple[Chain, ...] = (
    contraction.CHAIN,
    stopping.CHAIN,
    policy_loss.CHAIN,
    elimination.CHAIN,
    policy_iteration.CHAIN,
    modified_policy_iteration.CHAIN,
    simulation.CHAIN,
    performance_difference.CHAIN,
    finite_horizon.CHAIN,
    certificate_soundness.CHAIN,
    absorption.CHAIN,
    robust_duality.CHAIN,
    robust_sets.CHAIN,
    robust_sensitivity.CHAIN,
    robust_coverage.CHAIN,
)
