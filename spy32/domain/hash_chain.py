"""The hashes of the history: the digest of a row, and the link of an event to the one before it."""

import json
from collections.abc import Mapping

from spy32.domain.codec import canonical_json
from spy32.domain.sha256 import sha256_hex

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
"""`json.dumps` would make one for each row."""


def row_digest(columns: Mapping[str, object]) -> str:
    """SHA-256 of what a row holds. Empty columns are left out: a migration may add one and keep history whole."""
    kept = {
        name: {"sha256": sha256_hex(value)} if isinstance(value, bytes) else value
        for name, value in columns.items()
        if value is not None
    }
    return sha256_hex(_ENCODER.encode(kept).encode())


GENESIS = "0" * 64
"""What stands before the first event."""


def event_hash(previous: str, fields: Mapping[str, object]) -> str:
    """The link of an event: SHA-256 over the link before it and everything that the event says."""
    # A damaged text may hold what UTF-8 alone refuses; of a whole one this is plain UTF-8.
    return sha256_hex((previous + canonical_json(dict(fields))).encode("utf-8", "surrogatepass"))
