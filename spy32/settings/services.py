"""Knobs of what is outside: the services, the sources of market data, and who chooses."""

from decimal import Decimal

from spy32.domain.value import value
from spy32.settings.knob import Secret, knob

D = Decimal

ANALYSTS = ("grok", "rules")


@value
class Xai:
    url: str = knob("https://api.x.ai/v1", "Address of the xAI service, with /v1; https, or loopback", form="address")
    api_key: Secret | None = knob(None, "Key of the xAI service")
    model: str = knob("grok-4.7", "Model that is asked", form="word")
    effort: str = knob(
        "high",
        "Reasoning effort that is sent; `model` leaves it to the model",
        choices=("model", "none", "low", "medium", "high", "xhigh"),
    )
    accepts: tuple[str, ...] = knob(
        (),
        "Efforts that the model takes, where the built-in table is out of date; empty goes by the table",
        choices=("none", "low", "medium", "high", "xhigh"),
    )
    strict_model: bool = knob(False, "Refuse an answer from a model of another name")
    deadline_seconds: int = knob(420, "Longest time for one answer, all attempts together", low=1, high=3600)
    attempts: int = knob(2, "Most requests for one answer", low=1, high=2)
    max_output_tokens: int = knob(32_000, "Most tokens of an answer, reasoning included", low=500, high=128_000)
    run_budget: Decimal = knob(D("1.00"), "Most that a run may spend on answers, dollars", low=D("0"), high=D("100"))
    month_budget: Decimal = knob(
        D("10.00"), "Most that a calendar month may spend on answers, dollars", low=D("0"), high=D("1000")
    )


@value
class Tastytrade:
    url: str = knob("", "Address of the tastytrade service; empty takes the mode's own host", form="host")
    client_secret: Secret | None = knob(None, "OAuth client secret")
    refresh_token: Secret | None = knob(None, "OAuth refresh token")
    account: str = knob("", "Account number; needed when the login has several", form="account")
    version: str = knob(
        "20261012", "Accept-Version of the order API; `none` sends none, as the sandbox always does", form="word"
    )


@value
class Cboe:
    url: str = knob("https://cdn.cboe.com", "Address of the Cboe delayed quotes; https, or loopback", form="address")


@value
class Yahoo:
    url: str = knob("", "Replaces scheme and host of every Yahoo address; empty leaves them alone", form="host")


@value
class MarketSources:
    chain: tuple[str, ...] = knob(
        ("tastytrade", "cboe", "yahoo"),
        "Sources of the option chain, in order; the first healthy one is traded on, the next one checks it",
        form="source",
    )
    history: tuple[str, ...] = knob(("yahoo", "cboe"), "Sources of daily bars, in order", form="source")
    vix: tuple[str, ...] = knob(
        ("cboe", "yahoo"), "Sources of the VIX family and of related tickers, in order", form="source"
    )
    dividends: tuple[str, ...] = knob(("yahoo", "table"), "Sources of ex-dividend dates, in order", form="source")
    rate: float = knob(0.04, "Continuous short rate used when no source has one, fraction", low=-0.05, high=0.25)
    related: tuple[str, ...] = knob(
        ("QQQ", "TLT", "GLD"), "Tickers whose move of the day is looked at; each costs a request", form="ticker"
    )
    cross_check: bool = knob(True, "Compare the chain with that of a second source")
    spot_agreement: float = knob(
        0.005, "How far the spots of two sources may lie apart, fraction; more stops the run", low=0.0005, high=0.05
    )
    source_seconds: int = knob(20, "Longest time for one question to one source", low=1, high=120)
    deadline_seconds: int = knob(55, "Longest time for collecting everything", low=2, high=300)


@value
class AnalystKnobs:
    name: str = knob("grok", "Who chooses from the menu", choices=ANALYSTS)
    prompt: str = knob(
        "auto",
        "Prompt version that is sent; `auto` takes the comprehensive one in production, else the simplified one",
        form="word",
    )
    samples: int = knob(1, "Answers asked for; more than one needs a quorum", low=1, high=15)
    quorum: float = knob(0.6, "Share of the samples that must agree, when there are several", low=0.5, high=1)
    on_failure: str = knob("fail", "What a run does without an answer", choices=("fail", "no_trade", "rules"))
    live_simplified: bool = knob(
        False, "Let an answer to a simplified prompt make an order in live mode; off, it makes none"
    )
    shadow_trend: bool = knob(True, "Also record what the trend and volatility rule would take")
    shadow_prompt: bool = knob(False, "Also ask with the other prompt variant, for the record; costs one more answer")
    probability_mark: float = knob(
        0.15, "Stated probability further than this from the market's is marked", low=0, high=1
    )
    probability_veto: float = knob(
        0.30, "Stated probability further than this from the market's refuses the answer", low=0, high=1
    )
    unmatched_veto: int = knob(
        6, "So many numbers in the words that no datum bears out refuse the answer", low=1, high=100
    )
