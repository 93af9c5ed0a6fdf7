"""The stand-in's wire format by a second opinion: the tastytrade SDK's own models parse every answer.

Skipped where the package `tastytrade` is not installed. Only the base address of its client is ours.
"""

import warnings
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.servers.plain_desk import LONG, ORDERS, SHORT, DeskClient, filled
from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN
from tests.servers.tastytrade_orders import ACCOUNT, AT, TastytradeBrokerServer

pytestmark = pytest.mark.slow


@pytest.fixture
def sdk(server: TastytradeBrokerServer) -> Iterator[Any]:
    """Runs a coroutine of the SDK: `sdk(lambda session: ...)`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tastytrade = pytest.importorskip("tastytrade")
        import anyio

        def run(act: Any, **terms: Any) -> Any:
            async def inner() -> Any:
                session = tastytrade.Session(CLIENT_SECRET, REFRESH_TOKEN, **terms)
                session._client.base_url = server.url
                async with session:
                    return await act(session)

            return anyio.run(inner)

        yield run


def _sdk_order(price: str, **over: Any) -> Any:
    from tastytrade.order import InstrumentType, Leg, LimitOrder, OrderAction, OrderTimeInForce

    legs = [
        Leg(instrument_type=InstrumentType.EQUITY_OPTION, symbol=symbol, action=action, quantity=1)
        for symbol, action in ((SHORT, OrderAction.SELL_TO_OPEN), (LONG, OrderAction.BUY_TO_OPEN))
    ]
    terms = {"time_in_force": OrderTimeInForce.DAY, "legs": legs, "price": Decimal(price)}
    return LimitOrder(**{**terms, **over})


@pytest.mark.parametrize("is_test", [False, True])
def test_the_sdk_reads_the_account(server: TastytradeBrokerServer, desk: DeskClient, sdk: Any, is_test: bool) -> None:
    from tastytrade import Account
    from tastytrade.market_sessions import ExchangeType, get_market_sessions

    server.is_sandbox = is_test
    server.add_account("5WX09999", is_closed=True)
    desk.version = "" if is_test else "20261012"
    filled(server, desk, quantity=2)

    async def act(session: Any) -> Any:
        accounts = await Account.get(session)
        one = await Account.get(session, ACCOUNT)
        balances, status = await one.get_balances(session), await one.get_trading_status(session)
        positions = await one.get_positions(session, underlying_symbols=["SPY"], include_marks=True)
        return accounts, one, balances, status, positions, await get_market_sessions(session, [ExchangeType.NYSE])

    accounts, one, balances, status, positions, sessions = sdk(act, is_test=is_test)
    assert accounts == [one]
    assert (one.account_number, one.margin_or_cash, one.is_closed) == (ACCOUNT, "Margin", False)
    assert balances.cash_balance == Decimal(100_000) + 210 - Decimal("4.50")
    assert balances.derivative_buying_power == balances.cash_balance - 1000
    assert balances.pending_cash == 0
    assert (status.is_closing_only, status.options_level) == (False, "No Restrictions")
    assert {(row.symbol, row.quantity, row.quantity_direction) for row in positions} == {
        (SHORT, 2, "Short"),
        (LONG, 2, "Long"),
    }
    assert all(row.mark == row.mark_price * row.multiplier for row in positions)
    assert (sessions[0].status, sessions[0].next_session.session_date) == ("Open", date(2026, 11, 24))


def test_the_sdk_tries_places_reprices_and_cancels(server: TastytradeBrokerServer, sdk: Any) -> None:
    from tastytrade import Account
    from tastytrade.utils import TastytradeError

    async def act(session: Any) -> Any:
        one = await Account.get(session, ACCOUNT)
        tried = await one.place_order(session, _sdk_order("1.05"), dry_run=True)
        placed = await one.place_order(session, _sdk_order("1.05", external_identifier="x-1"), dry_run=False)
        live = await one.get_live_orders(session)
        new = await one.replace_order(session, placed.order.id, _sdk_order("1.04"))
        both = [await one.get_order(session, order_id) for order_id in (placed.order.id, new.id)]
        await one.delete_order(session, new.id)
        with pytest.raises(TastytradeError, match="cannot_update_order"):
            await one.delete_order(session, new.id)
        with pytest.raises(TastytradeError, match="margin_check_failed"):
            server.account().cash = Decimal(100)
            await one.place_order(session, _sdk_order("1.05"), dry_run=True)
        return tried, placed, live, new, both, await one.get_order(session, new.id)

    tried, placed, live, new, both, last = sdk(act)
    effect, fees = tried.buying_power_effect, tried.fee_calculation
    assert (effect.change_in_margin_requirement, effect.change_in_buying_power) == (Decimal(-500), Decimal("-397.25"))
    assert (effect.current_buying_power, effect.impact, effect.is_spread) == (100_000, Decimal("397.25"), True)
    assert fees.total_fees == fees.commission + fees.clearing_fees + fees.regulatory_fees == Decimal("-2.25")
    assert (tried.order.price, tried.order.status, tried.order.updated_at.year) == (Decimal("1.05"), "Received", 1970)
    assert (placed.order.status, placed.order.external_identifier, placed.warnings) == ("Routed", "x-1", [])
    assert [order.id for order in live] == [placed.order.id]
    assert (new.price, new.replaces_order_id, new.status) == (Decimal("1.04"), placed.order.id, "Contingent")
    assert [order.status for order in both] == ["Cancelled", "Live"]
    assert both[0].replacing_order_id == new.id
    assert last.status == "Cancelled"
    assert placed.order.updated_at == both[0].received_at == AT


def test_the_sdk_reads_fills_and_history(server: TastytradeBrokerServer, desk: DeskClient, sdk: Any) -> None:
    from tastytrade import Account

    first = filled(server, desk)
    for _ in range(11):
        desk.call("DELETE", f"{ORDERS}/{desk.place()['id']}")
    server.assign(SHORT)

    async def act(session: Any) -> Any:
        one = await Account.get(session, ACCOUNT)
        day = date(2026, 11, 23)
        orders = await one.get_order_history(session, per_page=5, page_offset=None, start_date=day)
        lines = await one.get_history(session, per_page=2, page_offset=None, start_date=day)
        return orders, lines, await one.get_positions(session)

    orders, lines, positions = sdk(act)
    assert [order.id for order in orders] == sorted((order.id for order in orders), reverse=True)
    assert len(orders) == 12
    done = orders[-1]
    # Its sign is the other way round: what is received is negative.
    assert (done.id, done.status, done.average_fill_price()) == (first, "Filled", Decimal("-1.05"))
    assert [line.transaction_sub_type for line in lines] == [
        "Buy to Open",
        "Assignment",
        "Buy to Open",
        "Sell to Open",
    ]
    sold = lines[-1]
    assert (sold.order_id, sold.quantity, sold.commission) == (first, 1, Decimal("-1.0"))
    assert sold.net_value == sold.value - Decimal("1.13")
    assert sum(line.net_value for line in lines) == Decimal("105") - Decimal("2.25") - 63_000
    assert {row.instrument_type for row in positions} == {"Equity", "Equity Option"}
