"""A home with an open trade of a recorded market, made once and copied for each test."""

import shutil
from pathlib import Path

import pytest

from tests.support.recorded_trades import open_trade


@pytest.fixture(scope="session")
def trade_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("recorded-trade") / "home"
    open_trade(home)
    return home


@pytest.fixture
def trade_home(trade_template: Path, tmp_path: Path) -> Path:
    """A home with T1 open, as nobody has marked it yet."""
    return Path(shutil.copytree(trade_template, tmp_path / "home"))
