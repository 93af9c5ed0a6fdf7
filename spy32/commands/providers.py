"""The options that name a source of market data or an analyst; their help and their check follow the registries."""

from typing import Annotated

import typer

from spy32.errors import BadUsage
from spy32.settings.services import ANALYSTS
from spy32.wiring.markets import chain_source_names

SOURCES = chain_source_names()


def check_market(typed: str | None) -> str | None:
    """`BadUsage` for a source that is not known; `recorded:FILE` is judged by its name."""
    return _check_known("--market", typed, SOURCES)


def check_analyst(typed: str | None) -> str | None:
    """`BadUsage` for an analyst that is not known."""
    return _check_known("--analyst", typed, ANALYSTS)


def _check_known(option: str, typed: str | None, names: tuple[str, ...]) -> str | None:
    if typed is not None and typed.partition(":")[0] not in names:
        raise BadUsage(f"{option} {typed} is not known; it takes {', '.join(names)}")
    return typed


MarketOption = Annotated[
    str | None,
    typer.Option(callback=check_market, help=f"Source of the chain: {', '.join(SOURCES)} or recorded:FILE."),
]
AnalystOption = Annotated[
    str | None, typer.Option(callback=check_analyst, help=f"Who chooses: {' or '.join(ANALYSTS)}.")
]
