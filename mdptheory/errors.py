"""Every exception that mdptheory raises on purpose."""


class InvalidModelError(ValueError):
    """A model, parameter or policy breaks a rule; the message names argument, place and value."""


class InvalidFileError(InvalidModelError):
    """A file is truncated, inconsistent, too large by its own header, or not of its format."""


class InvalidCertificateError(ValueError):
    """A certificate does not prove what it claims; the message says where it fails."""


class NotContractiveError(InvalidModelError):
    """A closed loop does not forget its past, so nothing is guaranteed; the message says why."""


class NotConvergedError(RuntimeError):
    """A solver stopped before its tolerance and the caller asked for that to be an error."""


class MissingExtraError(ImportError):
    """An optional dependency is absent; the message names the extra that brings it."""


class StallWarning(UserWarning):
    """An iteration repeats itself while its bounds are apart; the message names the gap."""


class TruncationWarning(UserWarning):
    """Simulated runs are so short that what is cut off may exceed the tolerance."""


class FitWarning(UserWarning):
    """Data or options leave a fit less sure than it looks; the message names the first place."""


class CoverageWarning(FitWarning):
    """Some factors have no data at some steps; estimates there rest on the ridge alone."""


class FeatureWarning(FitWarning):
    """Features do not sum to 1, so the model is no linear MDP."""


class UnderflowWarning(FitWarning):
    """A weight is so small beside the values that an exponential vanishes in floats."""


class InfeasibleWarning(UserWarning):
    """No arm satisfies the constraints; the message names the least violating one."""


class GuaranteeWarning(UserWarning):
    """Options or a horizon under which nothing is proved; the message says which."""


class GroupWarning(UserWarning):
    """Groups of which a rate or a comparison says nothing; the message names the first."""
