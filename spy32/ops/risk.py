"""The risk of the book now, and what the proposal that waits would change. It reads; no limit hangs on it."""

from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from spy32.domain.book import book_max_loss, proposed_position
from spy32.domain.proposals import ProposalKind
from spy32.domain.spreads import CENT, Account, Mode
from spy32.domain.units import Dollars
from spy32.domain.value import value
from spy32.lifecycle import ProposalState
from spy32.rules.book_risk import BookRisk, add_position, assess_book
from spy32.sessions import market_date, week_start
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.store import Store


@value
class NewTrade:
    """The newest opening that waits for approval, and the book as it would be with it."""

    id: str
    words: str
    """`sell 2 SPY 30 Sep 621/616 put spread for 0.56`."""
    book: BookRisk


@value
class RiskReport:
    """Everything that `spy32 risk` shows."""

    mode: Mode
    at: datetime
    account: Account
    account_note: str
    """Where the account's figures come from when the broker did not tell them now; empty when it did."""
    book: BookRisk
    not_held: Dollars
    """Part of the open maximum loss that no spread of the book holds: what is approved or working, the shares of an
    assignment, and foreign positions; dollars."""
    unmeasured: tuple[str, ...]
    """Foreign positions whose maximum loss cannot be computed, in words."""
    oldest_mark: datetime | None
    """Time of the oldest mark, or quotes of an opening, that a position is valued by; None when there is none."""
    new_trade: NewTrade | None


def load_risk(
    store: "Store", account: Account, settings: Settings, now: datetime, *, account_note: str = ""
) -> RiskReport:
    """Return the risk of the book. The limits are the global ones; a profile may only tighten them."""
    today, limits, rate = market_date(now), settings.limits, settings.market.rate
    positions = store.risk.positions()
    exposure = store.risk.exposure(run_id=None, today=today, week_start=week_start(today), account=account)
    book = assess_book(positions, exposure, account, limits, rate=rate, now=now)
    new_trade = None
    openings = [each for each in store.proposals.select(ProposalState.PROPOSED) if each.kind is ProposalKind.OPEN]
    waiting = [each for each in openings if not each.is_over(now)]
    if waiting:
        proposal = waiting[-1]
        view = store.history.view(proposal.run_id)
        candidate = view.menu.find(proposal.candidate_id) if view.menu is not None else None
        added = proposed_position(f"P{proposal.id}", proposal, candidate, view.market)
        after = assess_book((*positions, added), *add_position(exposure, account, added), limits, rate=rate, now=now)
        new_trade = NewTrade(id=added.id, words=proposal.trade_text, book=after)
    return RiskReport(
        mode=settings.mode,
        at=now,
        account=account,
        account_note=account_note,
        book=book,
        not_held=max(exposure.open_risk - book_max_loss(book.positions), Decimal(0)).quantize(CENT, ROUND_FLOOR),
        unmeasured=exposure.unmeasured,
        oldest_mark=min((item.market.at for item in book.positions if item.market is not None), default=None),
        new_trade=new_trade,
    )
