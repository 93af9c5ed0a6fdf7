"""Iron condors and debit spreads of the builders' world: their menus, their proposals and their lives on paper."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from spy32.analysts.rules import RulesAnalyst
from spy32.brokers.paper import PaperBroker
from spy32.domain.market import DailyBar
from spy32.domain.orders import Trade
from spy32.domain.proposals import ProposalTerms
from spy32.domain.spreads import Candidate, ExitAuthority, Leg, Menu, Mode, Strategy
from spy32.rules import menu as rules
from spy32.rules import plan
from spy32.settings import Settings
from spy32.trading.execute import execute
from tests.support import builders
from tests.support.managed import QuotedMarket
from tests.support.shipped_menu import real, smile_of
from tests.support.trading import TradingDesk, trading_desk

OTHERS = (Strategy.IRON_CONDOR, Strategy.PUT_DEBIT, Strategy.CALL_DEBIT)
"""The strategies that the settings do not offer by default."""


def settings_for(*strategies: Strategy, **exits: Any) -> Settings:
    made = Settings()
    return replace(
        made,
        choice=replace(made.choice, strategies=strategies),
        exit=replace(made.exit, **exits) if exits else made.exit,
    )


@cache
def menu_of(strategy: Strategy, *, is_real: bool = False) -> Menu:
    """The menu of one strategy, of the builders' chain or of the one that ships with the package."""
    chain = builders.chain().select_expirations(builders.EXPIRATION)
    chain, smile = real() if is_real else (chain, smile_of(chain))
    return rules.build_menu(chain, smile, settings_for(strategy), rng=random.Random(7), seed=7)


def chosen(strategy: Strategy) -> Candidate:
    """What the fixed rule takes of the builders' chain."""
    menu = menu_of(strategy)
    answer = RulesAnalyst(settings_for(strategy)).choose(builders.snapshot(), menu, builders.briefing())
    found = menu.find(answer.candidate_id)
    assert found is not None
    return found


def terms_of(strategy: Strategy, *, quantity: int = 2, **over: Any) -> ProposalTerms:
    """The proposal of what the fixed rule takes, as the rules make it."""
    entry, settings = chosen(strategy), settings_for(strategy, authorise=ExitAuthority.PLAN)
    made = builders.proposal_terms(
        strategy=strategy,
        legs=entry.spread.legs,
        quantity=quantity,
        plan=plan.price_plan(entry, settings),
        exit=plan.exit_plan(entry, builders.TODAY, settings),
        candidate_id=entry.id,
        **over,
    )
    return plan.complete_proposal(made, settings)


def approved(desk: TradingDesk, strategy: Strategy, **over: Any) -> int:
    """The id of such a proposal, approved at the quotes that it was made from."""
    mode, entry = desk.store.core.mode, chosen(strategy)
    run = desk.store.runs.begin(trigger=builders.run().trigger, mode=mode, profile="default", at=builders.NOW)
    made = desk.store.proposals.add(terms_of(strategy, run_id=run.id, mode=mode, **over), body="{}", at=builders.NOW)
    shown = {"mid": entry.mid, "natural": entry.natural, "short_delta": entry.short_delta}
    desk.store.proposals.approve(builders.approval(made, **shown))
    desk.clock.at = builders.later(minutes=6)
    return made.id


@dataclass
class PaperLife:
    """A paper desk with its own broker, whose quotes and daily bars a test sets."""

    desk: TradingDesk
    quoted: QuotedMarket
    bars: dict[date, DailyBar] = field(default_factory=dict)

    def open(self, strategy: Strategy, **over: Any) -> Trade:
        number = approved(self.desk, strategy, **over)
        execute(self.desk.trading_context, number)
        trade = self.desk.store.trades.find_by_proposal(number)
        assert trade is not None
        return trade

    def quote_mids(self, *mids: tuple[Leg, str]) -> None:
        """Each leg is quoted a cent to both sides of its mid."""
        for leg, mid in mids:
            self.quoted.sides[leg.symbol] = (float(Decimal(mid)) - 0.01, float(Decimal(mid)) + 0.01)

    def end(self, day: date, *, close: float, open_: float | None = None) -> None:
        self.bars[day] = DailyBar(day=day, close=close, open=open_)

    def cash(self, book: str) -> Decimal:
        """What a book says that the cash changed by: `account` is ours, `paper` the broker's."""
        row = self.desk.store.core.row(
            "select coalesce(sum(amount_e4), 0) from cash where book = ? and kind <> 'opening'", book
        )
        assert row is not None
        return Decimal(row[0]) / 10_000


@contextmanager
def paper_life(folder: Path) -> Iterator[PaperLife]:
    made = trading_desk(folder)
    quoted = QuotedMarket(clock=made.clock)
    settings = replace(settings_for(*Strategy, authorise=ExitAuthority.PLAN), mode=Mode.PAPER)
    life = PaperLife(desk=made, quoted=quoted)
    broker: Any = PaperBroker(
        ledger=made.store.paper,
        market=quoted,
        clock=made.clock,
        settings=settings,
        number=builders.ACCOUNT,
        find_bar=lambda _, day: life.bars.get(day),
    )
    made.market, made.settings = quoted, settings
    made.orders = made.account = broker
    yield life
    made.store.close()
