"""What the local broker refuses: malformed bodies with 400, orders that the account may not have with 422.

Codes that are on public record are the service's own. Those of a frozen or closing-only account, of a margin call, of
an options level, of a size limit and of an unknown instrument are not known; ours are made up and marked `made up`.
"""

from decimal import Decimal, InvalidOperation

from tests.servers.tastytrade_book import Book
from tests.servers.tastytrade_state import (
    CENT,
    CONTINGENT,
    BrokerAccount,
    Impact,
    LegState,
    Row,
    Ticket,
    impact,
    is_opening,
    is_option,
    sign,
    text,
)
from tests.servers.web import Reply

TYPES = ("Limit", "Market", "Marketable Limit", "Stop", "Stop Limit", "Notional Market")
PRICED = ("Limit", "Marketable Limit", "Stop Limit")
FORCES = ("Day", "GTC", "GTD", "IOC")
ACTIONS = ("Sell to Open", "Buy to Open", "Buy to Close", "Sell to Close")
EFFECTS = ("Credit", "Debit")
MOST_LEGS = 4
NICKEL = Decimal("0.05")
NICKEL_ROOTS = ("SPX", "SPXW")
"""Their spreads trade in nickels (help centre, "SPX Price Increments")."""
NO_SPREADS = ("Covered And Cash Secured", "No Options")
NEXT_SESSION = ("tif.next_valid_session", "Your order will begin working during next valid session.")

Entry = dict[str, str]


class Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, status: int, code: str, message: str, entries: list[Entry] | None = None) -> None:
        super().__init__(message)
        error: Row = {"code": code, "message": message}
        self.reply = Reply(status=status, body={"error": {**error, **({"errors": entries} if entries else {})}})


def invalid(*pairs: tuple[str, str]) -> Refused:
    entries = [{"domain": domain, "reason": reason} for domain, reason in pairs]
    return Refused(400, "validation_error", "Request validation failed", entries)


def cannot_update(what: str) -> Refused:
    return Refused(422, "cannot_update_order", f"the order could not be {what}")


def preflight_failure(entries: list[Entry]) -> Refused:
    return Refused(422, "preflight_check_failure", "One or more preflight checks failed", entries)


def _entry(code: str, message: str) -> Entry:
    return {"code": code, "message": message}


# The form of a body.


def new_order(book: Book, account: str, body: Row) -> Ticket:
    """The order that a body asks for; `Refused` when it is malformed."""
    wrong = _wrong_terms(body) + _wrong_legs(body.get("legs"))
    if wrong:
        raise invalid(*wrong)
    legs = [LegState(leg["action"], leg["symbol"], int(leg["quantity"])) for leg in body["legs"]]
    return _ticket(book, account, body, legs)


def amended(book: Book, old: Ticket, body: Row, *, is_edit: bool) -> Ticket:
    """What a replacement (PUT) or an edit (PATCH) of `old` asks for; the legs stay."""
    if "legs" in body and [(leg.get("symbol"), leg.get("action")) for leg in body["legs"]] != [
        (leg.symbol, leg.action) for leg in old.legs
    ]:
        raise invalid(("legs", "cannot be changed"))
    terms: Row = {"order-type": old.kind, "time-in-force": old.force} if is_edit else {}
    if is_edit and old.credit is not None:
        terms |= {"price": text(abs(old.credit)), "price-effect": "Credit" if old.credit > 0 else "Debit"}
    terms |= {"source": old.source, **body}
    if wrong := _wrong_terms(terms):
        raise invalid(*wrong)
    if terms.get("external-identifier") is None and book.policy.carries_reference:
        terms["external-identifier"] = old.reference
    whole = book.policy.replaces_whole
    legs = [LegState(leg.action, leg.symbol, leg.quantity if whole else leg.remaining) for leg in old.legs]
    ticket = _ticket(book, old.account, terms, legs)
    ticket.is_strict = ticket.is_strict or old.is_strict
    return ticket


def _ticket(book: Book, account: str, body: Row, legs: list[LegState]) -> Ticket:
    price = body.get("price")
    credit = None if price is None else Decimal(str(price)) * (1 if body["price-effect"] == "Credit" else -1)
    return Ticket(
        id=0,
        account=account,
        kind=body["order-type"],
        force=body["time-in-force"],
        legs=legs,
        credit=credit,
        at=book.now(),
        reference=body.get("external-identifier"),
        source=body.get("source"),
        gtc_date=body.get("gtc-date"),
        is_strict=bool((body.get("advanced-instructions") or {}).get("strict-position-effect-validation")),
    )


def _wrong_terms(body: Row) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = []
    for name, allowed in (("order-type", TYPES), ("time-in-force", FORCES)):
        if name not in body:
            wrong.append((name, "is missing"))
        elif body[name] not in allowed:
            wrong.append((name, "does not have a valid value"))
    if "ext-client-order-id" in body:
        wrong.append(("ext-client-order-id", "is not allowed"))
    if body.get("time-in-force") == "GTD" and not body.get("gtc-date"):
        wrong.append(("gtc-date", "is missing"))
    if body.get("order-type") not in PRICED:
        return wrong + [(name, "is not allowed") for name in ("price", "price-effect") if name in body]
    if "price" not in body:
        wrong.append(("price", "is missing"))
    elif not _is_price(body["price"]):
        wrong.append(("price", "is invalid"))
    if "price-effect" not in body:
        wrong.append(("price-effect", "is missing"))
    elif body["price-effect"] not in EFFECTS:
        wrong.append(("price-effect", "does not have a valid value"))
    return wrong


def _is_price(price: object) -> bool:
    """Positive, in whole cents."""
    try:
        found = Decimal(str(price))
    except InvalidOperation:
        return False
    return found.is_finite() and found > 0 and found % CENT == 0


def _wrong_legs(legs: object) -> list[tuple[str, str]]:
    if not isinstance(legs, list) or not legs:
        return [("legs", "is missing")]
    if len(legs) > MOST_LEGS:
        return [("legs", "has too many elements")]
    wrong: list[tuple[str, str]] = []
    for index, leg in enumerate(legs):
        quantity = leg.get("quantity")
        if leg.get("action") not in ACTIONS:
            wrong.append((f"legs[{index}].action", "does not have a valid value"))
        if leg.get("instrument-type") != "Equity Option":
            wrong.append((f"legs[{index}].instrument-type", "does not have a valid value"))
        if not isinstance(leg.get("symbol"), str) or not is_option(leg["symbol"]):
            wrong.append((f"legs[{index}].symbol", "is invalid"))
        if isinstance(quantity, bool) or not str(quantity).isdigit() or int(quantity) < 1:
            wrong.append((f"legs[{index}].quantity", "must be greater than 0"))
    symbols = [leg.get("symbol") for leg in legs]
    if not wrong and len(set(symbols)) != len(symbols):
        wrong.append(("legs", "must not repeat a symbol"))
    if not wrong and len({symbol[:6] for symbol in symbols}) != 1:
        wrong.append(("legs", "must share an underlying"))
    return wrong


# Whether the account may have it.


def preflight(
    book: Book, account: BrokerAccount, ticket: Ticket, *, instead_of: Ticket | None = None
) -> tuple[list[Entry], list[Entry], Impact]:
    """(errors, warnings, what it would do). A close without a position becomes an opening order, unless strict."""
    errors, warnings = [], []
    turned = [leg for leg in ticket.legs if not is_opening(leg.action) and not _has_position(account, leg)]
    for leg in turned:
        entry = _entry("closing_with_no_position", f"You have no position in {leg.symbol}; the order would open one.")
        if ticket.is_strict:
            errors.append(entry)
        else:
            warnings.append(entry)
            leg.action = leg.action.replace("Close", "Open")
    errors += _limits(account, ticket) + _terms(book, ticket) + _conflicts(book, account, ticket, instead_of)
    credit = book.worth(ticket)
    effect = impact(account, ticket.legs, credit, book.rates, book.power(account, without=instead_of))
    if effect.change > effect.power:
        errors.append(
            _entry(
                "margin_check_failed",
                f"Your account has insufficient buying power: {text(effect.power)} of {text(effect.change)}.",
            )
        )
    if not book.is_open():
        warnings.append(_entry(*NEXT_SESSION))
    return errors, warnings, effect


def _has_position(account: BrokerAccount, leg: LegState) -> bool:
    return account.held.get(leg.symbol, 0) * sign(leg.action) > 0


def _limits(account: BrokerAccount, ticket: Ticket) -> list[Entry]:
    opens = any(is_opening(leg.action) for leg in ticket.legs)
    found = []
    if account.is_closed:
        found.append(_entry("account_closed", "This account is closed."))  # made up
    if account.is_frozen:
        found.append(_entry("account_frozen", "This account is frozen."))  # made up
    if opens and (account.is_closing_only or account.is_risk_reducing_only):
        found.append(_entry("account_closing_only", "This account may only close positions."))  # made up
    if opens and account.is_in_margin_call:
        found.append(_entry("account_in_margin_call", "This account is in a margin call."))  # made up
    if opens and len(ticket.legs) > 1 and (account.options_level in NO_SPREADS or account.kind == "Cash"):
        found.append(_entry("options_level_not_permitted", "This account may not open spreads."))  # made up
    if max(leg.quantity for leg in ticket.legs) > account.order_size_limit:
        words = f"An order may have {account.order_size_limit} contracts."
        found.append(_entry("order_size_limit_exceeded", words))  # made up
    return found


def _terms(book: Book, ticket: Ticket) -> list[Entry]:
    found = []
    buys = [leg for leg in ticket.legs if sign(leg.action) < 0]
    if ticket.credit is not None and ticket.credit > 0 and len(buys) == len(ticket.legs):
        found.append(_entry("cant_buy_for_credit", "You cannot buy for a credit."))
    if ticket.credit is not None and ticket.legs[0].symbol[:6].rstrip() in NICKEL_ROOTS and ticket.credit % NICKEL:
        found.append(_entry("invalid_price_increment", "The price is not a multiple of 0.05."))  # made up
    if ticket.kind == "Market":
        if ticket.force != "Day":
            found.append(_entry("gtc_market_orders_not_supported", "Market orders must be good for the day."))
        if not book.is_open() and any(is_opening(leg.action) for leg in ticket.legs):
            code = "tif_no_after_hours_opening_market_orders"
            found.append(_entry(code, "Opening market orders are not taken while the market is closed."))
        if len(ticket.legs) > 1:
            found.append(_entry("multi_leg_market_orders_not_supported", "A market order has one leg."))  # made up
    return found


def _conflicts(book: Book, account: BrokerAccount, ticket: Ticket, instead_of: Ticket | None) -> list[Entry]:
    working = [
        leg
        for other in book.of(account.number)
        if not other.is_terminal and other.status != CONTINGENT and other is not instead_of
        for leg in other.legs
    ]
    found = []
    for leg in ticket.legs:
        same = [other for other in working if other.symbol == leg.symbol]
        if any(sign(other.action) != sign(leg.action) for other in same):
            words = f"A working order is on the other side of {leg.symbol}."
            found.append(_entry("illegal_buy_and_sell_on_same_symbol", words))
        if not is_opening(leg.action):
            closing = sum(other.remaining for other in same if not is_opening(other.action))
            if closing + leg.quantity > abs(account.held.get(leg.symbol, 0)) and _has_position(account, leg):
                words = f"You hold {abs(account.held[leg.symbol])} of {leg.symbol}."
                found.append(_entry("cannot_close_against_more_than_existing_position", words))
    return found
