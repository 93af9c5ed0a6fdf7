"""What several files of tests begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.trading import World, world


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[World]:
    """A desk with an empty book, a fake broker and a clock that stands still."""
    made = world(tmp_path)
    yield made
    made.store.close()
