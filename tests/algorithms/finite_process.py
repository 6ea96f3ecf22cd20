"""A finite model dressed up as a process on real states."""

import dataclasses

from mdptheory.models import KnownModel


@dataclasses.dataclass
class FiniteProcess:
    known: KnownModel

    def __getattr__(self, name):
        return getattr(self.known, name)

    def features(self, step, states):
        return self.known.phi_at(step)[states.astype(int)]

    def rewards(self, step, states):
        return self.known.reward[step][states.astype(int)]
