"""What JSON documents show of the nouns of a run, its proposal, orders and trade."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from spy32.domain.findings import Finding, RiskDecision, Sizing
from spy32.domain.market import Gate, Metric, QualityReport
from spy32.domain.marks import LegMark, Mark
from spy32.domain.model_calls import ModelCall, ModelResponse, ResponseCheck, UsageSummary
from spy32.domain.orders import Fill, Order, Trade
from spy32.domain.outcomes import CandidateOutcome, PlanOutcome
from spy32.domain.outlook import Estimate, TradingCost
from spy32.domain.proposals import Approval, Citation, ExitPlan, NumberCheck, PricePlan, Proposal, Recommendation
from spy32.domain.results import ResultTotals
from spy32.domain.run_view import DocumentSummary, MarketSummary, RunView
from spy32.domain.runs import Run, RunSummary, Step
from spy32.domain.spreads import Candidate, ExpectedValue, Greeks, Leg, Menu, RejectedSpread, whole_order
from spy32.domain.units import JsonText, OrderId, ProposalId, RunId, TradeId, Usd
from spy32.domain.value import value
from spy32.render.encoder import Key, Part
from spy32.render.formatting import mask_account
from spy32.render.page import read_path
from spy32.render.raw_texts import StoredAnswer
from spy32.rules.results import days_held


@value
class BriefingFigure:
    """A figure that was put before the analyst."""

    path: str
    datum: Metric


@value
class AnalystChoice:
    """A recommendation, and what asking for it came to; None for who asks no model."""

    recommendation: Recommendation
    usage: UsageSummary | None


@value
class ProposalView:
    """A proposal with what a person and the broker made of it."""

    proposal: Proposal
    approval: Approval | None
    order_body: JsonText
    """The order body as it was prepared and stored."""
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]


@value
class TradeView:
    """A trade with its newest mark."""

    trade: Trade
    mark: Mark | None
    """The newest; null before the first."""


def proposal_view(view: RunView, proposal: Proposal) -> ProposalView:
    return ProposalView(
        proposal=proposal, approval=view.approval, order_body=view.body, orders=view.orders, fills=view.fills
    )


# What was seen.

Part(Step)
Part(
    Run,
    """id trigger mode profile slot late started_at ended_at outcome cause reasons exit_code forced_from steps
    step_running""",
)
Part(RunSummary)
Part(ResultTotals)
Part(MarketSummary, "underlying spot as_of source recorded=is_recorded expiration dte atm_iv expected_move vix")
Part(Metric, "value unit source as_of count missing")
Part(BriefingFigure, "path value unit source as_of count missing", inner="datum")
Part(Gate)
Part(QualityReport, "degraded=is_degraded stopped_by=stopped_by.name gates dropped")

# The menu.

Part(Leg, "action symbol option_type=right strike expiration quantity")
Part(Greeks)
Part(ExpectedValue)
Part(Estimate)
Part(TradingCost, "interest slippage commissions fees total")
POP = Part(Candidate, "market=pop_market history=pop_history", called="Probability")


@value
class LawProbabilities:
    """One event's probability by law, fraction; null where the law does not tell."""

    market: float | None
    """By option prices, to expiration."""
    history: float | None
    """By the underlying's past, to expiration."""
    history_without_drift: float | None
    plan: float | None
    """By the past (as `history`), under the exit plan. It is simulated, and has been held against no outcome."""
    plan_without_drift: float | None
    plan_market: float | None


@value
class HistoryEstimates:
    """An expected value by the underlying's past, dollars a contract after costs, each with its 90 % interval."""

    expiry: Estimate | None
    plan: Estimate | None
    expiry_without_drift: Estimate | None
    plan_without_drift: Estimate | None


@value
class MenuEntry:
    """A candidate of the menu and what came of it."""

    candidate: Candidate
    outcome: CandidateOutcome | None
    """Null before the first refresh."""


Part(PlanOutcome, "day reason result modelled=is_modelled")
Part(CandidateOutcome, "settlement expiry plan pending final=is_final")
Part(LawProbabilities)
Part(HistoryEstimates)


LAWS = {
    "market": "expiry.market", "history": "expiry.history", "history_without_drift": "expiry.no_drift",
    "plan": "plan.history", "plan_without_drift": "plan.no_drift", "plan_market": "plan.market",
}  # fmt: skip
"""Law -> its forecast in an outlook."""
ESTIMATES = {
    "expiry": "expiry.history", "plan": "plan.history", "expiry_without_drift": "expiry.no_drift",
    "plan_without_drift": "plan.no_drift",
}  # fmt: skip


def _read_forecasts(entry: Candidate, forecasts: Mapping[str, str], path: str) -> dict[str, Any]:
    return {name: read_path(entry, f"outlook.{forecast}.{path}") for name, forecast in forecasts.items()}


def published_candidate(entry: Candidate) -> Candidate:
    """The candidate with its outlook under the keys of 0.3.0. The market's expected value is no judgement: it is null,
    and `cost_of_trading` has what it said."""
    if entry.outlook is None:
        return entry
    means = _read_forecasts(entry, ESTIMATES, "ev.mean")
    ev = ExpectedValue(history_expiry=means["expiry"], history_plan=means["plan"])
    pop = read_path(entry, "outlook.expiry.history.probabilities.profit")
    return replace(entry, pop_market=entry.p_profit, pop_history=pop, ev=ev)


def _probability(name: str, what: str) -> Key:
    def read_laws(entry: MenuEntry) -> LawProbabilities:
        return LawProbabilities(**_read_forecasts(entry.candidate, LAWS, f"probabilities.{name}"))

    return Key(LawProbabilities, read_laws, f"Probability that {what}.")


def _estimates(name: str, description: str = "") -> Key:
    def read_estimates(entry: MenuEntry) -> HistoryEstimates:
        return HistoryEstimates(**_read_forecasts(entry.candidate, ESTIMATES, name))

    return Key(HistoryEstimates, read_estimates, description)


Part(
    MenuEntry,
    """id strategy=candidate.spread.strategy expiration=candidate.spread.expiration width=candidate.spread.width
    legs=candidate.spread.legs natural mid start floor max_loss breakevens short_delta greeks pop ev costs
    costs_round_trip p_worthless p_profit p_max_profit p_max_loss p_touch p_stopped ev_history shortfall
    average_win=candidate.outlook.chosen_plan.average_win average_loss=candidate.outlook.chosen_plan.average_loss
    cost_of_trading=candidate.outlook.cost premium_per_day=candidate.outlook.premium_per_day
    return_on_risk=candidate.outlook.return_on_risk score=candidate.outlook.score
    history_until=candidate.outlook.history_until history_missing=candidate.outlook.missing outcome""",
    inner="candidate",
    pop=Key(
        Annotated[Candidate, POP],
        lambda entry: published_candidate(entry.candidate),
        "p_profit.market and p_profit.history; of runs before 0.4 the market's before costs.",
    ),
    ev=Key(
        ExpectedValue,
        lambda entry: published_candidate(entry.candidate).ev,
        "market_* is null since 0.4: see cost_of_trading.",
    ),
    p_worthless=_probability(
        "worthless", "every leg expires out of the money; null under the plan, which closes before"
    ),
    p_profit=_probability("profit", "any profit is left after costs"),
    p_max_profit=_probability("max_profit", "the largest profit is made; under the plan, the profit target"),
    p_max_loss=_probability("max_loss", "the largest loss is made at expiration; null under the plan"),
    p_touch=_probability("touch", "a short strike is reached before the end"),
    p_stopped=_probability("stopped", "the plan closes at its stop; null to expiration. The rest closes by time"),
    ev_history=_estimates("ev"),
    shortfall=_estimates("shortfall", "Mean profit of the worst twentieth, negative for a loss."),
)
Part(RejectedSpread)
Part(Menu, "counts spreads=dropped")

# Deciding.

Part(Citation)
Part(NumberCheck)
TOKENS = "input=input_tokens cached=cached_tokens output=output_tokens reasoning=reasoning_tokens"
Part(UsageSummary, TOKENS)
HEARD_TOKENS = Part(ModelResponse, TOKENS, called="Tokens")
Part(
    AnalystChoice,
    """analyst model prompt decision candidate_id probability reason analysis evidence cost model_asked market_bias
    bull_case bear_case would_change_my_mind data_problems cited numbers marks vetoes failure votes cost_usd cost_ticks
    attempts tokens asked_before""",
    inner="recommendation",
    cost=Key(Usd, "recommendation.cost_ticks"),
    cost_usd=Key(Usd, "recommendation.cost_ticks"),
    attempts=Key(int | None, "usage.attempts", "Requests made for it; null for who asks no model."),
    tokens=Key(UsageSummary | None, "usage", "As the service counts them."),
    asked_before=Key(
        tuple[RunId, ...],
        lambda choice: () if choice.usage is None else choice.usage.asked_before,
        "Runs of the week before that asked the very same question, by the hashes of prompt and input.",
    ),
)
Part(StoredAnswer)
Part(
    ModelResponse,
    """outcome detail status model_answered=model fingerprint request_id ms tokens cost_usd cost_ticks is_estimate
    response""",
    tokens=Key(Annotated[ModelResponse, HEARD_TOKENS], lambda response: response, "As the service counts them."),
    cost_usd=Key(Usd, "cost_ticks"),
)
Part(
    ResponseCheck,
    "parser decision candidate_id check words marks vetoes",
    check=Key(str | None, lambda checked: checked.check or None, "The check that ended it; null when all were passed."),
    words=Key(str | None, lambda checked: checked.words or None, "One line on that check."),
)
Part(
    ModelCall,
    """id at role sample attempt=attempt.attempt prompt prompt_hash input_hash model_asked=attempt.model effort
    estimate_usd request heard checked""",
    inner="attempt",
    estimate_usd=Key(Usd, "attempt.estimate_ticks", "What it might cost, US dollars."),
)
Part(DocumentSummary, "source name at bytes=size")
Part(Finding)
Part(Sizing)
Part(RiskDecision, "accepted=is_accepted quantity findings sizing")

# The proposal and what came of it.

Part(PricePlan, "start limit tick step_seconds deadline_seconds prices")
Part(ExitPlan, "profit_target stop time_exit last_exit note authority")
Part(Approval, "by at until hash spot mid natural short_delta note")
Part(
    Order,
    """id reference kind state broker_id broker_status filled quantity limit_price=limit created_at replaces reason
    body""",
    id=Key(OrderId | None),  # published as nullable
)
Part(Fill)
Part(
    ProposalView,
    """id run_id kind state mode account profile underlying strategy expiration quantity limit_price floor_price
    max_loss max_profit breakevens assignment_value hash candidate_id chosen_by market recorded quoted_at lapses_at
    trade_id reason legs plan exit approval order_body orders fills""",
    inner="proposal",
    id=Key(ProposalId, "proposal.id"),
    account=Key(str, lambda view: mask_account(view.proposal.account), "Masked."),
    recorded=Key(bool, "proposal.is_recorded", "Made on a recorded market: a simulation."),
    legs=Key(tuple[Leg, ...], lambda view: whole_order(view.proposal.legs, view.proposal.quantity)),
)
Part(LegMark)
Part(
    Mark,
    """at as_of source spot mid natural two_sided flags quantity dte unrealized of_max_profit distance_percent
    distance_moves legs greeks""",
)
Part(
    TradeView,
    """id state quantity proposal_id run_id mode legs credit debit fees max_loss result opened_at closed_at assumption
    exit=trade.exits remaining exit_reason days_held mark""",
    inner="trade",
    id=Key(TradeId, "trade.id"),
    days_held=Key(
        int | None,
        lambda view: days_held(view.trade),
        "Calendar days in New York from the first fill to the end; null while open.",
    ),
    legs=Key(tuple[Leg, ...], lambda view: whole_order(view.trade.legs, view.trade.quantity)),
)
