"""The documents of open trades: what `manage` did, and the exits of one trade."""

from typing import Annotated

from spy32.domain.marks import Mark
from spy32.domain.proposals import ExitReason
from spy32.domain.units import Price, ProposalId, TradeId
from spy32.domain.value import value
from spy32.render import document_parts  # noqa: F401 - the parts of marks and trades
from spy32.render.encoder import Key, Part
from spy32.render.manage_pages import days_until, price_distance
from spy32.rules.exits import ExitCheck
from spy32.sessions import market_date
from spy32.trading.managed_trade import ManagedTrade


@value
class Management:
    """The trades that `manage` looked at."""

    trades: tuple[ManagedTrade, ...]


@value
class ExplainedExit:
    """One rule of an exit plan, and how far away it is."""

    check: ExitCheck
    away: Price | None
    """How far the mid is from the price, dollars per share; zero or less when reached, null where a day decides."""
    days: int | None
    """Calendar days until it fires; negative when it is over, null where a price decides."""


@value
class ExplainedExits:
    """The exits of one trade as they stand now."""

    state: ManagedTrade
    mark: Mark | None
    """The mark of now, or the newest on record when the market gives none."""
    exits: tuple[ExplainedExit, ...]


MARK_OF_NOW = Part(Mark, "at spot mid natural two_sided", called="ManagedMark")
WARNINGS = Key(
    tuple[str, ...],
    lambda state: (*state.warnings, *([state.error.message] if state.error is not None else [])),
    "What was noticed, and last what stopped it.",
)
Part(
    ManagedTrade,
    "id state remaining mark unrealized=mark.unrealized of_max_profit=mark.of_max_profit dte due reason proposal_id "
    "warnings",
    inner="trade",
    id=Key(TradeId, "trade.id"),
    mark=Key(Annotated[Mark, MARK_OF_NOW] | None, "mark", "Of this start; null when there were no quotes."),
    due=Key(bool, lambda state: state.due is not None, "An exit is due now."),
    reason=Key(ExitReason | None, "reason", "Of the exit that is due, or of the close that there is."),
    proposal_id=Key(
        ProposalId | None, lambda state: state.proposal and state.proposal.id, "The close that waits or was sent."
    ),
    warnings=WARNINGS,
)
MANAGED = Part(Management, called="spy32.managed")
Part(ExplainedExit, "reason=check.reason due=check.is_due message price day away days", inner="check")
EXITS = Part(
    ExplainedExits,
    "trade_id state at=state.at dte=state.dte mark due reason=state.reason exits proposal_id warnings",
    called="spy32.exits",
    inner="state",
    trade_id=Key(TradeId, "state.trade.id"),
    state=Key(str, lambda explained: explained.state.trade.state.value),
    due=Key(bool, lambda explained: explained.state.due is not None, "An exit is due now."),
    proposal_id=Key(
        ProposalId | None,
        lambda explained: explained.state.proposal and explained.state.proposal.id,
        "The close that waits, is approved or is sent.",
    ),
    warnings=Key(tuple[str, ...], "state.warnings"),
)


def explained_exits(state: ManagedTrade, newest: Mark | None) -> ExplainedExits:
    mid = newest.mid if newest is not None else None
    today = market_date(state.at)
    return ExplainedExits(
        state=state,
        mark=newest,
        exits=tuple(
            ExplainedExit(check=check, away=price_distance(check, mid), days=days_until(check, today))
            for check in state.checks
        ),
    )
