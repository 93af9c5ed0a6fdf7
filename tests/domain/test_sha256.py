"""SHA-256 without OpenSSL is SHA-256."""

import hashlib

import pytest

from spy32.domain import codec


@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 5000], ids=["empty", "short", "long"])
def test_it_is_the_hash_of_the_standard_library(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = hashlib.sha256(data).hexdigest()
    assert codec.sha256_hex(data) == expected
    monkeypatch.setattr(codec, "OWN_SHA256", "_no_such_module")
    monkeypatch.setattr(codec, "_load_sha256", codec._load_sha256.__wrapped__)
    assert codec.sha256_hex(data) == expected
