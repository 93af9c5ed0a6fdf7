"""The tastytrade broker over HTTP: reads, dry runs, the account, clocks, whose account, and secrets."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from spy32.brokers.tastytrade import TastytradeBroker, choose_account
from spy32.clients.http import HttpResponse
from spy32.domain.spreads import Mode
from spy32.errors import (
    BadSettings,
    BrokerRefused,
    NotPermitted,
    ServiceGone,
    Spy32Error,
    Unavailable,
    Unusable,
)
from spy32.lifecycle import OrderState
from tests.servers import web
from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN, TOKEN, Reply, Request, Rig, page, refusal
from tests.support.tastytrade_broker import (
    ALL_CLEAR,
    HOME,
    INNER,
    LONG,
    NUMBER,
    ONE,
    ORDERS,
    REFERENCE,
    SECRETS,
    SHORT,
    Row,
    Scripted,
    balance,
    body,
    dry_row,
    failed,
    fill,
    leg,
    line,
    made,
    order_row,
    position,
    replaced,
)

# Reading.


def test_one_order_is_followed_by_its_id(server: Scripted, broker: TastytradeBroker) -> None:
    server.says(f"GET {ONE}", order_row())
    assert broker.order("480001").state is OrderState.FILLED
    server.says(f"GET {ONE}", order_row(id=480002))
    assert "order 480002 came" in failed(lambda: broker.order("480001")).message


def test_an_order_that_the_service_does_not_know_is_refused(server: Scripted, broker: TastytradeBroker) -> None:
    error = failed(lambda: broker.order("480001"))
    assert type(error) is BrokerRefused
    assert "480001" in error.message
    failed(lambda: broker.order("../../\n" + "x" * 200))
    assert server.requests[-1].path.startswith(f"{ORDERS}/..%2F..%2F%0A")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (page(404, "404 Not Found"), ServiceGone),
        (Reply(status=404, body=""), ServiceGone),
        (refusal(403, "not_permitted", f"not {NUMBER}"), NotPermitted),
        (refusal(406, 406, "The requested version is not supported."), ServiceGone),
        (page(502, "502 Bad Gateway"), Unavailable),
        (refusal(429, "too_many", "slow down"), Unavailable),
        (Reply(body={"data": None}), Unusable),
        (Reply(body={"data": {}}), Unusable),
        (Reply(body="<html>"), Unusable),
        (Reply(body={"data": order_row(account_number="5WX09999")}), Unusable),
    ],
)
def test_a_read_that_failed_does_not_say_that_there_is_no_order(
    server: Scripted, broker: TastytradeBroker, reply: Reply, kind: type[Spy32Error]
) -> None:
    server.always[ONE] = replaced(reply)
    assert type(failed(lambda: broker.order("480001"))) is kind


@pytest.mark.parametrize("path", ["orders/live", "orders", "positions", "transactions", "balances/USD"])
def test_reads_are_tried_again_and_tell_no_account_number(
    server: Scripted, broker: TastytradeBroker, path: str
) -> None:
    reads: dict[str, Callable[[], object]] = {
        "orders/live": broker.todays_orders,
        "orders": lambda: broker.search(date(2026, 11, 23)),
        "positions": broker.positions,
        "transactions": lambda: broker.transactions(date(2026, 11, 23)),
        "balances/USD": broker.facts,
    }
    server.always[f"{HOME}/{path}"] = web.status(503, {"error": {"code": "x", "message": f"of {NUMBER}"}})
    error = failed(reads[path])
    assert type(error) is Unavailable
    assert f"/accounts/…1234/{path}" in error.message
    assert server.calls(f"{HOME}/{path}") == 2
    server.always[f"{HOME}/{path}"] = replaced(Reply(body={"data": {"items": {"x": NUMBER}}}))
    assert type(failed(reads[path])) is Unusable


class Paged(Scripted):
    """Lists of several pages, two rows a page; one row is on two pages."""

    listed: list[Row]

    def routes(self) -> dict[str, Callable[..., Reply]]:
        return {rf"GET {HOME}/(orders|orders/live|transactions|positions)": self._page}

    def _page(self, request: Request, path: str) -> Reply:
        at = int(request.query.get("page-offset", "0"))
        pagination = {"page-offset": at, "total-pages": (len(self.listed) + 1) // 2}
        rows = self.listed[at * 2 : at * 2 + 2]
        return Reply(body={"data": {"items": rows}, "context": path, "pagination": pagination})


def test_lists_are_read_to_their_last_page_and_name_each_order_once() -> None:
    with Paged().running() as server:
        assert isinstance(server, Paged)
        broker = made(Rig(server))
        server.listed = [order_row(id=number) for number in (5, 4, 4, 3, 2)]
        assert [seen.broker_id for seen in broker.search(date(2026, 11, 20))] == ["5", "4", "3", "2"]
        asked = [request.query for request in server.requests if request.path == ORDERS]
        assert {query["start-date"] for query in asked} == {"2026-11-20"}
        assert [query.get("page-offset") for query in asked] == [None, "1", "2"]
        assert [seen.broker_id for seen in broker.todays_orders()] == ["5", "4", "3", "2"]
        server.listed = [line(id=number) for number in (9, 8, 8, 7)]
        assert [seen.id for seen in broker.transactions(date(2026, 11, 20))] == ["9", "8", "7"]
        asked_last = [request for request in server.requests if request.path == f"{HOME}/transactions"]
        assert all(request.query["start-date"] == "2026-11-20" for request in asked_last)
        assert all(request.lists["types[]"] == ["Trade", "Receive Deliver"] for request in asked_last)
        server.listed = [position(), position(symbol=LONG, quantity_direction="Long"), position(symbol="SPY")]
        assert [held.symbol for held in broker.positions()] == [SHORT, LONG, "SPY"]


@pytest.mark.parametrize(
    ("over", "legs"),
    [
        ({"price": "-1"}, [(SHORT, 1), (LONG, 1)]),
        ({"price_effect": "None"}, [(SHORT, 1), (LONG, 1)]),
        ({"size": 3, "legs": [leg(SHORT, "Sell to Open", 2), leg(LONG, "Buy to Open", 2)]}, [(SHORT, 2), (LONG, 2)]),
        ({"legs": [leg(SHORT, "Sell to Open", 1, [fill("f", "0.0")])]}, [(SHORT, 1)]),
        ({"legs": [leg(SHORT, "Sell to Open"), leg("SPY   2612XXP00635000", "Buy to Open")]}, []),
        ({"legs": {"x": 1}}, []),
    ],
)
def test_one_order_that_cannot_be_read_hides_no_other(
    server: Scripted, broker: TastytradeBroker, over: Row, legs: list[tuple[str, int]]
) -> None:
    server.says(f"GET {ORDERS}/live", {"items": [order_row(), order_row(**{"id": 480002, **over})]})
    first, second = broker.todays_orders()
    assert (first.broker_id, first.unread) == ("480001", None)
    assert second.broker_id == "480002"
    assert second.is_unread
    assert str(second.unread).startswith("tastytrade: ")
    assert [(each.symbol, each.quantity) for each in second.legs] == legs
    assert (second.quantity, second.fills) == (0, ())
    server.says(f"GET {ORDERS}/480002", order_row(**{"id": 480002, **over}))
    assert type(failed(lambda: broker.order("480002"))) is Unusable


@pytest.mark.parametrize("over", [{"id": None}, {"status": None}, {"account_number": "5WX09999"}])
def test_an_order_without_a_name_or_of_another_account_makes_the_list_unreadable(
    server: Scripted, broker: TastytradeBroker, over: Row
) -> None:
    server.says(f"GET {ORDERS}/live", {"items": [order_row(), order_row(**over)]})
    assert type(failed(broker.todays_orders)) is Unusable


# The dry run.


def test_a_dry_run_is_asked_once_and_read(server: Scripted, broker: TastytradeBroker) -> None:
    server.says(f"POST {ORDERS}/dry-run", dry_row(), 201)
    answer = broker.dry_run(body())
    assert answer.accepted
    assert (answer.fees, answer.margin) == (Decimal("2.25"), Decimal(500))
    assert server.sent()[0].body == body().encode()


def test_a_token_that_is_over_is_renewed_for_a_dry_run(server: Scripted, broker: TastytradeBroker) -> None:
    server.says(f"POST {ORDERS}/dry-run", dry_row(), 201)
    broker.dry_run(body())
    server.expire_tokens()
    assert broker.dry_run(body()).accepted
    assert (server.log_ins, len(server.sent())) == (2, 3)


def test_a_dry_run_that_fails_is_refused_in_each_of_its_three_shapes(
    server: Scripted, broker: TastytradeBroker
) -> None:
    call = f"POST {ORDERS}/dry-run"
    for status in (400, 422):
        server.said[call] = refusal(status, "preflight_check_failure", f"checks of {NUMBER} failed", INNER)
        answer = broker.dry_run(body())
        assert not answer.accepted
        assert answer.errors == (
            "checks of …1234 failed (preflight_check_failure)",
            "Too little. (margin_check_failed)",
            "is missing (price-effect)",
        )
    server.says(call, dry_row(errors=INNER), 201)
    assert broker.dry_run(body()).errors == ("Too little. (margin_check_failed)", "is missing (price-effect)")
    server.says(call, dry_row(warnings=[{"code": "would_be_rejected", "message": "Not today."}]), 201)
    assert broker.dry_run(body()).errors == ("warned: Not today. (would_be_rejected)",)
    server.said[call] = Reply(status=201, body={"error": {"code": "odd", "message": "m"}})
    assert broker.dry_run(body()).errors == ("m (odd)",)
    server.said[call] = Reply(status=201, body={"error": 7})
    assert broker.dry_run(body()).errors == ("an error that cannot be read",)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(status=422, body=""), Unusable),
        (Reply(status=201, body=""), Unusable),
        (Reply(status=201, body="[]"), Unusable),
        (Reply(status=201, body={}), Unusable),
        (Reply(status=201, body={"data": {}}), Unusable),
        (Reply(status=201, body="<html>"), Unusable),
        (Reply(status=302, body=""), Unusable),
        (refusal(401, "token_invalid", "no"), NotPermitted),
        (page(401, "401 Authorization Required"), NotPermitted),
        (refusal(403, "not_permitted", f"no scope for {NUMBER}"), NotPermitted),
        (refusal(404, "not_found", "none"), ServiceGone),
        (refusal(406, 406, "version"), ServiceGone),
        (refusal(429, "slow", "down"), Unavailable),
        (page(502, "502 Bad Gateway"), Unavailable),
    ],
)
def test_a_dry_run_without_a_plain_answer_approves_nothing(
    server: Scripted, broker: TastytradeBroker, reply: Reply, kind: type[Spy32Error]
) -> None:
    server.always[f"{ORDERS}/dry-run"] = replaced(reply)
    assert type(failed(lambda: broker.dry_run(body()))) is kind


@pytest.mark.slow
def test_a_dry_run_that_is_lost_can_be_tried_later(server: Scripted, rig: Rig) -> None:
    for fault in (web.reset, web.cut, web.hang):
        server.always[f"{ORDERS}/dry-run"] = fault
        error = failed(lambda: made(rig, seconds=0.5).dry_run(body()))
        assert type(error) is Unavailable
        assert "not rehearsed" in error.message
    assert len(server.sent()) == 3


# The account.


def with_account(server: Scripted, status: Row | None = None, **over: Any) -> None:
    account = {"account-number": NUMBER, "margin-or-cash": "Margin", "is-closed": False, **over}
    server.says(f"GET {HOME}/balances/USD", balance())
    server.says(f"GET {HOME}/trading-status", status or {**ALL_CLEAR, "options-level": "No Restrictions"})
    server.says(f"GET /customers/me/accounts/{NUMBER}", account)
    server.says(f"GET {HOME}/positions", {"items": [position()]})


def test_the_account_is_read_whole(server: Scripted, broker: TastytradeBroker) -> None:
    with_account(server)
    account = broker.facts()
    assert (account.number, account.mode, account.options_level) == (NUMBER, Mode.SANDBOX, "No Restrictions")
    assert (account.net_liquidation, account.buying_power) == (Decimal(50000), Decimal("49000.25"))
    assert [(held.symbol, held.quantity) for held in account.positions] == [(SHORT, -1)]
    assert account.restrictions == ()
    assert NUMBER not in repr(broker)
    assert broker.assumption == ""


def test_without_a_keeper_nothing_of_the_account_is_kept(server: Scripted, rig: Rig) -> None:
    with_account(server)
    rig.http.keep = None
    assert made(rig).facts().number == NUMBER
    assert rig.kept == []


def test_what_restricts_the_account_is_told(server: Scripted, broker: TastytradeBroker) -> None:
    status = {**ALL_CLEAR, "is-closing-only": True, "is-in-margin-call": True, "options-level": None}
    with_account(server, status, **{"margin-or-cash": "Cash"})
    account = broker.facts()
    assert account.restrictions == ("closing only", "margin call", "cash account")
    assert account.options_level == ""


@pytest.mark.parametrize(
    ("call", "data"),
    [
        (f"GET {HOME}/trading-status", {**ALL_CLEAR, "account-number": "5WX09999"}),
        (f"GET {HOME}/trading-status", []),
        (f"GET /customers/me/accounts/{NUMBER}", {"account": {"account-number": "5WX09999"}}),
        (f"GET {HOME}/balances/USD", balance(derivative_buying_power="NaN")),
        (f"GET {HOME}/positions", {"items": [position(account_number="5WX09999")]}),
    ],
)
def test_an_account_that_cannot_be_read_is_none(
    server: Scripted, broker: TastytradeBroker, call: str, data: Any
) -> None:
    with_account(server)
    server.says(call, data)
    assert type(failed(broker.facts)) is Unusable


def test_an_account_of_somebody_else_is_not_permitted(server: Scripted, broker: TastytradeBroker) -> None:
    server.always[HOME] = replaced(refusal(403, "not_permitted", f"User not permitted access to {NUMBER}"))
    error = failed(broker.facts)
    assert type(error) is NotPermitted
    assert "…1234" in error.message


# The clocks.


@pytest.mark.parametrize(
    ("header", "ahead"),
    [
        ("Mon, 23 Nov 2026 15:02:01 GMT", 119.672),
        ("Mon, 23 Nov 2026 14:58:01 -0000", -120.328),
        ("soon", None),
        ("", None),
        ("Mon, 99 Nov 2026 15:02:01 GMT", None),
    ],
)
def test_the_clocks_are_compared_by_the_last_answer(
    server: Scripted, broker: TastytradeBroker, header: str, ahead: float | None
) -> None:
    assert broker.clock_ahead() is None
    broker._measure_clock_ahead(HttpResponse(status=200, headers={"date": header} if header else {}, body=b""))
    assert broker.clock_ahead() == (pytest.approx(ahead) if ahead is not None else None)


def test_every_answer_is_heard_also_a_refusal(server: Scripted, broker: TastytradeBroker) -> None:
    failed(lambda: broker.order("480001"))
    assert broker.clock_ahead() is not None


# Whose account.


def accounts(*listed: tuple[str, bool]) -> Row:
    rows = [
        {"account": {"account-number": number, "is-closed": closed}, "authority-level": "owner"}
        for number, closed in listed
    ]
    return {"items": rows}


def chosen(server: Scripted, rig: Rig, wanted: str, *listed: tuple[str, bool]) -> str:
    server.says("GET /customers/me/accounts", accounts(*listed))
    return choose_account(rig.rest, wanted, 5)


def test_the_only_open_account_is_taken(server: Scripted, rig: Rig) -> None:
    assert chosen(server, rig, "", ("5WX05678", True), (NUMBER, False)) == NUMBER
    assert chosen(server, rig, NUMBER, ("5WX05678", False), (NUMBER, False)) == NUMBER


def test_among_several_nothing_is_guessed(server: Scripted, rig: Rig) -> None:
    error = failed(lambda: chosen(server, rig, "", ("5WX05678", False), (NUMBER, False)))
    assert type(error) is BadSettings
    assert "…5678, …1234" in error.message
    assert "tastytrade.account" in error.message
    assert "5WX05678" not in error.message


@pytest.mark.parametrize(
    ("wanted", "listed", "pieces"),
    [
        (NUMBER, [("5WX05678", False)], ["…1234 is not one of this log-in", "open are: …5678"]),
        (NUMBER, [(NUMBER, True)], ["…1234 is closed", "open are: none"]),
        ("1234", [(NUMBER, False)], ["… is not one of this log-in"]),
        (NUMBER.lower(), [(NUMBER, False)], ["…1234 is not one"]),
        ("", [], ["no open account"]),
        ("", [(NUMBER, True)], ["no open account"]),
    ],
)
def test_an_account_that_is_not_there_is_not_permitted(
    server: Scripted, rig: Rig, wanted: str, listed: list[tuple[str, bool]], pieces: list[str]
) -> None:
    error = failed(lambda: chosen(server, rig, wanted, *listed))
    assert type(error) is NotPermitted
    assert not [piece for piece in pieces if piece not in error.message]


# Secrets.


def test_a_service_that_sends_secrets_back_does_not_make_us_tell_them(
    server: Scripted, broker: TastytradeBroker
) -> None:
    everything = f"{TOKEN}.1 {CLIENT_SECRET} {REFRESH_TOKEN} {NUMBER}"
    odd = order_row(status=everything, reject_reason=everything, external_identifier=f"{TOKEN}.1")
    server.says(f"GET {ONE}", odd)
    seen = broker.order("480001")
    assert (seen.status, seen.reason, seen.reference) == (
        "**** **** **** …1234",
        "**** **** **** …1234",
        "****",
    )
    server.says(f"POST {ORDERS}", {"order": {**odd, "external-identifier": REFERENCE}}, 201)
    assert not [secret for secret in SECRETS if secret in repr(broker.submit(body()))]
    for key in ("id", "price", "size", "received-at", "legs"):
        server.says(f"GET {ONE}", {**order_row(), key: everything})
        failed(lambda: broker.order("480001"))
        server.says(f"POST {ORDERS}", {"order": {**order_row(), key: everything}}, 201)
        failed(lambda: broker.submit(body()))
    server.says(f"POST {ORDERS}/dry-run", dry_row(errors=[{"code": everything, "message": everything}]), 201)
    assert not [secret for secret in SECRETS if secret in repr(broker.dry_run(body()))]


def test_a_number_that_stands_where_words_are_cut_is_not_shown(server: Scripted, broker: TastytradeBroker) -> None:
    server.said[f"POST {ORDERS}"] = refusal(422, "x", "y" * 295 + NUMBER)
    message = failed(lambda: broker.submit(body())).message
    assert NUMBER[:5] not in message


def test_what_is_sent_has_no_secret_but_in_its_header(server: Scripted, broker: TastytradeBroker) -> None:
    server.says(f"POST {ORDERS}", {"order": order_row()}, 201)
    broker.submit(body())
    (sent,) = server.sent()
    assert not [secret for secret in SECRETS[:3] if secret.encode() in sent.body or secret in sent.path]
    assert json.loads(sent.body)["external-identifier"] == REFERENCE
