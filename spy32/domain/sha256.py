"""SHA-256 by Python's own code: `hashlib` loads OpenSSL first, 2 ms of every start. `random` does the same."""

import importlib
import sys
from functools import cache
from typing import Any

OWN = "_sha2" if sys.version_info >= (3, 12) else "_sha256"


@cache
def _load_sha256() -> Any:
    try:
        return importlib.import_module(OWN).sha256
    except ImportError:  # a Python that was built without its own
        return importlib.import_module("hashlib").sha256


def sha256_hex(data: bytes) -> str:
    """Return the hash as 64 hexadecimal digits."""
    digits: str = _load_sha256()(data).hexdigest()
    return digits
