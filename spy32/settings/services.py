"""Knobs of the services, the sources of market data, and the analysts."""

from decimal import Decimal
from typing import Any

from spy32.domain.value import value
from spy32.settings.knob import Secret, knob

D = Decimal

CHAIN = ("tastytrade", "cboe", "yahoo")
RELATED = ("QQQ", "TLT", "GLD")
ANALYSTS = ("grok", "rules")
EFFORTS = ("none", "low", "medium", "high", "xhigh")


def sources(default: tuple[str, ...], data: str) -> Any:
    """A knob for an order of sources of `data`; `wiring.markets` has their names."""
    return knob(default, f"Sources of {data}", form="source")


@value
class Xai:
    """The xAI service, whose Grok chooses from the menu.

    A weekly answer of the flagship costs about $0.04 and, at high effort, takes minutes; a POST that is repeated after
    a time-out is billed twice.
    """

    url: str = knob("https://api.x.ai/v1", "Address of the xAI service, with /v1; https, or loopback", form="address")
    api_key: Secret | None = knob(None, "Key of the xAI service")
    model: str = knob("grok-4.7", "Model that is asked", form="word")
    effort: str = knob("high", "Reasoning effort sent; `model` leaves it to the model", choices=("model", *EFFORTS))
    accepts: tuple[str, ...] = knob((), "Efforts that the model takes; empty: by the built-in table", choices=EFFORTS)
    strict_model: bool = knob(False, "Refuse an answer from a model of another name")
    deadline_seconds: int = knob(420, "Longest time for one answer, all attempts together", 1, 3600)
    attempts: int = knob(2, "Most requests for one answer", 1, 2)
    max_output_tokens: int = knob(32_000, "Most tokens of an answer, reasoning included", 500, 128_000)
    run_budget: Decimal = knob(D("1.00"), "Most that a run may spend on answers, dollars", 0, 100)
    month_budget: Decimal = knob(D("10.00"), "Most that a calendar month may spend on answers, dollars", 0, 1000)


@value
class Tastytrade:
    """The broker."""

    url: str = knob("", "Address of the tastytrade service; empty takes the mode's own host", form="host")
    client_secret: Secret | None = knob(None, "OAuth client secret")
    refresh_token: Secret | None = knob(None, "OAuth refresh token")
    account: str = knob("", "Account number; needed when the login has several", form="account")
    version: str = knob("20261012", "Accept-Version of the order API; `none`, and the sandbox, send none", form="word")


@value
class Cboe:
    """Delayed quotes of the Cboe."""

    url: str = knob("https://cdn.cboe.com", "Address of the Cboe delayed quotes; https, or loopback", form="address")


@value
class Yahoo:
    """Yahoo Finance."""

    url: str = knob("", "Replaces scheme and host of every Yahoo address; empty leaves them alone", form="host")


@value
class Notify:
    """Who is told what happened while nobody sat at the terminal.

    Each address has a label, by which everything else names it, and after a slash the classes of events that it wants:
    trade, trouble, weekly, joined by +. Without classes, or with always, it gets everything.
    """

    addresses: tuple[Secret, ...] = knob(
        (), "Addresses in the form of apprise, such as phone/trade+trouble=ntfys://ntfy.sh/topic", form="notifier"
    )


@value
class Ping:
    """A monitor that is told when the weekly slot has its run: what it does not hear of, it alarms about.

    A base address in the shape of healthchecks.io stands for all three; else each event has an address of its own.
    """

    url: Secret | None = knob(None, "Base address; /start and /fail are put behind it", form="ping")
    start: Secret | None = knob(None, "Called when a run of the slot begins", form="ping")
    ok: Secret | None = knob(None, "Called when the slot has its run", form="ping")
    fail: Secret | None = knob(None, "Called when the slot is lost", form="ping")

    @property
    def is_set(self) -> bool:
        """Whether a monitor is told how the slot ended."""
        return self.url is not None or self.ok is not None or self.fail is not None


@value
class MarketSources:
    """Which sources are asked, in order; the next one is asked when one fails.

    Two sources of different age may differ by 0.5 %: a quarter of an hour at a VIX of 15 is 0.2 % at one sigma.
    """

    chain: tuple[str, ...] = sources(CHAIN, "the chain; the first healthy one is traded on, the next one checks it")
    history: tuple[str, ...] = sources(("yahoo", "cboe"), "daily bars, in order")
    vix: tuple[str, ...] = sources(("cboe", "yahoo"), "the VIX family and of related tickers, in order")
    dividends: tuple[str, ...] = sources(("yahoo", "table"), "ex-dividend dates, in order")
    rate: float = knob(0.04, "Continuous short rate used when no source has one, fraction", -0.05, 0.25)
    related: tuple[str, ...] = knob(RELATED, "Tickers whose day is looked at; a request each", form="ticker")
    cross_check: bool = knob(True, "Compare the chain with that of a second source")
    spot_agreement: float = knob(0.005, "Most that two spots may differ, fraction; more stops the run", 0.0005, 0.05)
    source_seconds: int = knob(20, "Longest time for one question to one source", 1, 120)
    deadline_seconds: int = knob(55, "Longest time for collecting everything", 2, 300)


@value
class AnalystKnobs:
    """Who chooses from the menu, and how often it is asked."""

    name: str = knob("grok", "Who chooses from the menu", choices=ANALYSTS)
    prompt: str = knob("auto", "Prompt version; `auto`: comprehensive in production, else simplified", form="word")
    samples: int = knob(1, "Answers asked for; more than one needs a quorum", 1, 15)
    quorum: float = knob(0.6, "Share of the samples that must agree, when there are several", 0.5, 1)
    on_failure: str = knob("fail", "What a run does without an answer", choices=("fail", "no_trade", "rules"))
    live_simplified: bool = knob(False, "Let an answer to a simplified prompt make an order in live mode")
    shadow_trend: bool = knob(True, "Also record what the trend and volatility rule would take")
    shadow_prompt: bool = knob(False, "Also ask with the other prompt variant, for the record; costs one more answer")
    challenger: str = knob("", "Prompt version that the model is asked with too, for the record", form="prompt")
    probability_mark: float = knob(0.15, "Stated probability further than this from the market's is marked", 0, 1)
    probability_veto: float = knob(
        0.30, "Stated probability further than this from the market's refuses the answer", 0, 1
    )
    unmatched_veto: int = knob(6, "So many numbers in the words without a datum refuse the answer", 1, 100)
