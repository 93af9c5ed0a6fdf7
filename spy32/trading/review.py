"""Everything that a person sees before deciding: the proposal, what it may earn and lose, and what changed since."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from spy32.domain.book import BookPosition, proposed_position
from spy32.domain.exposure import Exposure
from spy32.domain.findings import Finding, Sizing
from spy32.domain.orders import Trade
from spy32.domain.proposals import Draft, Proposal, ProposalKind, ProposalTerms, Recommendation
from spy32.domain.run_view import MarketSummary, RunView
from spy32.domain.runs import Run
from spy32.domain.spreads import CENT, MULTIPLIER, Account, Candidate, Leg, Menu, Spread
from spy32.domain.value import value
from spy32.errors import BadUsage, Unavailable, Unusable
from spy32.rules import limits, pricing
from spy32.settings import Settings
from spy32.settings.model import Drift
from spy32.trading.context import TradingContext

if TYPE_CHECKING:
    from spy32.trading.managed_trade import ManagedTrade

MOVES = (-10, -5, -3, 0, 3, 5, 10)
"""Moves of the underlying by expiration, per cent."""


@value
class SpreadQuote:
    """The legs of a spread at one moment, net per share from our side: a credit is positive."""

    natural: Decimal
    mid: Decimal
    spot: float
    as_of: datetime
    source: str


@value
class PriceScenario:
    """What the whole quantity earns when the underlying expires `percent` away from where it is now."""

    percent: int
    price: Decimal
    profit: Decimal


@value
class Review:
    """What the approval screen shows. Without a proposal it is an abstained run whose menu can be chosen from."""

    view: RunView
    """The run, with its market."""
    account: Account
    at: datetime
    """When the review was made; ages are counted to this time."""
    proposal: ProposalTerms | None = None
    """What an approval would cover: the draft if there is one."""
    draft: Draft | None = None
    """The person's unsaved changes."""
    candidate: Candidate | None = None
    run_quote: SpreadQuote | None = None
    """The quotes of the run."""
    current_quote: SpreadQuote | None = None
    """The quotes shown: fresh, or those of the run when `stale_reason` says why."""
    stale_reason: str | None = None
    exposure: Exposure
    """Exposure of our book without this proposal."""
    is_preview: bool = False
    """Another candidate at the quotes of the run, checked by our limits only; it cannot be approved as it is."""
    findings: tuple[Finding, ...] = ()
    """Today's limits on the proposal, and the notes of the run."""
    sizing: Sizing | None = None
    """The bounds of the quantity, when this candidate has been sized."""
    managed: "ManagedTrade | None" = None
    """The trade that a `close` proposal would close, with its mark of now and its exits."""
    book: tuple[BookPosition, ...] = ()
    """What is held now, each position with its newest mark."""
    settings: Settings
    """Of the profile, for the limits and the rate that the book is valued by."""

    @property
    def trade(self) -> Trade | None:
        """The trade that a `close` proposal would close."""
        return self.managed.trade if self.managed is not None else None

    @property
    def open_limit(self) -> Decimal:
        """Limit on the maximum loss of all open trades, dollars."""
        return self.settings.limits.open_risk * self.account.net_liquidation

    @property
    def scenarios(self) -> tuple[PriceScenario, ...]:
        """What the proposal earns at expiration; none without quotes."""
        if self.proposal is None or self.current_quote is None:
            return ()
        return expiration_scenarios(self.proposal, self.current_quote.spot)

    @property
    def added_position(self) -> BookPosition | None:
        """What an opening would add to the book."""
        if self.proposal is None or self.proposal.kind is not ProposalKind.OPEN:
            return None
        return proposed_position(self.name, self.proposal, self.candidate, self.market)

    @property
    def run(self) -> Run:
        return self.view.run

    @property
    def market(self) -> MarketSummary:
        assert self.view.market is not None
        return self.view.market

    @property
    def menu(self) -> Menu:
        return self.view.menu if self.view.menu is not None else Menu(candidates=())

    @property
    def name(self) -> str:
        """`P31`, or `R31` where nothing is on record yet."""
        return f"R{self.run.id}" if self.proposal_id is None else f"P{self.proposal_id}"

    @property
    def proposal_id(self) -> int | None:
        """The id of the stored proposal that is decided on; None where the run has none."""
        return _stored_id(self.proposal)

    @property
    def rule_pick(self) -> Recommendation | None:
        """The fixed rule's choice from the same menu."""
        chosen = self.view.recommendation
        answers = (*self.view.shadows, *([chosen] if chosen is not None else []))
        return next((answer for answer in answers if answer.analyst == "rules"), None)

    @property
    def short_delta(self) -> float:
        """Absolute delta of the short leg at the run; 0 where the legs are not on the run's menu."""
        return self.candidate.short_delta if self.candidate is not None else 0.0

    @property
    def max_quantity(self) -> int | None:
        """Most contracts that the sizing bounds allow."""
        return min(self.sizing.bounds.values()) if self.sizing is not None and self.sizing.bounds else None

    @property
    def floor_range(self) -> tuple[Decimal, Decimal]:
        """Lowest and highest price that may be set as the floor: never below the natural, never above the start."""
        assert self.proposal is not None
        quote, highest, tick = self.current_quote, self.proposal.limit_price, self.proposal.plan.tick
        lowest = (quote.natural / tick).to_integral_value(ROUND_CEILING) * tick if quote is not None else highest
        return min(lowest, highest), highest


def review_proposal(context: TradingContext, proposal_id: int) -> Review:
    """Return the review of a proposal as of now. If the market does not answer, it has the run's quotes and the reason.

    The sizing is the run's own if it is of this candidate.
    """
    return build_review(context, context.store.proposals.get(proposal_id))


def build_review(context: TradingContext, proposal: ProposalTerms, sizing: Sizing | None = None) -> Review:
    """Return the review of a proposal or a draft; `sizing` is the one that a change was checked by."""
    shown, managed = _start_review(context, proposal.run_id, proposal), None
    if proposal.trade_id is not None:  # an opening pays for none of it
        from spy32.trading.manage import judge_trade

        managed = judge_trade(context, proposal.trade_id)
    view = shown.view
    candidate = shown.menu.find(proposal.candidate_id)
    if candidate is not None and candidate.spread.legs != proposal.legs:
        candidate = None
    chosen = view.recommendation
    is_run_choice = candidate is not None and chosen is not None and candidate.id == chosen.candidate_id
    run_quote = candidate_quote(view, candidate)
    current_quote, stale_reason = _fetch_quote(
        context, proposal.underlying, proposal.legs, opens=proposal.kind is ProposalKind.OPEN
    )
    quote = current_quote or run_quote
    return replace(
        shown,
        candidate=candidate,
        run_quote=run_quote,
        current_quote=quote,
        stale_reason=stale_reason,
        findings=(
            *check_limits(context, proposal, shown.account),
            *changes_since_run(proposal, run_quote, quote, context.settings.drift),
            *(run_notes(view) if candidate is not None else ()),
        ),
        sizing=sizing or (view.ruling.sizing if is_run_choice and view.ruling is not None else None),
        managed=managed,
    )


def review_run(context: TradingContext, run_id: int) -> Review:
    """Return the review of a run without a proposal: its menu, and why nothing was chosen."""
    shown = _start_review(context, run_id)
    if not shown.menu.candidates:
        raise BadUsage(f"R{run_id} has no menu to choose from; `spy32 show R{run_id}` says why")
    rules = tuple(answer for answer in shown.view.shadows if answer.is_of_rule)
    return replace(shown, view=replace(shown.view, shadows=rules, hides_models=True))


def _start_review(context: TradingContext, run_id: int, proposal: ProposalTerms | None = None) -> Review:
    """Return the review with the run, the account and our book."""
    view, account = context.store.history.view(run_id), context.account.facts()
    if view.market is None:
        raise Unusable(f"R{run_id} has no market on record, so there is nothing to decide on")
    return Review(
        view=view,
        account=account,
        at=context.clock(),
        proposal=proposal,
        exposure=context.exposure(account, run_id, excluding=_stored_id(proposal)),
        book=context.store.risk.positions(),
        settings=context.settings,
    )


def _stored_id(proposal: ProposalTerms | None) -> int | None:
    return proposal.id if isinstance(proposal, Proposal) else None


# Quotes.


def _fetch_quote(
    context: TradingContext, underlying: str, legs: Sequence[Leg], *, opens: bool
) -> tuple[SpreadQuote | None, str | None]:
    """Return the quote of now, or None with the reason why there is none."""
    if context.market is None:
        return None, "no market at hand"
    try:
        quotes = context.market.quotes(underlying, legs)
    except (Unavailable, Unusable) as error:
        return None, f"{context.market.name} did not answer: {error.message}"
    net_prices = pricing.natural_and_mid(legs, quotes.quotes)
    if net_prices is None:
        return None, f"{context.market.name} has no two-sided quotes of both legs"
    wide_leg = next(pricing.check_leg_widths(legs, quotes, context.settings.choice), None) if opens else None
    if wide_leg is not None:
        # `execute` compares the market with the quotes shown at the approval, so these must be two-sided and tight.
        return None, wide_leg.message
    quote = SpreadQuote(
        natural=net_prices[0], mid=net_prices[1], spot=quotes.spot, as_of=quotes.as_of, source=quotes.source
    )
    return quote, "recorded market: the stored quotes, nothing newer exists" if context.market.is_recorded else None


def candidate_quote(view: RunView, candidate: Candidate | None) -> SpreadQuote | None:
    if candidate is None or view.market is None:
        return None
    market = view.market
    return SpreadQuote(
        natural=candidate.natural, mid=candidate.mid, spot=market.spot, as_of=market.as_of, source=market.source
    )


# Figures.


def expiration_scenarios(proposal: ProposalTerms, spot: float) -> tuple[PriceScenario, ...]:
    """Return profit or loss at expiration, dollars, whole quantity, after costs to open.

    A profit is the one at the limit, as max profit is; a loss the one at the floor, as max loss is.
    """
    from spy32.options.spreads import exact_payoff

    if proposal.kind is not ProposalKind.OPEN:
        return ()
    spot_price, shares = Decimal(str(spot)), MULTIPLIER * proposal.quantity
    spread = Spread(underlying=proposal.underlying, strategy=proposal.strategy, legs=proposal.legs)
    scenarios = []
    for move in MOVES:
        price = (spot_price * (100 + move) / 100).quantize(CENT, ROUND_HALF_UP)
        profit = (proposal.limit_price + exact_payoff(spread, price)) * shares - proposal.opening_costs
        if profit < 0:
            profit -= (proposal.limit_price - proposal.floor_price) * shares
        scenarios.append(PriceScenario(percent=move, price=price, profit=profit))
    return tuple(scenarios)


# Limits.


def check_limits(context: TradingContext, proposal: ProposalTerms, account: Account) -> tuple[Finding, ...]:
    """Check the limits, our clock against the broker's, and whether the choice may become an order in this mode.

    Read the account first: its answer carries the broker's time."""
    exposure = context.exposure(account, proposal.run_id, excluding=_stored_id(proposal))
    findings = (
        *limits.check_proposal(proposal, account, exposure, context.settings, context.clock()),
        *limits.check_held_contracts(proposal, account.positions),
        *limits.check_clock(context.account.clock_ahead(), proposal.mode),
        *limits.check_price_step(proposal),
    )
    objection = limits.ineligible_proposal_reason(
        proposal, context.store.decisions.recommendation(proposal.run_id), context.settings
    )
    return findings if objection is None else (*findings, Finding(rule="prompt", message=objection))


def changes_since_run(
    proposal: ProposalTerms, run_quote: SpreadQuote | None, quote: SpreadQuote | None, drift: Drift
) -> Iterator[Finding]:
    """Yield how far the market has moved from the run's quotes. These are notes: an approval covers what is shown."""
    if quote is None:
        return
    findings: list[Finding] = []
    if run_quote is not None:
        findings += pricing.check_underlying_move(run_quote.spot, quote.spot, drift)
        findings += pricing.check_credit_fall(run_quote.mid, quote.mid, drift)
    findings += pricing.check_price_collar(proposal.limit_price, quote.natural, quote.mid, proposal.plan.tick, drift)
    for finding in findings:
        hint = ": `execute` would refuse it at these quotes" if finding.rule == "limit_price" else ""
        yield replace(finding, message=f"{finding.message}{hint}", blocks=False)


def run_notes(view: RunView) -> tuple[Finding, ...]:
    """Return the notes of the run's risk decision."""
    return tuple(finding for finding in view.ruling.findings if not finding.blocks) if view.ruling is not None else ()
