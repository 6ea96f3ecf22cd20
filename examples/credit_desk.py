"""A credit desk sets one score threshold that is fair to two groups, and has to stay so.

Decisions change who applies next: what keeps the limits today may break them once applicants have
got used to it. A learner that sees only what its own decisions show finds a threshold that lasts.
"""

import csv

import numpy as np

from mdptheory.algorithms import BanditOptions, ofs, primal_dual_ucb, ucb
from mdptheory.environments import threshold_loop_from_csv
from mdptheory.metrics import GroupReport, decisions
from mdptheory.models import DemographicParity, ServiceRate
from mdptheory.operators import certify
from mdptheory.solvers import best_arm
from mdptheory.tables import run_table

rng = np.random.default_rng(2)
group = np.where(rng.random(4000) < 0.3, "new", "old")
repaid = (rng.random(4000) < np.where(group == "new", 0.5, 0.7)).astype(int)
score = rng.beta(2 + 2 * repaid, 2.5 + 0.7 * (group == "new"))
with open("applicants.csv", "w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["score", "repaid", "since"])
    writer.writerows(zip(score.round(4), repaid, group, strict=True))

desk = threshold_loop_from_csv("applicants.csv", label="repaid", group="since", cost=2.0)
limits = [DemographicParity(0.14), ServiceRate(0.4)]

static, lasting = best_arm(desk.open(), limits), best_arm(desk, limits)
for name, found in (("today", static), ("settled", lasting)):
    print(f"best threshold {name:>7}: {desk.thresholds[found.arm]:.2f}, earns {found.reward:.4f}")
then = lasting.violations[static.arm]
print(f"today's, once applicants have settled, breaks a limit by {then:.4f}")
chosen = decisions(score, desk.thresholds[lasting.arm])
report = GroupReport(repaid, chosen, sensitive_features=group)
rate = "selection_rate"
print(f"on the file the lasting one accepts {report.overall[rate]:.1%}, and the groups differ by"
      f" {report.difference(rate):.3f}")  # fmt: skip

options = BanditOptions(record_every=10)
learners = {"ofs": ofs, "ucb": ucb, "primal-dual": primal_dual_ucb}
runs = [learn(desk, 20_000, limits, options=options, rng=0) for learn in learners.values()]
table = run_table(runs, {"method": list(learners)})
print("20000 rounds of 100 applicants a group, learned while deciding:")
for i, method in enumerate(learners):
    print(
        f"{method:>12}: earned {table['reward'][i] / 20_000:.4f} a round; violation"
        f" {table['violation'][i]:6.1f}, {table['signed_violation'][i]:7.1f} with signs;"
        f" most often {desk.thresholds[table['most_played'][i]]:.2f}"
    )
print(f"applicants forget {1 - certify(desk).kappa:.1%} of a threshold a round, or more")
