"""Models, data and certificates in files, and models out of Gymnasium."""

from mdptheory.io.certificate_files import read_certificate, write_certificate
from mdptheory.io.files import load, read, write
from mdptheory.io.gym import from_gymnasium
from mdptheory.io.minari import read_minari, write_minari
from mdptheory.io.offline_files import read_offline, write_offline

__all__ = [
    "from_gymnasium",
    "load",
    "read",
    "read_certificate",
    "read_minari",
    "read_offline",
    "write",
    "write_certificate",
    "write_minari",
    "write_offline",
]
