"""Every exception that mdptheory raises on purpose."""


class InvalidModelError(ValueError):
    """A model, parameter or policy breaks a rule; the message names argument, place and value."""


class InvalidFileError(InvalidModelError):
    """A file is truncated, inconsistent, too large by its own header, or not of its format."""


class InvalidCertificateError(ValueError):
    """A certificate does not prove what it claims; the message says where it fails."""


class NotConvergedError(RuntimeError):
    """A solver stopped before its tolerance and the caller asked for that to be an error."""


class MissingExtraError(ImportError):
    """An optional dependency is absent; the message names the extra that brings it."""


class StallWarning(UserWarning):
    """An iteration repeats itself while its bounds are apart; the message names the gap."""


class TruncationWarning(UserWarning):
    """Simulated runs are so short that what is cut off may exceed the tolerance."""
