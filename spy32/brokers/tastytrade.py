"""tastytrade as a broker: the `OrderGateway` and `AccountGateway` of sandbox and live mode.

Reads are repeated within their time. A write is one request, and its outcome is one of four: taken, definitely
refused (`BrokerRefused`), not sent at all (`Unavailable`), or not known (`Unresolved`), which only reading settles.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, date
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from spy32.clients.http import HttpFailure, HttpResponse, parse_strict_json
from spy32.clients.tastytrade import accounts, orders
from spy32.clients.tastytrade.market import require_fields
from spy32.clients.tastytrade.oauth_session import is_html
from spy32.clients.tastytrade.rest import Params, RestClient
from spy32.clients.tastytrade.wire import parse_text, require_own_account
from spy32.domain.orders import BrokerOrder, DryRun
from spy32.domain.sanitize import cap_text
from spy32.domain.spreads import Account, Mode, Position
from spy32.domain.transactions import Transaction
from spy32.errors import BadSettings, BrokerRefused, NotPermitted, Spy32Error, Unavailable, Unresolved, Unusable
from spy32.ports import Clock

DEFINITE_REFUSALS = frozenset({400, 401, 403, 404, 406, 422})
"""With an error body of the order service these mean that the order was not taken. 429 proves nothing."""
DRY_RUN_REFUSALS = frozenset({400, 422})
"""Statuses of a dry run whose error body is the broker's answer."""
TOKEN_MARGIN = 120.0
"""Seconds that a token must still live when an order is sent ..."""
DRY_RUN_TOKEN_MARGIN = 240.0
"""... and when it is rehearsed just before, so that the log-in is not needed between the commitment and the order."""
PAGE_SIZE = "50"
MAX_MESSAGE_LENGTH = 1000
ACCOUNTS_PATH = "customers/me/accounts"


@dataclass(eq=False)
class TastytradeBroker:
    """One account, connected at the first question. `seconds` is the longest time for one.

    `connect` gives the service behind the log-in and the number of the account.
    """

    connect: Callable[[], tuple[RestClient, str]]
    _: KW_ONLY
    mode: Mode
    clock: Clock
    seconds: float
    ahead: float | None = None
    """By the last answer's `Date` header, which is whole seconds; None before the first."""
    is_shared: ClassVar[bool] = True
    assumption: ClassVar[str] = ""
    """Nothing is assumed: the fills are the broker's."""

    @cached_property
    def _connection(self) -> tuple[RestClient, str]:
        rest, number = self.connect()
        rest.listener = self._measure_clock_ahead
        rest.session.add_mask(number, _masked_number(number))
        return rest, number

    @property
    def _rest(self) -> RestClient:
        return self._connection[0]

    @property
    def _number(self) -> str:
        return self._connection[1]

    # AccountGateway

    def facts(self) -> Account:
        """Balances, trading status, the account itself and positions, read now."""
        with self._mask_errors():
            net, power = accounts.parse_balances(self._get("balances/USD"), self._number)
            status = require_own_account(self._get("trading-status"), "the trading status", self._number)
            level = parse_text(status, "options-level", self._clean)
            data = self._rest.get(f"/{ACCOUNTS_PATH}/{quote(self._number, safe='')}", seconds=self.seconds)
            account = require_own_account(accounts.unwrap_account(data), "the account", self._number)
            return Account(
                number=self._number,
                mode=self.mode,
                net_liquidation=net,
                buying_power=power,
                options_level=level,
                permits_spreads=accounts.permits_spreads(level),
                positions=self.positions(),
                restrictions=accounts.restrictions(status, account),
            )

    def positions(self) -> tuple[Position, ...]:
        with self._mask_errors():
            return accounts.parse_positions(self._items("positions"), self._number)

    def transactions(self, since: date) -> tuple[Transaction, ...]:
        """Trades, and movements without an order such as assignments, newest first."""
        params: Params = {
            "start-date": since.isoformat(),
            "types[]": list(accounts.TYPES),
            "sort": "Desc",
            "per-page": "250",
        }
        with self._mask_errors():
            listed = self._items("transactions", params)
            found = [accounts.parse_transaction(item, self._number, self._clean) for item in listed]
            return tuple({line.id: line for line in found}.values())

    def unsettled_notes(self) -> tuple[str, ...]:
        """Always empty: what has expired is in the history on the next morning."""
        return ()

    def clock_ahead(self) -> float | None:
        return self.ahead

    def _measure_clock_ahead(self, answer: HttpResponse) -> None:
        with suppress(ValueError, TypeError, OverflowError):
            server_time = parsedate_to_datetime(answer.headers.get("date", ""))
            server_time = server_time if server_time.tzinfo is not None else server_time.replace(tzinfo=UTC)
            self.ahead = (server_time - self.clock()).total_seconds()

    # OrderGateway: reading

    def order(self, broker_id: str) -> BrokerOrder:
        """`BrokerRefused` when the broker knows no such order in this account."""
        with self._mask_errors():
            data = self._rest.get_optional(self._path("orders", broker_id), seconds=self.seconds)
            if data is None:
                raise BrokerRefused(f"tastytrade knows no order {cap_text(ascii(broker_id), 70)} in this account")
            seen = self._parse_order(data)
            if seen.broker_id != broker_id:
                raise Unusable(f"tastytrade: asked for order {broker_id}, order {seen.broker_id} came")
            return seen

    def todays_orders(self) -> tuple[BrokerOrder, ...]:
        """Everything made or changed today in any state, and older orders that work."""
        return self._list_orders("orders/live")

    def search(self, since: date) -> tuple[BrokerOrder, ...]:
        return self._list_orders("orders", {"start-date": since.isoformat(), "sort": "Desc", "per-page": PAGE_SIZE})

    def _list_orders(self, path: str, params: Params | None = None) -> tuple[BrokerOrder, ...]:
        with self._mask_errors():
            found = [orders.parse_listed_order(item, self._number, self._clean) for item in self._items(path, params)]
            # A new order pushes the others on, so one may be on two pages.
            return tuple({order.broker_id: order for order in found}.values())

    # OrderGateway: acting

    def dry_run(self, body: str) -> DryRun:
        """The broker's preflight; nothing is routed. An error, or a warning outside `orders.BENIGN_WARNINGS`, is a
        refusal.

        `Unusable` for an answer that says neither yes nor no, `Unavailable` when none came; the order stays as it is
        then.
        """
        path = self._path("orders", "dry-run")
        with self._mask_errors():
            try:
                deadline = self._rest.http.monotonic() + self.seconds
                answer = self._rest.ask("POST", path, deadline, data=body.encode(), spare=DRY_RUN_TOKEN_MARGIN)
            except HttpFailure as failure:
                raise Unavailable(f"the order was not rehearsed: {failure.words}") from None
            if answer.status in DRY_RUN_REFUSALS and (messages := self._rest.session.error_lines(answer)):
                return DryRun(accepted=False, errors=messages)
            if not 200 <= answer.status < 300:
                raise self._rest.error(path, answer)
            document = self._parse_document(answer)
            if document is None:
                raise Unusable("tastytrade: the answer to the dry run is no document; that is no approval")
            if "error" in document:
                return DryRun(
                    accepted=False, errors=self._rest.session.error_lines(answer) or ("an error that cannot be read",)
                )
            return orders.parse_dry_run(document.get("data"), self._number, self._clean)

    def submit(self, body: str) -> BrokerOrder:
        reference = json.loads(body)["external-identifier"]
        with self._mask_errors():
            order = self._write("POST", self._path("orders"), body)
            if order.reference not in ("", reference):
                raise Unresolved(f"order {order.broker_id} in the answer has another reference; it may be another's")
            return order

    def replace(self, broker_id: str, body: str) -> BrokerOrder:
        """An edit of the living order, which keeps its legs: price, effect and our reference are sent.

        The broker makes a new order of it and cancels the old one; a fill of that one in between ends the edit.
        """
        with self._mask_errors():
            order = self._write("PATCH", self._path("orders", broker_id), orders.build_edit(body))
            if order.broker_id == broker_id or order.replaces not in (None, broker_id):
                raise Unresolved(f"the answer shows order {order.broker_id}, not one that replaces {broker_id}")
            return order

    def cancel(self, broker_id: str) -> BrokerOrder:
        """The order right after the request: usually `Cancel Requested`; a fill may still come first."""
        with self._mask_errors():
            order = self._write("DELETE", self._path("orders", broker_id))
            if order.broker_id != broker_id:
                raise Unresolved(f"asked to cancel order {broker_id}, the answer shows order {order.broker_id}")
            return order

    def _write(self, method: str, path: str, body: str = "") -> BrokerOrder:
        """The order in the answer to the one request of a write."""
        try:
            answer = self._rest.send(method, path, seconds=self.seconds, data=body.encode() or None, spare=TOKEN_MARGIN)
        except HttpFailure as failure:
            if failure.was_sent:
                raise Unresolved(f"{failure.words}; whether it took the request is not known") from None
            raise Unavailable(f"{failure.words}; nothing was sent") from None
        except Spy32Error as error:
            # Without a token, or without time, there is no request.
            raise Unavailable(f"{error.message}; nothing was sent") from None
        return self._parse_write_answer(answer)

    def _parse_write_answer(self, answer: HttpResponse) -> BrokerOrder:
        """The order in the answer to a write; raises the matching error for any other answer."""
        status = answer.status
        messages = self._rest.session.error_lines(answer)
        if status in DEFINITE_REFUSALS and messages:
            raise BrokerRefused(
                cap_text(f"tastytrade refused it (HTTP {status}): {'; '.join(messages)}", MAX_MESSAGE_LENGTH)
            )
        if not 200 <= status < 300:
            kind = " with a page" if is_html(answer) else f": {'; '.join(messages)}" if messages else ""
            words = f"tastytrade answered HTTP {status}{kind}; whether it took the request is not known"
            raise Unresolved(cap_text(words, MAX_MESSAGE_LENGTH))
        document = self._parse_document(answer)
        try:
            return self._parse_order(orders.unwrap_order(require_fields(document, "the answer").get("data")))
        except Unusable as error:
            raise Unresolved(f"tastytrade answered HTTP {status} without an order: {error.message}") from None

    # Parts

    def _path(self, *parts: str) -> str:
        return "/".join(("", "accounts", *(quote(part, safe="") for part in (self._number, *parts))))

    def _get(self, path: str) -> Any:
        return self._rest.get(f"{self._path()}/{path}", seconds=self.seconds)

    def _items(self, path: str, params: Params | None = None) -> list[Any]:
        return self._rest.items(f"{self._path()}/{path}", params, seconds=self.seconds)

    def _parse_document(self, answer: HttpResponse) -> dict[str, Any] | None:
        """The document in an answer, without secrets that the service sent back; None where there is none."""
        try:
            found = parse_strict_json(self._rest.session.redact_body(answer.body))
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def _parse_order(self, item: Any) -> BrokerOrder:
        return orders.parse_order(item, self._number, self._clean)

    def _clean(self, text: str) -> str:
        return self._rest.session.redact(text)

    @contextmanager
    def _mask_errors(self) -> Iterator[None]:
        """Removes the account number, which is part of addresses, from errors."""
        number = self._number  # an error of connecting is no error of the account
        try:
            yield
        except Spy32Error as error:
            error.message = error.message.replace(number, _masked_number(number))
            error.args = (error.message,)
            raise error from None


def choose_account(rest: RestClient, wanted: str, seconds: float) -> str:
    """The number of the account to trade: `wanted`, else the only open one.

    `BadSettings` when several are open and none is wanted; `NotPermitted` when the wanted one is not among them, or
    none is.
    """
    listed = accounts.parse_accounts(rest.items(f"/{ACCOUNTS_PATH}", seconds=seconds))
    open_numbers = [account.number for account in listed if not account.is_closed]
    endings = ", ".join(map(_masked_number, open_numbers))
    if wanted in open_numbers:
        return wanted
    if wanted:
        is_closed = any(account.number == wanted for account in listed)
        why = "is closed" if is_closed else "is not one of this log-in"
        raise NotPermitted(f"tastytrade.account {_masked_number(wanted)} {why}; open are: {endings or 'none'}")
    if not open_numbers:
        raise NotPermitted("tastytrade: this log-in has no open account")
    if len(open_numbers) > 1:
        raise BadSettings(f"several accounts are open ({endings}); set tastytrade.account to the number of one of them")
    return open_numbers[0]


def _masked_number(number: str) -> str:
    return "…" + number[-4:] if len(number) > 4 else "…"
