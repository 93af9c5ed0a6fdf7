"""A stand-in for tastytrade: the token, the chain, quotes, metrics and instruments in the service's own wire format.

Point spy32 at it with three variables, while `running()` lasts:

    SPY32_TASTYTRADE_URL=server.url  TASTYTRADE_CLIENT_SECRET=CLIENT_SECRET  TASTYTRADE_REFRESH_TOKEN=REFRESH_TOKEN

The market is the chain that ships with spy32, quoted at `at` instead of at its own time; its expirations are shifted by
as many days as lie between the two New York dates (`at` may move within its day).
What is special about a test is set before the request: `edit` changes the rows of quotes, `listing` and `metrics` are
the documents themselves, `faults` breaks single requests.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import unquote

from spy32.clients.http import HttpClient
from spy32.clients.tastytrade.oauth_session import OAuthSession
from spy32.clients.tastytrade.rest import API_VERSION, RestClient
from spy32.domain.market import Chain, OptionQuote, Right
from spy32.markets.recorded import RecordedMarket
from spy32.sessions import market_date
from spy32.settings.knob import Secret
from tests.servers.web import Reply, Request, StandIn

CLIENT_SECRET = "planted-client-secret-5f1c2e7a9b"
REFRESH_TOKEN = "planted-refresh-token-eyJhbGciOi.c0ffee"
TOKEN = "planted-access-token-eyJ0eXAi"
MOST_SYMBOLS = 100
PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"
KINDS = ("equity", "equity-option", "index")
LEVELS = {"VIX": 15.36, "VIX9D": 13.42, "VIX3M": 18.06, "SPX": 6460.26}

Row = dict[str, Any]


def number(value: float) -> str:
    """As the service writes numbers: text with at least one decimal."""
    return f"{value:.9f}".rstrip("0") + ("0" if value == int(value) else "")


def page(status: int, title: str) -> Reply:
    """What the gateway says in place of the service."""
    return Reply(status=status, body=PAGE.format(title), headers={"Content-Type": "text/html"})


def refusal(status: int, code: str | int, message: str, errors: list[dict[str, str]] | None = None) -> Reply:
    error: Row = {"code": code, "message": message}
    return Reply(status=status, body={"error": {**error, **({"errors": errors} if errors else {})}})


@cache
def recorded() -> tuple[Chain, datetime]:
    market = RecordedMarket.load_shipped()
    return market.chain(market.underlying, market.expirations(market.underlying)), market.as_of


@cache
def shifted(shift: timedelta) -> dict[str, OptionQuote]:
    """The recorded quotes by the symbol that they have so many days later."""
    return {
        f"{quote.root:<6}{quote.expiration + shift:%y%m%d}{quote.right}{int(quote.strike * 1000):08d}": quote
        for quote in recorded()[0].quotes
    }


@cache
def strikes(shift: timedelta) -> str:
    """The strikes of every expiration as the nested chain has them, in JSON: each server gets its own copy."""
    days: dict[str, dict[str, Row]] = {}
    for symbol, quote in shifted(shift).items():
        strike = number(float(quote.strike))
        day = quote.expiration + shift
        row = days.setdefault(f"{day}", {}).setdefault(strike, {"strike-price": strike})
        side = "call" if quote.right is Right.CALL else "put"
        row[side] = symbol
        row[f"{side}-streamer-symbol"] = f".SPY{day:%y%m%d}{quote.right}{quote.strike:f}"
    return json.dumps({day: [row for row in days[day].values() if "call" in row and "put" in row] for day in days})


class TastytradeServer(StandIn):
    """Production by default; `is_sandbox` is the certification host, which has no market data."""

    ticker = "SPY"
    """The one underlying, as the service writes it."""

    def __init__(self, at: datetime = datetime(2026, 11, 23, 15, 0, 1, 328000, tzinfo=UTC)) -> None:
        super().__init__()
        self.at = at
        self.is_sandbox = False
        self.token_seconds = 900
        self.tokens: set[str] = set()
        self.log_ins = 0
        self.known_versions = ("20251101", "20261012")
        self.edit: Callable[[list[Row]], list[Row]] = lambda rows: rows
        self.shares: Row = self._shares_row()
        self.listing = self._get_nested_chain()
        self.metrics: Row = self._metrics()
        self.funds: dict[str, bool] = {"SPY": True}
        self.levels: dict[str, float] = LEVELS
        self._fetch_quotes = shifted(self.shift)

    @property
    def shift(self) -> timedelta:
        return market_date(self.at) - market_date(recorded()[1])

    @property
    def spot(self) -> float:
        return recorded()[0].spot

    def expire_tokens(self) -> None:
        """Every token that is out is over, as after fifteen minutes."""
        with self.lock:
            self.tokens.clear()

    def calls(self, path: str) -> int:
        return sum(path in each for each in self.paths())

    # Answers. A path is looked up by its shape, so that the order desk only adds lines to the table.

    def answer(self, request: Request) -> Reply:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", request.headers.get("user-agent", "")):
            return page(401, "401 Authorization Required")
        if request.path == "/oauth/token":
            return self._log_in(request)
        version = request.headers.get("accept-version")
        if version is not None and (self.is_sandbox or version not in self.known_versions):
            return refusal(406, 406, "The requested version is not supported.")
        with self.lock:
            is_known = request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens
        if not is_known:
            return refusal(401, "token_invalid", "This token is invalid or has expired")
        for shape, serve in self.routes().items():
            found = re.fullmatch(shape, f"{request.method} {request.path}")
            if found is not None:
                return serve(request, *found.groups())
        return refusal(404, "not_found", "Route not found")

    def routes(self) -> dict[str, Callable[..., Reply]]:
        return {
            r"GET /option-chains/([^/]+)/nested": self._nested,
            r"GET /market-data/by-type": self._fetch_by_type,
            r"GET /market-metrics": self._market_metrics,
            r"GET /instruments/equities/([^/]+)": self._equity,
        }

    def envelope(self, request: Request, data: Any) -> Reply:
        return Reply(body={"data": data, "context": request.path})

    def _log_in(self, request: Request) -> Reply:
        with self.lock:
            self.log_ins += 1
        if "authorization" in request.headers or request.method != "POST":
            return Reply(status=400, body={"error": "invalid_request", "error_description": "Malformed request"})
        sent = json.loads(request.body)
        if sent.get("grant_type") != "refresh_token":
            return Reply(status=400, body={"error": "unsupported_grant_type", "error_description": "Unknown grant"})
        if sent.get("client_secret") != CLIENT_SECRET:
            return Reply(status=401, body={"error": "invalid_client", "error_description": "Client not known"})
        if sent.get("refresh_token") != REFRESH_TOKEN:
            return Reply(status=400, body={"error": "invalid_grant", "error_description": "Grant revoked"})
        with self.lock:
            token = f"{TOKEN}.{self.log_ins}"
            self.tokens.add(token)
        return Reply(body={"access_token": token, "token_type": "Bearer", "expires_in": self.token_seconds})

    def _nested(self, request: Request, symbol: str) -> Reply:
        if unquote(symbol) != self.ticker:
            return refusal(404, "not_found", f"No option chain for {symbol}")
        return self.envelope(request, {"items": self.listing})

    def _fetch_by_type(self, request: Request) -> Reply:
        if self.is_sandbox:
            return page(502, "502 Bad Gateway")
        asked = [(kind, symbol) for kind in KINDS for text in request.lists.get(kind, []) for symbol in text.split(",")]
        if len(asked) > MOST_SYMBOLS:
            words = f"At most {MOST_SYMBOLS} symbols"
            return refusal(
                400, "validation_error", "Request validation failed", [{"domain": "symbols", "reason": words}]
            )
        rows = [row for kind, symbol in asked if (row := self._row(kind, symbol)) is not None]
        return self.envelope(request, {"items": self.edit(rows)})

    def _market_metrics(self, request: Request) -> Reply:
        if self.is_sandbox:
            return page(502, "502 Bad Gateway")
        symbols = request.query.get("symbols", "").split(",")
        return self.envelope(request, {"items": [self.metrics] if self.metrics.get("symbol") in symbols else []})

    def _equity(self, request: Request, symbol: str) -> Reply:
        if symbol not in self.funds:
            return refusal(404, "not_found", f"No instrument {symbol}")
        return self.envelope(
            request, {"symbol": symbol, "instrument-type": "Equity", "is-etf": self.funds[symbol], "halted-at": None}
        )

    # The market.

    @property
    def stamp(self) -> str:
        return self.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.at.microsecond // 1000:03d}Z"

    def _row(self, kind: str, symbol: str) -> Row | None:
        if kind == "equity":
            return dict(self.shares) if symbol == self.ticker else None
        if kind == "index":
            return self._index_row(symbol) if symbol in self.levels else None
        quote = self._fetch_quotes.get(symbol)
        return None if quote is None else self._option_row(symbol, quote)

    def _common(self, symbol: str, kind: str) -> Row:
        return {
            "symbol": symbol,
            "instrument-type": kind,
            "close-price-type": "Regular",
            "prev-close-date": "2026-11-20",
            "summary-date": f"{market_date(self.at)}",
            "is-trading-halted": False,
            "halt-start-time": -1,
            "halt-end-time": -1,
            "updated-at": self.stamp,
        }

    def _shares_row(self) -> Row:
        spot = self.spot
        return {
            **self._common(self.ticker, "Equity"),
            "bid": number(spot - 0.01),
            "bid-size": "400.0",
            "ask": number(spot + 0.01),
            "ask-size": "300.0",
            "mid": number(spot),
            "mark": number(spot),
            "last": number(spot + 0.01),
            "prev-close": number(spot / 1.01),
            "volume": "21345678.0",
        }

    def _index_row(self, symbol: str) -> Row:
        level = number(self.levels[symbol])
        return {**self._common(symbol, "Index"), "bid-size": "0.0", "ask-size": "0.0", "last": level, "mark": level}

    def _option_row(self, symbol: str, quote: OptionQuote) -> Row:
        prices = {"bid": quote.bid, "ask": quote.ask, "last": quote.last, "volume": quote.volume}
        prices |= {"volatility": quote.feed_iv, "delta": quote.feed_delta}
        given = {key: number(value) for key, value in prices.items() if value is not None}
        return {
            **self._common(symbol, "Equity Option"),
            **given,
            "bid-size": "60.0",
            "tick-size": "0.01",
            "open-interest": quote.open_interest,
        }

    def _get_nested_chain(self) -> list[Row]:
        expirations = [
            {
                "expiration-type": "Weekly",
                "expiration-date": day,
                "days-to-expiration": (date.fromisoformat(day) - market_date(self.at)).days,
                "settlement-type": "PM",
                "strikes": rows,
            }
            for day, rows in sorted(json.loads(strikes(self.shift)).items())
        ]
        return [
            root_row("SPY", "SPY", "Standard", 100, expirations),
            root_row("SPY", "SPY7", "Non-standard", 10, expirations[:1]),
        ]

    def _metrics(self) -> Row:
        return {
            "symbol": "SPY",
            "implied-volatility-index": "0.158000000",
            "implied-volatility-index-rank": "0.273000000",
            "tw-implied-volatility-index-rank": "0.245700000",
            "implied-volatility-percentile": "0.418000000",
            "implied-volatility-updated-at": "2026-11-23T14:53:00.000Z",
            "implied-volatility-30-day": "15.80",
            "historical-volatility-30-day": "12.41",
            "liquidity-rating": 5,
            "beta": "1.0",
            "option-expiration-implied-volatilities": [
                {
                    "expiration-date": "2026-12-24",
                    "option-chain-type": "Standard",
                    "settlement-type": "PM",
                    "implied-volatility": "0.157100000",
                },
                {"expiration-date": "2026-12-31", "option-chain-type": "Standard", "settlement-type": "PM"},
            ],
            "dividend-rate-per-share": "1.993",
            "dividend-yield": "0.0113",
            "dividend-ex-date": "2026-12-18",
            "dividend-next-date": "2022-12-16",
            "market-cap": 690000000000,
            "updated-at": "2026-11-23T14:54:00.000Z",
        }


def root_row(ticker: str, root: str, kind: str, shares: int, expirations: list[Row]) -> Row:
    return {
        "underlying-symbol": ticker,
        "root-symbol": root,
        "option-chain-type": kind,
        "shares-per-contract": shares,
        "tick-sizes": [{"value": "0.01"}],
        "deliverables": [{"id": 313656, "amount": f"{shares}.0", "deliverable-type": "Shares", "symbol": ticker}],
        "expirations": expirations,
    }


class Rig:
    """The real client on a server, with a clock that waiting moves."""

    def __init__(
        self, server: StandIn, *, secret: str = CLIENT_SECRET, refresh: str = REFRESH_TOKEN, version: str = API_VERSION
    ) -> None:
        self.begun = server.at if isinstance(server, TastytradeServer) else datetime(2026, 11, 23, 15, tzinfo=UTC)
        self.monotonic_moved = 0.0
        self.wall_moved = 0.0
        self.slept: list[float] = []
        self.kept: list[tuple[str, bytes]] = []
        self.warned: list[str] = []
        self.http = HttpClient(
            service="tastytrade",
            base=server.url,
            clock=self.clock,
            sleep=self.sleep,
            monotonic=self.monotonic,
            keep=lambda name, body: self.kept.append((name, body)),
        )
        self.session = OAuthSession(self.http, Secret(secret), Secret(refresh), self.clock, self.warned.append)
        self.rest = RestClient(self.http, self.session, version=version)

    def clock(self) -> datetime:
        return self.begun + timedelta(seconds=self.wall_moved)

    def monotonic(self) -> float:
        return time.monotonic() + self.monotonic_moved

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Time goes by on both clocks."""
        self.wall_moved += seconds
        self.monotonic_moved += seconds
