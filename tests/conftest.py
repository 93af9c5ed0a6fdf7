"""What several files of tests begin with."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from spy32.records import connection
from tests.support.new_databases import migrate_by_copy
from tests.support.trading import TradingDesk, trading_desk

# Time is measured in `benchmarks/`: a busy machine is no failure of a property.
settings.register_profile("spy32", deadline=None)
settings.load_profile("spy32")

# Thousands of tests are collected and kept to the end: the collector of garbage would go through them again and again.
gc.disable()


@pytest.fixture(scope="session", autouse=True)
def _new_databases() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "migrate", migrate_by_copy)
        yield


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    """A desk with an empty book, a fake broker and a clock that stands still."""
    made = trading_desk(tmp_path)
    yield made
    made.store.close()


def pytest_collection_finish() -> None:
    """What was collected stays: from here on only what the tests make is looked through."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A property is slow: Hypothesis tries hundreds of examples."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.slow)
