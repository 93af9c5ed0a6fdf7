"""SHA-256 by Python's own code: `hashlib` loads OpenSSL first, 2 ms of every start. `random` does the same."""

import importlib
from typing import Any


def _load_sha256() -> Any:
    for module in ("_sha2", "_sha256", "hashlib"):  # Python 3.12 and newer, 3.11, and one that was built without either
        try:
            return importlib.import_module(module).sha256
        except ImportError:
            continue
    raise ImportError("this Python has no SHA-256")


_sha256 = _load_sha256()


def sha256_hex(data: bytes) -> str:
    """Return the hash as 64 hexadecimal digits."""
    digits: str = _sha256(data).hexdigest()
    return digits
