"""A desk whose open trade is managed: a market that a test sets, starts of `manage`, and a person's decisions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from spy32.domain.market import LegQuotes
from spy32.domain.orders import Trade
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import ExitAuthority, Leg, Mode, Position
from spy32.settings import Settings
from spy32.trading.context import TradingContext
from spy32.trading.execute import execute
from spy32.trading.manage import manage
from spy32.trading.managed_trade import ManagedTrade
from tests.support import builders
from tests.support.fakes import FakeMarket, ManualClock
from tests.support.open_trades import held, live_desk
from tests.support.trades import Sides, quote
from tests.support.trading import TradingDesk

D = Decimal
CALLS = builders.spread("695", "700").legs
PUTS = builders.spread().legs


@dataclass(eq=False)
class QuotedMarket(FakeMarket):
    """Quotes of now, at the prices that a test sets; other contracts as the builders have them."""

    clock: ManualClock = field(default_factory=ManualClock)
    sides: dict[str, Sides] = field(default_factory=dict)
    spot: float = builders.SPOT
    age: float = 0
    """Seconds."""
    missing: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        self._serve()
        self.asked += [leg.symbol for leg in legs]
        found = {leg.symbol: self._quote(leg) for leg in legs if leg.symbol not in self.missing}
        at = self.clock() - timedelta(seconds=self.age)
        return LegQuotes(spot=self.spot, as_of=at, source=self.name, quotes=found)

    def _quote(self, leg: Leg) -> Any:
        made = builders.quote(leg.right, str(leg.strike), leg.expiration)
        return quote(leg, self.sides.get(leg.symbol, (made.bid, made.ask)))

    def close_costs(self, mid: str, *, half: str = "0.02", legs: Sequence[Leg] = PUTS) -> None:
        """Set the legs so that closing costs this at the mids; each leg is quoted so far to both sides of its mid."""
        short, long = legs
        upper, around = D(mid) + 2, D(half)
        self.sides[short.symbol] = (float(upper - around), float(upper + around))
        self.sides[long.symbol] = (float(2 - around), float(2 + around))


@dataclass
class ManagedDesk(TradingDesk):
    """A desk with a `QuotedMarket`."""

    quoted: QuotedMarket = field(default_factory=QuotedMarket)
    dividends: Any = None
    """Ex-dates, as the context's `dividends` returns them."""

    @property
    def trading_context(self) -> TradingContext:
        self.account.account = replace(self.account.account, positions=self._positions())
        return replace(super().trading_context, dividends=self._dividends)

    def holds(self, **counts: int) -> None:
        """From now on the broker shows these positions, as `held` has them, whatever was filled."""
        held(self, **counts)
        shown = self.account.account.positions
        self._positions = lambda: shown  # type: ignore[method-assign]

    def _positions(self) -> tuple[Position, ...]:
        """What the fills at the broker have left."""
        counts: Counter[str] = Counter()
        for order in self.orders.book.values():
            for fill in order.fills:
                counts[fill.symbol] -= fill.action.sign * fill.quantity
        return tuple(Position(symbol=symbol, quantity=count) for symbol, count in counts.items() if count)

    def _dividends(self, ticker: str) -> Any:
        if isinstance(self.dividends, Exception):
            raise self.dividends
        return self.dividends

    def context_for(self, _: int | None) -> TradingContext:
        return self.trading_context

    def manage(self, trade_id: int | None = None) -> tuple[ManagedTrade, ...]:
        return manage(self.context_for, trade_id)

    def start(self, *, minutes: float = 15) -> ManagedTrade:
        """The next start of `manage`, a quarter of an hour later, of the only trade."""
        self.clock.at += timedelta(minutes=minutes)
        (found,) = self.manage()
        return found

    def closes(self, trade_id: int = 1) -> list[Proposal]:
        return list(self.store.proposals.select_closes(trade_id))

    def trade(self, trade_id: int = 1) -> Trade:
        return self.store.trades.get(trade_id)

    def approve_close(self, close: Proposal, mid: str) -> None:
        """A person approves a close at a market with this mid, for an hour."""
        now, price = self.clock(), D(mid)
        times = {"at": now, "until": now + timedelta(minutes=60)}
        self.store.proposals.approve(
            builders.approval(close, mid=-price, natural=-price - D("0.04"), spot=self.quoted.spot, **times)
        )


def managed_desk(folder: Path, mode: Mode = Mode.PAPER, **settings: Any) -> ManagedDesk:
    """A desk of this mode with an empty book and these settings of the exits."""
    plain = live_desk(folder, mode)
    market = QuotedMarket(clock=plain.clock)
    own = replace(Settings(), mode=mode, exit=replace(Settings().exit, **settings))
    desk = ManagedDesk(
        store=plain.store, clock=plain.clock, market=market, orders=plain.orders, quoted=market, settings=own
    )
    desk.account.account = replace(desk.account.account, mode=mode)
    return desk


def planned_desk(folder: Path, mode: Mode = Mode.PAPER) -> ManagedDesk:
    """A desk whose plans cover their exits, in live mode too."""
    return managed_desk(folder, mode, authorise=ExitAuthority.PLAN, authorise_live=True)


def opened(desk: ManagedDesk, *, legs: tuple[Leg, ...] = PUTS, quantity: int = 2, **exits: Any) -> Trade:
    """The trade of an opening that filled at its first limit of 0.58, with a plan that has these parts."""
    desk.quoted.close_costs("0.57", legs=legs)
    plan = builders.exit_plan(**{"authority": desk.settings.exit.authorise, **exits})
    before = len(desk.orders.book)
    number = desk.approved(exit=plan, legs=legs, quantity=quantity)
    execute(desk.trading_context, number, wait=False)
    desk.orders.fill(str(480001 + before))
    execute(desk.trading_context, number)
    trade = desk.store.trades.find_by_proposal(number)
    assert trade is not None
    return trade
