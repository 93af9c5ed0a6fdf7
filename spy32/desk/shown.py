"""Everything that a person sees before deciding: the proposal, what it may earn and lose, and what changed since."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from math import sqrt

from spy32.desk.bench import Bench
from spy32.domain.acting import Trade
from spy32.domain.deciding import Approval, Draft, Finding, Proposal, Recommendation, Sizing
from spy32.domain.market import Right
from spy32.domain.running import Run
from spy32.domain.trading import CENT, MULTIPLIER, Account, Candidate, Exposure, Leg, Menu, Spread
from spy32.domain.views import MarketLine, RunView
from spy32.errors import Unavailable, Unusable, Usage
from spy32.sessions import market_date, week_start, years_to_expiration
from spy32.settings.model import Drift

MOVES = (-10, -5, -3, 0, 3, 5, 10)
"""Per cent that the underlying may have moved by expiration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The legs of a spread at one moment, net per share from our side: a credit is positive."""

    natural: Decimal
    mid: Decimal
    spot: float
    as_of: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMove:
    """What the whole quantity earns when the underlying expires `percent` away from where it is now."""

    percent: int
    price: Decimal
    profit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A path that the analyst cited, and the value found there; None where the value is not on this screen."""

    path: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One screen of the approval. Without a proposal it is an abstained run, whose menu may still be chosen from."""

    run: Run
    market: MarketLine
    menu: Menu
    recommendation: Recommendation | None
    shadows: tuple[Recommendation, ...]
    cited: tuple[Cited, ...]
    account: Account
    at: datetime
    """The moment of the review; ages are counted to it."""
    proposal: Proposal | None = None
    """What a yes would approve: the draft where there is one."""
    draft: Draft | None = None
    """What the person has changed on this screen, kept nowhere else."""
    candidate: Candidate | None = None
    then: Prices | None = None
    """At the run."""
    now: Prices | None = None
    """As shown: fresh, or the stored ones again when `stale` says why."""
    stale: str | None = None
    outcomes: tuple[AtMove, ...] = ()
    in_the_money: float | None = None
    """Probability that the short leg ends in the money, under its own implied vol at the run."""
    findings: tuple[Finding, ...] = ()
    """Today's limits on the proposal, and the notes of the run."""
    sizing: Sizing | None = None
    """The bounds of the quantity, when this candidate has been sized."""
    approval: Approval | None = None
    trade: Trade | None = None
    """What a closing closes."""

    @property
    def name(self) -> str:
        """`P31`, or `R31` where nothing is on record yet."""
        number = self.proposal.id if self.proposal is not None else None
        return f"R{self.run.id}" if number is None else f"P{number}"

    @property
    def loss_percent(self) -> Decimal:
        """Maximum loss in per cent of net liquidation."""
        assert self.proposal is not None
        if self.account.net_liquidation <= 0:
            return Decimal(100)
        return self.proposal.max_loss / self.account.net_liquidation * 100

    @property
    def rule_pick(self) -> Recommendation | None:
        """What the fixed rule takes of the same menu."""
        answers = (*self.shadows, *([self.recommendation] if self.recommendation is not None else []))
        return next((answer for answer in answers if answer.analyst == "rules"), None)

    @property
    def short_delta(self) -> float:
        """Absolute delta of the short leg at the run; 0 where the legs are not on the run's menu."""
        return self.candidate.short_delta if self.candidate is not None else 0.0

    @property
    def allowed(self) -> int | None:
        """Most contracts that the bounds leave."""
        return min(self.sizing.bounds.values()) if self.sizing is not None and self.sizing.bounds else None

    @property
    def floors(self) -> tuple[Decimal, Decimal]:
        """Lowest and highest price that may be set as the floor: never below the natural, never above the start."""
        assert self.proposal is not None
        seen = self.now or self.then
        highest, tick = self.proposal.limit_price, self.proposal.plan.tick
        lowest = (seen.natural / tick).to_integral_value(ROUND_CEILING) * tick if seen is not None else highest
        return min(lowest, highest), highest


def review(bench: Bench, proposal_id: int) -> Review:
    """The screen of a proposal as things are now; a market that does not answer leaves the stored quotes, and says so.

    The bounds of its size are the run's own where they are of this candidate.
    """
    return _review(bench, bench.store.proposal(proposal_id))


def review_draft(bench: Bench, draft: Draft, sizing: Sizing | None) -> Review:
    """The same screen of a proposal as a person has changed it; `sizing` is what the change was judged by."""
    return replace(_review(bench, draft.proposal, sizing), draft=draft)


def _review(bench: Bench, proposal: Proposal, sizing: Sizing | None = None) -> Review:
    view = bench.store.view(proposal.run_id)
    candidate = view.menu.find(proposal.candidate_id) if view.menu is not None else None
    if candidate is not None and candidate.spread.legs != proposal.legs:
        candidate = None
    now = bench.clock()
    then = _at_the_run(view, candidate)
    fresh, stale = _quoted(bench, proposal.underlying, proposal.legs, opens=proposal.kind == "open")
    seen = fresh or then
    account = bench.account.facts()
    return _on(
        view,
        account,
        now,
        proposal=proposal,
        candidate=candidate,
        then=then,
        now=seen,
        stale=stale,
        outcomes=outcomes(proposal, seen.spot) if seen is not None else (),
        in_the_money=in_the_money(candidate, view) if candidate is not None else None,
        findings=(
            *limits_now(bench, proposal, account, now),
            *since_the_run(proposal, then, seen, bench.settings.drift),
            *_notes(view, candidate),
        ),
        sizing=sizing or _run_sizing(view, candidate),
        approval=bench.store.approval_of(proposal.id) if proposal.id is not None else None,
        trade=bench.store.trade(proposal.trade_id) if proposal.trade_id is not None else None,
    )


def review_run(bench: Bench, run_id: int) -> Review:
    """The screen of a run without a proposal: its menu, and why nothing was chosen."""
    view = bench.store.view(run_id)
    if view.menu is None or not view.menu.candidates:
        raise Usage(f"R{run_id} has no menu to choose from; `spy32 show R{run_id}` says why")
    return _on(view, bench.account.facts(), bench.clock())


def _on(view: RunView, account: Account, at: datetime, **more: object) -> Review:
    if view.market is None:
        raise Unusable(f"R{view.run.id} has no market on record, so there is nothing to decide on")
    base: dict[str, object] = {
        "run": view.run,
        "market": view.market,
        "menu": view.menu if view.menu is not None else Menu(candidates=()),
        "recommendation": view.recommendation,
        "shadows": view.shadows,
        "cited": tuple(cited(view)),
        "account": account,
        "at": at,
    }
    return Review(**{**base, **more})  # type: ignore[arg-type]


# Quotes.


def _quoted(bench: Bench, underlying: str, legs: Sequence[Leg], *, opens: bool) -> tuple[Prices | None, str | None]:
    """Prices as the market has them now, and why they are not fresh."""
    if bench.market is None:
        return None, "no market at hand"
    from spy32.rules import pricing

    try:
        quotes = bench.market.quotes(underlying, legs)
    except (Unavailable, Unusable) as trouble:
        return None, f"{bench.market.name} did not answer: {trouble.message}"
    net = pricing.natural_and_mid(legs, quotes.quotes)
    if net is None:
        return None, f"{bench.market.name} has no two-sided quotes of both legs"
    wide = next(pricing.wide_legs(legs, quotes, bench.settings.choice), None) if opens else None
    if wide is not None:
        # What was shown at the approval is what `execute` holds the market against.
        return None, wide.message
    prices = Prices(natural=net[0], mid=net[1], spot=quotes.spot, as_of=quotes.as_of, source=quotes.source)
    return prices, "recorded market: the stored quotes, nothing newer exists" if bench.market.is_recorded else None


def _at_the_run(view: RunView, candidate: Candidate | None) -> Prices | None:
    if candidate is None or view.market is None:
        return None
    line = view.market
    return Prices(natural=candidate.natural, mid=candidate.mid, spot=line.spot, as_of=line.as_of, source=line.source)


# Figures.


def outcomes(proposal: Proposal, spot: float) -> tuple[AtMove, ...]:
    """Profit or loss at expiration of the whole quantity, opened at the limit, less the costs to open. Dollars."""
    from spy32.options.spreads import exact_payoff

    if proposal.kind != "open":
        return ()
    here, size = Decimal(str(spot)), MULTIPLIER * proposal.quantity
    spread = Spread(underlying=proposal.underlying, strategy=proposal.strategy, legs=proposal.legs)
    found = []
    for move in MOVES:
        price = (here * (100 + move) / 100).quantize(CENT, ROUND_HALF_UP)
        # The most that can be earned is the credit less the costs, so what the legs are worth then comes on top.
        profit = proposal.max_profit + exact_payoff(spread, price) * size
        found.append(AtMove(percent=move, price=price, profit=profit))
    return tuple(found)


def in_the_money(candidate: Candidate, view: RunView) -> float | None:
    """Probability that the short leg ends in the money under its own implied vol.

    N(d2) of a call, N(-d2) of a put (Hull, Options, Futures, and Other Derivatives, section 15.8), with d1 taken from
    the delta that the candidate carries; the discounting inside that delta moves the figure by less than half a point
    at these terms.
    """
    from statistics import NormalDist

    delta, iv = candidate.short_delta, candidate.short.iv
    if view.market is None or not (0 < delta < 1 and iv > 0):
        return None
    spread = iv * sqrt(years_to_expiration(view.market.as_of, candidate.spread.expiration))
    shift = spread if candidate.spread.right is Right.PUT else -spread
    return NormalDist().cdf(NormalDist().inv_cdf(delta) + shift)


def cited(view: RunView) -> Iterator[Cited]:
    """The analyst's evidence with what each path holds, as far as the menu and the market line have it."""
    for path in view.recommendation.evidence if view.recommendation is not None else ():
        yield Cited(path=path, value=_found(view, path))


def _found(view: RunView, path: str) -> str | None:
    first, *rest = path.split(".")
    if path == "volatility.vix" and view.market is not None and view.market.vix is not None:
        return f"{view.market.vix:.2f}"
    if first == "menu" and view.menu is not None and len(rest) > 1:
        return _figure(_walk(view.menu.find(rest[0]), rest[1:]))
    return _figure(_walk(view.market, rest)) if first == "market" and rest else None


def _walk(place: object, names: Sequence[str]) -> object:
    """What stands at the end of a path of plain field names; the path is a model's word."""
    for name in names:
        place = None if name.startswith("_") else getattr(place, name, None)
    return place


def _figure(value: object) -> str | None:
    if isinstance(value, float):
        return f"{value:.4g}"
    return format(value, "f") if isinstance(value, Decimal) else str(value) if isinstance(value, int | str) else None


# Limits.


def exposure_of(bench: Bench, run_id: int, now: datetime, *, but: int | None = None) -> Exposure:
    """What our book risks beside the proposal `but`."""
    today = market_date(now)
    return bench.store.exposure(run_id=run_id, today=today, week_start=week_start(today), but=but)


def limits_now(bench: Bench, proposal: Proposal, account: Account, now: datetime) -> tuple[Finding, ...]:
    """The limits judged again on the proposal as it stands, our clock against the broker's, and whether its choice may
    be an order in this mode. The account must have been asked before: its answer tells the broker's time."""
    from spy32.rules import eligible, limits

    exposure = exposure_of(bench, proposal.run_id, now, but=proposal.id)
    found = (
        *limits.check_proposal(proposal, account, exposure, bench.settings, now),
        *limits.clocks(bench.account.clock_ahead(), proposal.mode),
        *limits.on_root(proposal, blocks=False),
    )
    why = eligible.unfit(proposal, bench.store.view(proposal.run_id).recommendation, bench.settings)
    return found if why is None else (*found, Finding(rule="prompt", message=why))


def since_the_run(proposal: Proposal, then: Prices | None, seen: Prices | None, drift: Drift) -> Iterator[Finding]:
    """By how much the market has left the run's quotes: notes only, since an approval counts from what is shown."""
    from spy32.rules import pricing

    if seen is None:
        return
    found: list[Finding] = []
    if then is not None:
        found += pricing.underlying_moved(then.spot, seen.spot, drift)
        found += pricing.credit_fell(then.mid, seen.mid, drift)
    found += pricing.outside_collar(proposal.limit_price, seen.natural, seen.mid, drift)
    for finding in found:
        told = finding.message
        if finding.rule == "limit_price":
            told = f"{told}: `execute` would refuse it at these quotes"
        yield replace(finding, message=told, blocks=False)


def _notes(view: RunView, candidate: Candidate | None) -> tuple[Finding, ...]:
    """What the run's ruling had to note, where it is about this candidate or about the market at large."""
    if view.ruling is None or candidate is None:
        return ()
    return tuple(finding for finding in view.ruling.findings if not finding.blocks)


def _run_sizing(view: RunView, candidate: Candidate | None) -> Sizing | None:
    chosen = view.recommendation.candidate_id if view.recommendation is not None else None
    same = candidate is not None and candidate.id == chosen
    return view.ruling.sizing if same and view.ruling is not None else None
