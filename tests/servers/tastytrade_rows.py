"""The local broker's answers about accounts and orders, in the service's keys and number formats."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

from spy32.sessions import Session, market_date, next_session, previous_session, session
from tests.servers.tastytrade_state import (
    CONTINGENT,
    LIVE,
    RECEIVED,
    SHARES,
    ZERO,
    BrokerAccount,
    Fill,
    Holding,
    LegState,
    Row,
    Ticket,
    is_option,
    iso,
    margin,
    signed,
    text,
)

OPENED = "2024-03-05T15:00:00.000+00:00"
BEFORE_OPEN = timedelta(minutes=75)
AFTER_CLOSE = timedelta(hours=4)
NOTHING = (
    "long-futures-value",
    "short-futures-value",
    "long-futures-derivative-value",
    "short-futures-derivative-value",
    "long-margineable-value",
    "short-margineable-value",
    "futures-margin-requirement",
    "maintenance-call-value",
    "reg-t-call-value",
    "day-trading-call-value",
    "day-equity-call-value",
    "day-trade-excess",
    "day-trading-buying-power",
    "long-cryptocurrency-value",
    "short-cryptocurrency-value",
    "cryptocurrency-margin-requirement",
    "unsettled-cryptocurrency-fiat-amount",
    "closed-loop-available-balance",
    "equity-offering-margin-requirement",
    "long-bond-value",
    "bond-margin-requirement",
    "futures-overnight-margin-requirement",
    "futures-intraday-margin-requirement",
    "pending-margin-interest",
    "effective-cryptocurrency-buying-power",
    "pending-cash",
    "buying-power-adjustment",
)

Mid = Callable[[str], Decimal | None]


def account_row(account: BrokerAccount) -> Row:
    return {
        "account-number": account.number,
        "account-type-name": "Individual",
        "nickname": account.nickname,
        "margin-or-cash": account.kind,
        "is-closed": account.is_closed,
        "is-firm-error": False,
        "is-firm-proprietary": False,
        "is-foreign": False,
        "is-futures-approved": False,
        "is-test-drive": False,
        "day-trader-status": False,
        "investment-objective": "SPECULATION",
        "suitable-options-level": account.options_level,
        "opened-at": OPENED,
        "created-at": OPENED,
        **({"closed-at": OPENED} if account.is_closed else {}),
    }


def status_row(account: BrokerAccount) -> Row:
    flags = {
        "is-frozen": account.is_frozen,
        "is-closing-only": account.is_closing_only,
        "is-risk-reducing-only": account.is_risk_reducing_only,
        "is-in-margin-call": account.is_in_margin_call,
        "options-level": account.options_level,
    }
    return {
        "id": 411,
        "account-number": account.number,
        "equities-margin-calculation-type": "Reg T" if account.kind == "Margin" else "Cash",
        "fee-schedule-name": "default",
        "futures-margin-rate-multiplier": "0.0",
        "has-intraday-equities-margin": False,
        "is-aggregated-at-clearing": False,
        "is-closed": account.is_closed,
        "is-cryptocurrency-enabled": False,
        "is-full-equity-margin-required": False,
        "is-futures-closing-only": False,
        "is-futures-intra-day-enabled": False,
        "is-futures-enabled": False,
        "is-in-day-trade-equity-maintenance-call": False,
        "is-pattern-day-trader": False,
        "is-small-notional-futures-intra-day-enabled": False,
        "is-roll-the-day-forward-enabled": True,
        "are-far-otm-net-options-restricted": False,
        "short-calls-enabled": True,
        "small-notional-futures-margin-rate-multiplier": "0.0",
        "is-equity-offering-enabled": False,
        "is-equity-offering-closing-only": False,
        "updated-at": OPENED,
        **{name: flag for name, flag in flags.items() if flag is not None},
    }


def limit_row(account: BrokerAccount) -> Row:
    return {
        "account-number": account.number,
        "equity-order-size": 100_000,
        "equity-option-order-size": account.order_size_limit,
        "future-order-size": 50,
        "underlying-opening-order-limit": 50,
    }


def balance_row(account: BrokerAccount, power: Decimal, mid: Mid, now: datetime) -> Row:
    """`power` is the buying power for options."""
    required = margin(account.held)
    values = {symbol: _value(holding, mid) for symbol, holding in account.holdings.items()}
    options = [value for symbol, value in values.items() if is_option(symbol)]
    shares = [value for symbol, value in values.items() if not is_option(symbol)]
    liquidation = account.cash + sum(values.values(), ZERO)
    amounts = {
        "cash-balance": account.cash,
        "net-liquidating-value": liquidation,
        "derivative-buying-power": power,
        "equity-buying-power": power * (2 if account.kind == "Margin" else 1),
        "used-derivative-buying-power": account.cash - power,
        "available-trading-funds": power,
        "cash-available-to-withdraw": max(ZERO, power),
        "maintenance-requirement": required,
        "maintenance-excess": liquidation - required,
        "reg-t-margin-requirement": required,
        "margin-equity": liquidation,
        "long-derivative-value": sum((value for value in options if value > 0), ZERO),
        "short-derivative-value": -sum((value for value in options if value < 0), ZERO),
        "long-equity-value": sum((value for value in shares if value > 0), ZERO),
        "short-equity-value": -sum((value for value in shares if value < 0), ZERO),
    }
    return {
        "account-number": account.number,
        "currency": "USD",
        **dict.fromkeys(NOTHING, "0.0"),
        **{name: text(amount) for name, amount in amounts.items()},
        "pending-cash-effect": "None",
        "buying-power-adjustment-effect": "None",
        "snapshot-date": f"{market_date(now)}",
        "updated-at": iso(now),
    }


def _value(holding: Holding, mid: Mid) -> Decimal:
    price = mid(holding.symbol)
    price = holding.average if price is None else price
    return price * holding.quantity * (SHARES if is_option(holding.symbol) else 1)


def position_row(account: BrokerAccount, holding: Holding, mid: Mid, *, has_mark: bool) -> Row:
    price = mid(holding.symbol)
    price = holding.average if price is None else price
    many = SHARES if is_option(holding.symbol) else 1
    row: Row = {
        "account-number": account.number,
        "instrument-type": "Equity Option" if is_option(holding.symbol) else "Equity",
        "symbol": holding.symbol,
        "underlying-symbol": holding.symbol[:6].rstrip(),
        "quantity": abs(holding.quantity),
        "quantity-direction": "Long" if holding.quantity > 0 else "Short",
        "average-open-price": text(holding.average),
        "close-price": text(price),
        "multiplier": many,
        "cost-effect": "Credit" if holding.quantity > 0 else "Debit",
        "is-frozen": False,
        "is-suppressed": False,
        "restricted-quantity": 0,
        **signed("realized-day-gain", ZERO),
        **signed("realized-today", ZERO),
        "created-at": iso(holding.opened),
        "updated-at": iso(holding.updated),
    }
    if has_mark:
        row |= {"mark": text(price * many), "mark-price": text(price)}
    if is_option(holding.symbol):
        day = datetime.strptime(holding.symbol[6:12], "%y%m%d").date()
        found = session(day)
        row["expires-at"] = None if found is None else iso(found.close)
    return row


def order_row(ticket: Ticket) -> Row:
    row: Row = {
        "id": ticket.id,
        "account-number": ticket.account,
        "cancellable": ticket.status in (RECEIVED, CONTINGENT, LIVE),
        "editable": ticket.status in (RECEIVED, LIVE),
        "edited": ticket.replacing is not None,
        "ext-client-order-id": f"JAAAAAXQ{ticket.id}",
        "external-identifier": ticket.reference,
        "global-request-id": f"f6c5863356cf1be83fed{ticket.id:012d}",
        "source": ticket.source,
        "order-type": ticket.kind,
        **({} if ticket.credit is None else signed("price", ticket.credit)),
        "size": ticket.size,
        "status": ticket.status,
        "time-in-force": ticket.force,
        "gtc-date": ticket.gtc_date,
        "underlying-instrument-type": "Equity",
        "underlying-symbol": ticket.legs[0].symbol[:6].rstrip(),
        "received-at": iso(ticket.at),
        "in-flight-at": iso(ticket.in_flight_at),
        "live-at": iso(ticket.live_at),
        "terminal-at": iso(ticket.terminal_at),
        "cancelled-at": iso(ticket.cancelled_at),
        "updated-at": int((ticket.updated_at or ticket.at).timestamp() * 1000),
        "reject-reason": ticket.reason or None,
        "replaces-order-id": ticket.replaces,
        "replacing-order-id": ticket.replacing,
        "legs": [leg_row(leg, shows_fills=index == 0 or not ticket.late) for index, leg in enumerate(ticket.legs)],
    }
    return {name: value for name, value in row.items() if value is not None}


def dry_row(ticket: Ticket) -> Row:
    """An order as a dry run echoes it: no id, no times."""
    row = order_row(ticket)
    for name in ("id", "ext-client-order-id", "global-request-id", "received-at", "external-identifier"):
        row.pop(name, None)
    return {**row, "status": RECEIVED, "cancellable": True, "editable": True, "edited": False, "updated-at": 0}


def leg_row(leg: LegState, *, shows_fills: bool = True) -> Row:
    return {
        "instrument-type": "Equity Option" if is_option(leg.symbol) else "Equity",
        "symbol": leg.symbol,
        "quantity": leg.quantity,
        "remaining-quantity": leg.remaining,
        "action": leg.action,
        "fills": [fill_row(fill) for fill in leg.fills] if shows_fills else [],
    }


def fill_row(fill: Fill) -> Row:
    return {
        "fill-id": fill.id,
        "ext-group-fill-id": fill.group,
        "ext-exec-id": fill.execution,
        "quantity": fill.quantity,
        "fill-price": text(fill.price),
        "filled-at": iso(fill.at),
        "destination-venue": fill.venue,
    }


def state_of(now: datetime) -> str:
    today = session(market_date(now))
    if today is None or not today.open - BEFORE_OPEN <= now < today.close + AFTER_CLOSE:
        return "Closed"
    return "Pre-market" if now < today.open else "Open" if now < today.close else "Extended"


def session_row(now: datetime, state: str) -> Row:
    """Before the day's start the next session is today's."""
    day = market_date(now)
    today = session(day)
    has_begun = today is not None and now >= today.open - BEFORE_OPEN
    coming = next_session(day) if has_begun or today is None else today
    row: Row = {"instrument-collection": "Equity", "state": state}
    if today is not None and has_begun:
        row |= _times(today)
    return row | {"next-session": _session(coming), "previous-session": _session(previous_session(day))}


def _session(found: Session) -> Row:
    return {"session-date": f"{found.day}", "instrument-collection": "Equity", **_times(found)}


def _times(found: Session) -> Row:
    return {
        "start-at": iso(found.open - BEFORE_OPEN),
        "open-at": iso(found.open),
        "close-at": iso(found.close),
        "close-at-ext": iso(found.close + AFTER_CLOSE),
    }


def is_within(day: date, since: str | None, until: str | None) -> bool:
    """Of `start-date` and `end-date`, both ends included."""
    return (since is None or day >= date.fromisoformat(since)) and (until is None or day <= date.fromisoformat(until))
