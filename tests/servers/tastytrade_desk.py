"""The local broker's routes: what each request reads or changes, and the envelope of its answer."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spy32.sessions import market_date
from tests.servers.tastytrade_checks import (
    Refused,
    amended,
    cannot_update,
    invalid,
    new_order,
    preflight,
    preflight_failure,
)
from tests.servers.tastytrade_rows import (
    account_row,
    balance_row,
    dry_row,
    is_within,
    limit_row,
    order_row,
    position_row,
    session_row,
    status_row,
)
from tests.servers.tastytrade_state import (
    CANCEL_REQUESTED,
    REPLACE_REQUESTED,
    BrokerAccount,
    Row,
    Ticket,
)
from tests.servers.web import Reply, Request

if TYPE_CHECKING:
    from tests.servers.tastytrade_orders import TastytradeBrokerServer

NEEDS_START = "20261012"
ORDERS_A_PAGE, HISTORY_A_PAGE, LIVE_A_PAGE = 10, 250, 100
MOST_A_PAGE = 2000


class OrderDesk:
    """Each method serves one route; the server's gate is held around it."""

    def __init__(self, server: "TastytradeBrokerServer") -> None:
        self.server = server
        self.book = server.book

    def routes(self) -> dict[str, Callable[..., Reply]]:
        number, order = r"/accounts/([^/]+)", r"/accounts/([^/]+)/orders/(\d+)"
        table: dict[str, Callable[..., Reply]] = {
            r"GET /customers/me/accounts": self.accounts,
            r"GET /customers/me/accounts/([^/]+)": self.one_account,
            r"GET /customers/me/orders/live": self.customers_live,
            rf"GET {number}/balances/USD": self.balances,
            rf"GET {number}/balances": self.balance_list,
            rf"GET {number}/positions": self.positions,
            rf"GET {number}/trading-status": self.trading_status,
            rf"GET {number}/position-limit": self.position_limit,
            rf"GET {number}/transactions": self.transactions,
            rf"GET {number}/orders": self.history,
            rf"GET {number}/orders/live": self.live,
            rf"GET {order}": self.one_order,
            rf"POST {number}/orders/dry-run": self.dry_run,
            rf"POST {order}/dry-run": self.replace_dry_run,
            rf"POST {number}/orders": self.submit,
            rf"PUT {order}": self.replace,
            rf"PATCH {order}": self.edit,
            rf"DELETE {order}": self.cancel,
            r"GET /market-time/equities/sessions/current": self.session,
            r"GET /market-time/sessions/current": self.sessions,
        }
        return {shape: self._guarded(serve) for shape, serve in table.items()}

    def _guarded(self, serve: Callable[..., Reply]) -> Callable[..., Reply]:
        def act(request: Request, *parts: str) -> Reply:
            with self.server.gate:
                try:
                    self.server.move()
                    return serve(request, *parts)
                except Refused as refused:
                    return refused.reply

        return act

    # Accounts.

    def accounts(self, request: Request) -> Reply:
        items = [{"account": account_row(owner), "authority-level": "owner"} for owner in self.book.accounts.values()]
        return self._write_stderr(request, {"items": self._edited("accounts", items)})

    def one_account(self, request: Request, number: str) -> Reply:
        return self._write_stderr(request, account_row(self._owner(number)))

    def balances(self, request: Request, number: str) -> Reply:
        return self._write_stderr(request, self._balance(number))

    def balance_list(self, request: Request, number: str) -> Reply:
        return self._write_stderr(request, {"items": [self._balance(number)]})

    def _balance(self, number: str) -> Row:
        owner = self._owner(number)
        row = balance_row(owner, self.book.power(owner), self.server.mid, self.server.at)
        return self._edited("balances", row)

    def positions(self, request: Request, number: str) -> Reply:
        owner = self._owner(number)
        has_mark = request.query.get("include-marks") == "true"
        rows = [position_row(owner, held, self.server.mid, has_mark=has_mark) for held in owner.holdings.values()]
        for name, key in (("underlying-symbol", "underlying-symbol[]"), ("symbol", "symbol")):
            if asked := request.lists.get(key):
                rows = [row for row in rows if row[name] in asked]
        if kind := request.query.get("instrument-type"):
            rows = [row for row in rows if row["instrument-type"] == kind]
        return self._write_stderr(request, {"items": self._edited("positions", rows)})

    def trading_status(self, request: Request, number: str) -> Reply:
        return self._write_stderr(request, self._edited("trading-status", status_row(self._owner(number))))

    def position_limit(self, request: Request, number: str) -> Reply:
        return self._write_stderr(request, self._edited("position-limit", limit_row(self._owner(number))))

    def transactions(self, request: Request, number: str) -> Reply:
        asked = request.query
        rows = [
            row
            for row in self._owner(number).transactions
            if is_within(
                datetime.fromisoformat(row["transaction-date"]).date(), asked.get("start-date"), asked.get("end-date")
            )
            and asked.get("underlying-symbol") in (None, row["underlying-symbol"])
            and asked.get("symbol") in (None, row["symbol"])
            and asked.get("type") in (None, row["transaction-type"])
            and (not request.lists.get("types[]") or row["transaction-type"] in request.lists["types[]"])
            and (not request.lists.get("sub-type[]") or row["transaction-sub-type"] in request.lists["sub-type[]"])
        ]
        if asked.get("sort", "Desc") == "Desc":
            rows.reverse()
        return self._page(request, self._edited("transactions", rows), HISTORY_A_PAGE)

    # Orders that are read.

    def one_order(self, request: Request, number: str, order_id: str) -> Reply:
        return self._write_stderr(request, self._shown(self._ticket(number, order_id)))

    def live(self, request: Request, number: str) -> Reply:
        self._owner(number)
        return self._write_stderr(request, {"items": self._live(number)})

    def customers_live(self, request: Request) -> Reply:
        numbers = request.lists.get("account-numbers[]") or list(self.book.accounts)
        rows = [row for number in numbers for row in self._live(self._owner(number).number)]
        return self._page(request, rows, LIVE_A_PAGE)

    def _live(self, number: str) -> list[Row]:
        """What was made or changed today, in whatever status, and what still works."""
        today = market_date(self.server.at)
        return self._list(
            ticket
            for ticket in reversed(self.book.of(number))
            if not ticket.is_terminal or today in (market_date(ticket.at), market_date(ticket.updated_at or ticket.at))
        )

    def history(self, request: Request, number: str) -> Reply:
        self._owner(number)
        asked = request.query
        needs_start = request.headers.get("accept-version", "") >= NEEDS_START
        if needs_start and not {"start-date", "start-at"} & set(asked):
            raise invalid(("start-date", "is missing"))
        since = datetime.fromisoformat(asked["start-at"]) if "start-at" in asked else None
        until = datetime.fromisoformat(asked["end-at"]) if "end-at" in asked else None
        states = request.lists.get("status[]") or []
        found = [
            ticket
            for ticket in self.book.of(number)
            if is_within(market_date(ticket.at), asked.get("start-date"), asked.get("end-date"))
            and (since is None or ticket.at >= since)
            and (until is None or ticket.at <= until)
            and (not states or ticket.status in states)
            and asked.get("underlying-symbol") in (None, ticket.legs[0].symbol[:6].rstrip())
        ]
        if asked.get("sort", "Desc") == "Desc":
            found.reverse()
        return self._page(request, self._list(found), ORDERS_A_PAGE)

    def _list(self, tickets: Any) -> list[Row]:
        return [self._shown(ticket) for ticket in list(tickets) if not self._is_hidden(ticket)]

    def _shown(self, ticket: Ticket) -> Row:
        """The order as this read has it; reading may move it on."""
        self.book.checked(ticket)
        row = order_row(ticket)
        ticket.late = max(0, ticket.late - 1)
        return self._edited("order", row)

    def _is_hidden(self, ticket: Ticket) -> bool:
        if ticket.hidden == 0:
            return False
        ticket.hidden -= 1
        return True

    # Orders that are written.

    def dry_run(self, request: Request, number: str) -> Reply:
        owner = self._owner(number)
        return self._try_fill(request, owner, self._asked(request, number), None)

    def replace_dry_run(self, request: Request, number: str, order_id: str) -> Reply:
        old = self._ticket(number, order_id)
        if old.is_terminal:
            raise cannot_update("replaced")
        new = amended(self.book, old, self._body(request), is_edit=True)
        return self._try_fill(request, self._owner(number), new, old)

    def _try_fill(self, request: Request, owner: BrokerAccount, ticket: Ticket, old: Ticket | None) -> Reply:
        errors, warnings, effect = preflight(self.book, owner, ticket, instead_of=old)
        form = self.server.dry_run_form
        if errors and form == "422":
            raise preflight_failure(errors)
        if errors and form == "warnings":
            warnings, errors = errors + warnings, []
        data: Row = {"order": dry_row(ticket), "warnings": warnings, "notes": [], **effect.rows}
        if errors:
            data["errors"] = errors
        return self._write_stderr(request, self._edited("dry-run", data), 201)

    def submit(self, request: Request, number: str) -> Reply:
        owner = self._owner(number)
        ticket = self._asked(request, number)
        errors, warnings, effect = preflight(self.book, owner, ticket)
        if errors:
            raise preflight_failure(errors)
        self.book.take(ticket, hidden=self.server.hidden)
        data = {"order": order_row(ticket), "warnings": warnings, "notes": [], **effect.rows}
        self.server.move()
        return self._write_stderr(request, self._edited("submit", data), 201)

    def replace(self, request: Request, number: str, order_id: str) -> Reply:
        return self._replace(request, number, order_id, is_edit=False)

    def edit(self, request: Request, number: str, order_id: str) -> Reply:
        return self._replace(request, number, order_id, is_edit=True)

    def _replace(self, request: Request, number: str, order_id: str, *, is_edit: bool) -> Reply:
        old = self._ticket(number, order_id)
        if old.is_terminal or old.status in (CANCEL_REQUESTED, REPLACE_REQUESTED):
            raise cannot_update("replaced")
        new = amended(self.book, old, self._body(request), is_edit=is_edit)
        errors, _, _ = preflight(self.book, self._owner(number), new, instead_of=old)
        if errors:
            raise preflight_failure(errors)
        self.book.replace(old, new, hidden=self.server.hidden)
        row = order_row(new)
        self.server.move()
        return self._write_stderr(request, self._edited("order", row))

    def cancel(self, request: Request, number: str, order_id: str) -> Reply:
        ticket = self._ticket(number, order_id)
        if ticket.is_terminal or ticket.status == REPLACE_REQUESTED:
            raise cannot_update("cancelled")
        if ticket.status != CANCEL_REQUESTED:
            self.book.cancel(ticket)
        row = order_row(ticket)
        self.server.move()
        return self._write_stderr(request, self._edited("order", row))

    # The session.

    def session(self, request: Request) -> Reply:
        return self._write_stderr(request, self._session())

    def sessions(self, request: Request) -> Reply:
        return self._write_stderr(request, {"items": [self._session()]})

    def _session(self) -> Row:
        return self._edited("session", session_row(self.server.at, self.server.session_state))

    # Parts.

    def _owner(self, number: str) -> BrokerAccount:
        owner = self.book.accounts.get(number)
        if owner is None:
            raise Refused(403, "not_permitted", "User not permitted access")
        return owner

    def _ticket(self, number: str, order_id: str) -> Ticket:
        self._owner(number)
        ticket = self.book.orders.get(int(order_id))
        if ticket is None or ticket.account != number or self._is_hidden(ticket):
            raise Refused(404, "record_not_found", f"Couldn't find order {order_id}")
        return ticket

    def _body(self, request: Request) -> Row:
        try:
            body = request.json
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused(400, "invalid_request_body", "Request body could not be parsed")
        return body

    def _asked(self, request: Request, number: str) -> Ticket:
        ticket = new_order(self.book, number, self._body(request))
        unknown = [leg.symbol for leg in ticket.legs if not self.server.knows(leg.symbol)]
        if unknown:
            entries = [{"code": "instrument_not_found", "message": f"No instrument {symbol}"} for symbol in unknown]
            raise preflight_failure(entries)
        return ticket

    def _edited(self, name: str, data: Any) -> Any:
        change = self.server.edits.get(name)
        return data if change is None else change(data)

    def _write_stderr(
        self, request: Request, data: Any, status: int = 200, extra: Mapping[str, Any] | None = None
    ) -> Reply:
        return Reply(status=status, body={"data": data, "context": request.path, **(extra or {})})

    def _page(self, request: Request, rows: Sequence[Row], per_page: int) -> Reply:
        size = int(request.query.get("per-page", per_page))
        offset = int(request.query.get("page-offset", 0))
        if not 1 <= size <= MOST_A_PAGE:
            raise invalid(("per-page", "does not have a valid value"))
        items = rows[offset * size : (offset + 1) * size]
        pagination = {
            "per-page": size,
            "page-offset": offset,
            "item-offset": offset * size,
            "total-items": len(rows),
            "total-pages": -(-len(rows) // size),
            "current-item-count": len(items),
            "previous-link": None,
            "next-link": None,
            "paging-link-template": None,
        }
        return self._write_stderr(request, {"items": items}, extra={"pagination": pagination})
