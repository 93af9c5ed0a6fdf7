"""Valid domain values with keyword overrides, so that a test names only what it is about.

The world of these builders: Monday 2025-10-06, 10:00 New York; SPY at 670; the expiration 2025-11-07 is 32 days
away. `chain()` prices every strike by Black-Scholes on one smooth smile, and `candidate()` quotes its legs from it,
so a snapshot, its menu and a proposal agree with each other.
"""

import math
from collections.abc import Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

from spy32.domain.briefing import Briefing
from spy32.domain.codec import canonical_json, digest
from spy32.domain.events import EventKind, ScheduledEvent
from spy32.domain.experiments import Experiment, ExperimentTerms, PairMetric
from spy32.domain.findings import Finding, RiskDecision, Sizing
from spy32.domain.market import (
    Chain,
    DailyBar,
    Dividend,
    Gate,
    LegQuotes,
    MarketSnapshot,
    Metric,
    OptionQuote,
    QualityReport,
    Right,
    Verdict,
)
from spy32.domain.marks import Mark
from spy32.domain.notices import NoticeKind, NoticeText
from spy32.domain.orders import BrokerOrder, Fill, Order, OrderKind, OrderTicket
from spy32.domain.outcomes import CandidateOutcome, PlanOutcome
from spy32.domain.proposals import (
    Approval,
    Decision,
    ExitPlan,
    ExitReason,
    PricePlan,
    Proposal,
    ProposalKind,
    ProposalTerms,
    Recommendation,
)
from spy32.domain.run_view import MarketSummary
from spy32.domain.runs import Run, Step, StepState, Trigger
from spy32.domain.spreads import (
    CENT,
    Account,
    Action,
    Candidate,
    ExpectedValue,
    Greeks,
    Leg,
    LegView,
    Menu,
    Mode,
    RejectedSpread,
    Spread,
    Strategy,
)
from spy32.domain.transactions import PaperEvent, TransactionKind
from spy32.lifecycle import OrderState, ProposalState
from tests.support import outlooks

NOW = datetime(2025, 10, 6, 14, 0, tzinfo=UTC)
"""10:00 in New York."""
TODAY = date(2025, 10, 6)
EXPIRATION = date(2025, 11, 7)
NEIGHBOURS = (date(2025, 10, 31), date(2025, 11, 14))
SPOT = 670.0
RATE = 0.04
DIVIDEND_YIELD = 0.012
ACCOUNT = "PAPER"
COSTS_OPEN = Decimal("2.26")
"""Two legs: 1.00 commission, 0.10 clearing and 0.03 regulatory each."""
COSTS_ROUND_TRIP = Decimal("2.52")


def later(seconds: float = 0, **more: float) -> datetime:
    """`NOW` and some time: `later(90)`, `later(minutes=5)`."""
    return NOW + timedelta(seconds=seconds, **more)


# --- market ---------------------------------------------------------------------------------------------------------


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def sigma(strike: float) -> float:
    """The smile of this world: 16 % at the money, steeper below."""
    moneyness = math.log(strike / SPOT)
    return 0.16 - 0.9 * moneyness + 2.0 * moneyness * moneyness if moneyness < 0 else 0.16 - 0.5 * min(moneyness, 0.08)


def fair(right: Right, strike: float, years: float) -> tuple[float, float]:
    """Black-Scholes price and delta with continuous yield (Hull, 9th edition, section 17.3)."""
    vol = sigma(strike) * math.sqrt(years)
    forward = SPOT * math.exp((RATE - DIVIDEND_YIELD) * years)
    d1 = math.log(forward / strike) / vol + vol / 2
    growth, discount = math.exp(-DIVIDEND_YIELD * years), math.exp(-RATE * years)
    call = discount * (forward * _normal(d1) - strike * _normal(d1 - vol))
    if right is Right.CALL:
        return call, growth * _normal(d1)
    return call - discount * (forward - strike), growth * (_normal(d1) - 1)


@cache
def quote(right: Right = Right.PUT, strike: str = "640", expiration: date = EXPIRATION) -> OptionQuote:
    """One contract of this world: bid and ask in cents, 2 to 8 cents apart."""
    price, delta = fair(right, float(strike), (expiration - TODAY).days / 365)
    half = 0.01 + min(0.03, price * 0.004)
    bid = math.floor((price - half) * 100 + 1e-9) / 100
    return OptionQuote(
        root="SPY",
        expiration=expiration,
        strike=Decimal(strike),
        right=right,
        bid=max(bid, 0.0),
        ask=math.ceil((price + half) * 100 - 1e-9) / 100,
        last=round(price, 2),
        volume=1200,
        open_interest=5000,
        feed_iv=sigma(float(strike)),
        feed_delta=delta,
    )


@cache
def _quotes(expirations: tuple[date, ...], low: int, high: int) -> tuple[OptionQuote, ...]:
    return tuple(
        quote(right, str(strike), expiration)
        for expiration in expirations
        for strike in range(low, high + 1)
        for right in (Right.CALL, Right.PUT)
    )


def chain(
    expirations: Sequence[date] = (NEIGHBOURS[0], EXPIRATION, NEIGHBOURS[1]),
    low: int = 560,
    high: int = 760,
    **over: Any,
) -> Chain:
    base: dict[str, Any] = {
        "underlying": "SPY",
        "spot": SPOT,
        "as_of": NOW,
        "source": "cboe",
        "quotes": _quotes(tuple(expirations), low, high),
    }
    return Chain(**{**base, **over})


def datum(value: float | None = 16.5, **over: Any) -> Metric:
    base: dict[str, Any] = {"value": value, "unit": "percent", "source": "cboe", "as_of": NOW}
    if value is None:
        base["missing"] = "not served"
    return Metric(**{**base, **over})


@cache
def vix_history() -> tuple[tuple[date, float], ...]:
    return tuple((bar.day, round(15 + 3 * math.sin(i), 2)) for i, bar in enumerate(history()))


@cache
def history(days: int = 260) -> tuple[DailyBar, ...]:
    """Weekday bars up to the Friday before; a deterministic wobble of about 1 % a day."""
    bars: list[DailyBar] = []
    day, close, step = TODAY - timedelta(days=3), 669.0, 0
    while len(bars) < days:
        if day.weekday() < 5:
            bars.append(
                DailyBar(
                    day=day,
                    close=round(close, 2),
                    open=round(close * 0.999, 2),
                    high=round(close * 1.005, 2),
                    low=round(close * 0.994, 2),
                    volume=6.5e7,
                )
            )
            step += 1
            close /= 1 + 0.0004 + 0.012 * math.sin(step * 2.399)
        day -= timedelta(days=1)
    return tuple(reversed(bars))


def snapshot(**over: Any) -> MarketSnapshot:
    base: dict[str, Any] = {
        "underlying": "SPY",
        "as_of": NOW,
        "source": "cboe",
        "is_recorded": False,
        "chain": chain(),
        "target": EXPIRATION,
        "dte": 32,
        "history": history(),
        "volatility": {"vix": datum(16.5), "vix9d": datum(15.2), "vix3m": datum(19.1)},
        "volatility_history": vix_history(),
        "rate": Metric(value=RATE, unit="fraction", source="cboe", as_of=NOW),
        "dividends": (Dividend(ex_date=date(2025, 9, 19), amount=Decimal("1.831")),),
        "notes": (),
    }
    return MarketSnapshot(**{**base, **over})


def leg_quotes(legs: Sequence[Leg] = (), **over: Any) -> LegQuotes:
    """Quotes of the legs (of the default spread) as the chain has them."""
    wanted = legs or spread().legs
    found = {leg.symbol: quote(leg.right, str(leg.strike), leg.expiration) for leg in wanted}
    base: dict[str, Any] = {"spot": SPOT, "as_of": NOW, "source": "cboe", "quotes": found}
    return LegQuotes(**{**base, **over})


def gate(**over: Any) -> Gate:
    base: dict[str, Any] = {"name": "quote_age", "figure": "12 s", "limit": "900 s", "verdict": Verdict.PASS}
    return Gate(**{**base, **over})


def quality(**over: Any) -> QualityReport:
    base: dict[str, Any] = {"gates": (gate(),), "dropped": {"no_bid": 3}}
    return QualityReport(**{**base, **over})


def market_line(**over: Any) -> MarketSummary:
    base: dict[str, Any] = {
        "underlying": "SPY",
        "spot": SPOT,
        "as_of": NOW,
        "source": "cboe",
        "is_recorded": False,
        "expiration": EXPIRATION,
        "dte": 32,
        "atm_iv": 0.16,
        "expected_move": 31.7,
        "vix": 16.5,
    }
    return MarketSummary(**{**base, **over})


def briefing(**over: Any) -> Briefing:
    """What an analyst is told of `snapshot()`: a few figures, a missing one, one event."""
    figures = {
        "market.spot": Metric(value=SPOT, unit="dollars", source="cboe", as_of=NOW),
        "market.vix": datum(16.5),
        "market.rsi_14": datum(55.0, unit="points", count=250),
        "market.vix3m": datum(None),
    }
    base: dict[str, Any] = {
        "underlying": "SPY",
        "as_of": NOW,
        "target": EXPIRATION,
        "dte": 32,
        "figures": figures,
        "bars": history()[-32:],
        "events": (ScheduledEvent(kind=EventKind.FOMC, day=date(2025, 10, 29), time="14:00", source="shipped table"),),
        "unknown_events": {"jobs": "unknown"},
        "dividends": (),
    }
    return Briefing(**{**base, **over})


# --- what may be traded ---------------------------------------------------------------------------------------------


def leg(
    strike: str = "640", action: Action = Action.SELL_TO_OPEN, right: Right = Right.PUT, expiration: date = EXPIRATION
) -> Leg:
    return Leg(root="SPY", expiration=expiration, strike=Decimal(strike), right=right, action=action)


def spread(short: str = "640", long: str = "635", expiration: date = EXPIRATION) -> Spread:
    """A put credit spread when the short strike is the higher one, else a call credit spread."""
    is_put = Decimal(short) > Decimal(long)
    right = Right.PUT if is_put else Right.CALL
    return Spread(
        underlying="SPY",
        strategy=Strategy.PUT_CREDIT if is_put else Strategy.CALL_CREDIT,
        legs=(
            leg(short, Action.SELL_TO_OPEN, right, expiration),
            leg(long, Action.BUY_TO_OPEN, right, expiration),
        ),
    )


def _view(part: Leg) -> LegView:
    delta = fair(part.right, float(part.strike), (part.expiration - TODAY).days / 365)[1]
    return LegView(
        quote=quote(part.right, str(part.strike), part.expiration), iv=sigma(float(part.strike)), delta=delta
    )


def _mid(view: LegView) -> Decimal:
    assert view.quote.bid is not None
    assert view.quote.ask is not None
    return (Decimal(str(view.quote.bid)) + Decimal(str(view.quote.ask))) / 2


def candidate(short: str = "640", long: str = "635", **over: Any) -> Candidate:
    """A candidate that agrees with `chain()`; prices follow the quotes unless they are given."""
    pair = spread(short, long)
    sold, bought = _view(pair.short), _view(pair.long)
    natural = Decimal(str(sold.quote.bid)) - Decimal(str(bought.quote.ask))
    mid = _mid(sold) - _mid(bought)
    start = mid.quantize(CENT, rounding=ROUND_CEILING)
    floor = (mid - (mid - natural) / 2).quantize(CENT, rounding=ROUND_CEILING)
    sign = -1 if pair.right is Right.PUT else 1
    base: dict[str, Any] = {
        "id": f"{pair.right}{pair.short.strike:f}{pair.width:f}",
        "spread": pair,
        "short": sold,
        "long": bought,
        "natural": natural,
        "mid": mid,
        "start": start,
        "floor": floor,
        "max_loss": (pair.width - floor) * 100 + COSTS_OPEN,
        "breakevens": (pair.short.strike + sign * mid,),
        "greeks": Greeks(delta=bought.delta - sold.delta, gamma=-0.001, theta=0.02, vega=-0.05),
        "pop_market": 0.79,
        "pop_history": 0.86,
        "ev": ExpectedValue(market_expiry=-6.5, market_plan=-4.1, history_expiry=9.3, history_plan=7.7),
        "costs": COSTS_OPEN,
        "costs_round_trip": COSTS_ROUND_TRIP,
        "outlook": outlooks.outlook(),
    }
    return Candidate(**{**base, **over})


def dropped(**over: Any) -> RejectedSpread:
    base: dict[str, Any] = {
        "strategy": Strategy.PUT_CREDIT,
        "short_strike": Decimal("600"),
        "long_strike": Decimal("598"),
        "rule": "credit_to_width",
        "figure": "0.06",
        "limit": "0.10",
    }
    return RejectedSpread(**{**base, **over})


def menu(**over: Any) -> Menu:
    base: dict[str, Any] = {
        "candidates": (candidate(), candidate("635", "630"), candidate("695", "700"), candidate("700", "705")),
        "dropped": (dropped(), dropped(short_strike=Decimal("601"), long_strike=Decimal("599"))),
        "seed": 7,
        "notes": ("4 candidates, 6 are usual",),
    }
    return Menu(**{**base, **over})


def account(**over: Any) -> Account:
    base: dict[str, Any] = {
        "number": ACCOUNT,
        "mode": Mode.PAPER,
        "net_liquidation": Decimal("100000"),
        "buying_power": Decimal("100000"),
        "options_level": "spreads",
        "permits_spreads": True,
        "positions": (),
    }
    return Account(**{**base, **over})


# --- deciding -------------------------------------------------------------------------------------------------------


def recommendation(**over: Any) -> Recommendation:
    """Grok takes the first candidate; `decision=Decision.ABSTAIN` drops the candidate by itself."""
    decision = over.get("decision", Decision.TRADE)
    base: dict[str, Any] = {
        "analyst": "grok",
        "decision": decision,
        "candidate_id": candidate().id if decision is Decision.TRADE else None,
        "reason": "the best paid of the puts",
        "analysis": "Volatility is calm and the trend is up.",
        "evidence": ("volatility.vix",),
        "probability": 0.8,
        "model": "grok-4.3",
        "prompt": "comprehensive",
        "cost_ticks": 123,
    }
    return Recommendation(**{**base, **over})


def finding(**over: Any) -> Finding:
    base: dict[str, Any] = {"rule": "vix", "message": "VIX is high", "figure": "27", "limit": "25", "blocks": False}
    return Finding(**{**base, **over})


def sizing(**over: Any) -> Sizing:
    base: dict[str, Any] = {
        "quantity": 2,
        "bounds": {"max_loss": 2, "open_risk": 11, "contracts": 10},
        "binding": "max_loss",
        "halved": False,
        "account_needed": None,
        "swing_loss": Decimal("48.20"),
        "swing_budget": Decimal("150"),
    }
    return Sizing(**{**base, **over})


def ruling(**over: Any) -> RiskDecision:
    base: dict[str, Any] = {"quantity": 2, "findings": (finding(),), "sizing": sizing()}
    return RiskDecision(**{**base, **over})


def price_plan(**over: Any) -> PricePlan:
    base: dict[str, Any] = {
        "start": candidate().start,
        "limit": candidate().floor,
        "tick": CENT,
        "step_seconds": 30,
        "deadline_seconds": 600,
    }
    return PricePlan(**{**base, **over})


def exit_plan(**over: Any) -> ExitPlan:
    base: dict[str, Any] = {
        "profit_target": Decimal("0.29"),
        "stop": Decimal("1.74"),
        "time_exit": date(2025, 10, 17),
        "last_exit": date(2025, 11, 6),
        "note": "half the credit, 21 days, or three times the credit",
    }
    return ExitPlan(**{**base, **over})


def proposal(**over: Any) -> Proposal:
    """`proposal_terms` as stored, waiting for a decision."""
    stored = {"id": over.pop("id", 1), "state": over.pop("state", ProposalState.PROPOSED)}
    terms = proposal_terms(**over)
    return Proposal(**{field.name: getattr(terms, field.name) for field in fields_of(terms)}, **stored)


def proposal_terms(**over: Any) -> ProposalTerms:
    """An opening put credit spread of 2 contracts that was made from `candidate()`; its hash is of all that."""
    chosen = candidate()
    quantity = over.get("quantity", 2)
    plan: PricePlan = over.get("plan", price_plan())
    base: dict[str, Any] = {
        "run_id": 1,
        "kind": ProposalKind.OPEN,
        "mode": Mode.PAPER,
        "account": ACCOUNT,
        "profile": "default",
        "underlying": "SPY",
        "strategy": chosen.spread.strategy,
        "legs": chosen.spread.legs,
        "quantity": quantity,
        "plan": plan,
        "exit": exit_plan(),
        "max_loss": ((chosen.spread.width - plan.limit) * 100 + COSTS_OPEN) * quantity,
        "max_profit": (plan.start * 100 - COSTS_OPEN) * quantity,
        "breakevens": (chosen.spread.short.strike - plan.start,),
        "assignment_value": chosen.spread.short.strike * 100 * quantity,
        "candidate_id": chosen.id,
        "chosen_by": "grok",
        "quoted_at": NOW,
        "lapses_at": datetime(2025, 10, 6, 20, 0, tzinfo=UTC),
        "market": "cboe",
        "trade_id": None,
    }
    made = ProposalTerms(**{**base, **over})
    return made if "hash" in over else replace(made, hash=digest(made))


def close_proposal(trade_id: int, **over: Any) -> Proposal:
    """The exit of a trade of the default spread: bought back for 0.30, at most 0.34."""
    legs = tuple(replace(part, action=part.action.closing) for part in spread().legs)
    plan = price_plan(start=Decimal("-0.30"), limit=Decimal("-0.34"))
    return proposal(
        **{"kind": ProposalKind.CLOSE, "legs": legs, "plan": plan, "trade_id": trade_id, "candidate_id": None, **over}
    )


def mark(trade_id: int, **over: Any) -> Mark:
    """A usable mark of two default spreads at a mid of 0.50."""
    base: dict[str, Any] = {
        "trade_id": trade_id,
        "at": later(900),
        "as_of": over.get("at", later(900)),
        "source": "cboe",
        "spot": 671.0,
        "mid": Decimal("0.50"),
        "natural": Decimal("0.55"),
        "quantity": 2,
        "dte": 32,
    }
    return Mark(**{**base, **over})


def order_body(made: Proposal, limit: Decimal, reference: str) -> str:
    """A plausible tastytrade body; the exact one is `rules.plan.order_body`."""
    legs = [
        {"instrument-type": "Equity Option", "symbol": part.symbol, "quantity": made.quantity, "action": part.action}
        for part in made.legs
    ]
    return canonical_json(
        {
            "time-in-force": "Day",
            "order-type": "Limit",
            "price": f"{abs(limit):.2f}",
            "price-effect": "Credit" if limit >= 0 else "Debit",
            "external-identifier": reference,
            "legs": legs,
        }
    )


def approval(made: Proposal, **over: Any) -> Approval:
    """A yes of anna to this proposal (which has its id), five minutes in, for an hour."""
    chosen = candidate()
    base: dict[str, Any] = {
        "id": 1,
        "proposal_id": made.id,
        "hash": made.hash,
        "by": "anna",
        "at": later(minutes=5),
        "until": later(minutes=65),
        "spot": SPOT,
        "mid": chosen.mid,
        "natural": chosen.natural,
        "short_delta": chosen.short_delta,
        "note": "",
    }
    return Approval(**{**base, **over})


# --- acting ---------------------------------------------------------------------------------------------------------


def stored_order(made: Proposal, yes: Approval | None, **over: Any) -> Order:
    """The first order of an approval as `submitting`."""
    own = {field.name for field in fields_of(OrderTicket)}
    ticket = order(made, yes, **{name: over.pop(name) for name in own & over.keys()})
    stored = {"id": 1, "state": OrderState.SUBMITTING, **over}
    return Order(**{name: getattr(ticket, name) for name in own}, **stored)


def order(made: Proposal, yes: Approval | None, **over: Any) -> OrderTicket:
    """The first order of an approval, about to be stored and sent."""
    reference = over.get("reference", f"spy32-P{made.id}-{yes.id if yes else 0}-1")
    limit = over.get("limit", made.plan.start)
    body = over.get("body", order_body(made, limit, reference))
    base: dict[str, Any] = {
        "proposal_id": made.id,
        "approval_id": yes.id if yes else 0,
        "reference": reference,
        "kind": OrderKind.ENTRY if made.kind is ProposalKind.OPEN else OrderKind.EXIT,
        "mode": made.mode,
        "account": made.account,
        "body": body,
        "body_hash": digest(body),
        "limit": limit,
        "quantity": made.quantity,
        "created_at": later(minutes=6),
    }
    return OrderTicket(**{**base, **over})


def fills(
    legs: Sequence[Leg] = (), quantity: int = 2, prices: Sequence[str] = ("4.83", "4.25"), **over: Any
) -> tuple[Fill, ...]:
    """One execution a leg; ids `F1`, `F2` unless `prefix` says otherwise. The default credit is 0.58."""
    prefix = over.pop("prefix", "F")
    at = over.pop("at", later(minutes=7))
    parts = legs or spread().legs
    return tuple(
        Fill(
            fill_id=f"{prefix}{i}",
            symbol=part.symbol,
            action=part.action,
            quantity=quantity * part.quantity,
            price=Decimal(price),
            at=at,
        )
        for i, (part, price) in enumerate(zip(parts, prices, strict=True), 1)
    )


def paper_event(**over: Any) -> PaperEvent:
    """Two short puts of the default spread that expired."""
    base: dict[str, Any] = {
        "at": later(days=32),
        "kind": TransactionKind.EXPIRATION,
        "symbol": spread().legs[0].symbol,
        "quantity": 2,
        "price": Decimal(0),
        "cash": Decimal(0),
        "fees": Decimal(0),
        "description": "expiration at 650.00, the close of 2025-11-07",
    }
    return PaperEvent(**{**base, **over})


def broker_order(of: Order, **over: Any) -> BrokerOrder:
    """The broker's view of our order, resting."""
    base: dict[str, Any] = {
        "broker_id": f"B-{of.reference}",
        "reference": of.reference,
        "status": "Live",
        "state": OrderState.WORKING,
        "limit": of.limit,
        "quantity": of.quantity,
        "legs": spread().legs,
        "body": of.body,
    }
    return BrokerOrder(**{**base, **over})


def step(name: str = "collect", **over: Any) -> Step:
    return Step(**{"name": name, "state": StepState.OK, "ms": 120, "detail": "", **over})


def run(**over: Any) -> Run:
    base: dict[str, Any] = {
        "id": 1,
        "trigger": Trigger.MANUAL,
        "mode": Mode.PAPER,
        "profile": "default",
        "started_at": NOW,
    }
    return Run(**{**base, **over})


def notice_text(subject: str = "subject", **over: Any) -> NoticeText:
    """What a notice says; a week without a trade unless another kind is given."""
    defaults: dict[str, Any] = {"kind": NoticeKind.NO_TRADE, "short": f"{subject} in short", "body": "body"}
    return NoticeText(subject=subject, **{**defaults, **over})


# --- looking back ---------------------------------------------------------------------------------------------------


def experiment_terms(**over: Any) -> ExperimentTerms:
    """Grok with the prompt `comprehensive` against the fixed rule."""
    base: dict[str, Any] = {
        "champion": "rules",
        "challenger": "grok comprehensive",
        "metric": PairMetric.EXPIRY,
        "profile": "default",
        "weeks": 260,
        "streams": 5,
        "level": 0.05,
        "bets": (0.1, 0.5),
        "fingerprints": {"rules": "delta 0.2, width 5", "grok comprehensive": "grok-4.3, prompt a1, checks 3"},
    }
    return ExperimentTerms(**{**base, **over})


def experiment(**over: Any) -> Experiment:
    return Experiment(**{"id": 1, "at": NOW, "terms": experiment_terms(), **over})


def outcome(short: str = "640", long: str = "635", **over: Any) -> CandidateOutcome:
    """A known outcome of a candidate, which ended in profit under both endings."""
    made = candidate(short, long)
    base: dict[str, Any] = {
        "run_id": 1,
        "candidate_id": made.id,
        "strategy": made.spread.strategy,
        "expiration": EXPIRATION,
        "max_loss": Decimal(400),
        "settlement": Decimal(670),
        "expiry": Decimal(80),
        "plan": PlanOutcome(day=date(2025, 10, 17), reason=ExitReason.TARGET, result=Decimal(40), is_modelled=False),
    }
    return CandidateOutcome(**{**base, **over})


def cents(amount: str | float) -> Decimal:
    """A Decimal of two places."""
    return Decimal(str(amount)).quantize(CENT, rounding=ROUND_HALF_UP)
