"""The collect step: one market snapshot, checked by the quality gates, and the briefing that is made of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from spy32.domain.briefing import Briefing, OpenSpread
from spy32.domain.market import Chain, Dividend, Gate, MarketSnapshot, QualityReport, SourceAttempt, Verdict
from spy32.domain.run_view import MarketSummary
from spy32.domain.runs import StepState
from spy32.domain.spreads import Account, Menu
from spy32.domain.value import value
from spy32.errors import Unusable
from spy32.lifecycle import TradeState
from spy32.options import surface
from spy32.options.smile_fit import SmileCurve
from spy32.pipeline.context import CheckedMarket, HistoryLookup, RunContext, StepResult
from spy32.pipeline.gather import RATE_SETTING, CollectRequest, SourceAnswers
from spy32.pipeline.offers import CollectedMarket, SourceOffer, gate_error
from spy32.pipeline.screen import build_menu
from spy32.pipeline.sources import Sources
from spy32.quality import checks, smile_gates
from spy32.rules.daily_bars import finished_sessions
from spy32.rules.market_metrics import compute_metrics
from spy32.sessions import market_date, years_to_expiration
from spy32.settings import Settings
from spy32.settings.profiles import decision_settings
from spy32.store import Store

RECENT_BARS = 32
"""Daily bars in the briefing: the setting `dte.data` asks for 32 recent points at 32 DTE."""


def collect(context: RunContext, account: Account | None) -> StepResult[CheckedMarket]:
    """Return the checked market of this run; snapshot, briefing, quality report and raw documents are stored.

    Raises `Unusable` with the gate that stopped the chain, or the error of the sources when there is no chain.
    """
    request = CollectRequest(
        underlying=context.underlying,
        settings=context.settings,
        now=context.clock(),
        events=context.events,
        monotonic=context.monotonic,
        seconds=min(context.settings.market.deadline_seconds, context.seconds_left),
    )
    try:
        collected = collect_market(context.sources, request, context.report)
    finally:
        # The raw documents are needed most when they could not be used.
        context.store.documents.save(context.run_id, context.documents(), context.clock())
    briefing = build_briefing(
        collected.snapshot, collected.checked, collected.quality, held=open_spreads(context.store), account=account
    )
    context.store.decisions.save_snapshot(
        context.run_id,
        snapshot=collected.snapshot,
        quality=collected.quality,
        line=market_line(collected.snapshot, briefing),
        deciding=decision_settings(context.settings, context.profile),
        briefing=briefing,
        at=context.clock(),
    )
    if collected.checked is None:
        raise gate_error(collected.quality)
    market = replace(collected.checked, briefing=briefing)
    snapshot = collected.snapshot
    state = StepState.DEGRADED if collected.quality.is_degraded else StepState.OK
    summary = (
        f"{snapshot.underlying} {snapshot.spot:.2f}, {_expiration_words(collected)}, {len(market.chain.quotes)} "
        f"quotes, from {snapshot.source}"
    )
    return StepResult(value=market, detail=summary, state=state)


def _expiration_words(collected: CollectedMarket) -> str:
    """The expiration that is taken; where it is not the nearest, why not that one."""
    taken, nearest = collected.snapshot, next(iter(collected.tradabilities), None)
    words = f"{taken.target} ({taken.dte} days)"
    if nearest is None or nearest.day == taken.target:
        return words
    return f"{words} and not {nearest.day} ({nearest.dte} days; {nearest.words})"


def collect_market(sources: Sources, request: CollectRequest, report: Callable[[str], None]) -> CollectedMarket:
    """Return the market of record, cross-checked by the next source that has a usable chain of its expiration.

    It is of the first source with a usable chain, and of the expiration that can be traded best there. A source whose
    chains gates stop counts as failed, and the next source is asked. Raises the sources' error when none has a chain.
    """
    gathered, settings = SourceAnswers(sources, request, report), request.settings
    offers: list[SourceOffer] = []
    new_chains = gathered.new_chains()
    while new_chains:
        offers += [
            SourceOffer(source, chain, gathered, lambda snapshot: _inspect_chain(snapshot, settings), settings)
            for source, chain in new_chains
        ]
        new_chains = gathered.request_chains(_missing_chain_count(offers, gathered))
    offer = _offer_of_record(offers, gathered)
    record = offer.best if offer is not None else None
    if offer is None or record is None or record.checked is None:
        # Return the first chain that a gate stopped, with the other sources' errors as attempts.
        first = next((each for each in offers if gathered.may_trade(each.source)), None)
        if first is None:
            raise gathered.error
        rejections = [_rejection(each) for each in offers if each.nearest.checked is None]
        tried = (*gathered.attempts, *first.choice_attempts, *rejections)
        nearest = replace(first.nearest, tradabilities=first.tradabilities)
        return replace(nearest, snapshot=replace(nearest.snapshot, tried=tried), checked=None)
    target = record.snapshot.target
    others = {each: each.find_usable(target) for each in offers if each is not offer}
    rejections = [_rejection(each, target) for each, market in others.items() if market is None]
    snapshot = replace(record.snapshot, tried=(*gathered.attempts, *offer.choice_attempts, *rejections))
    second = next((market for market in others.values() if market is not None), None)
    if second is not None:
        snapshot = replace(snapshot, second=second.snapshot.chain.select_expirations(target))
    market, quality = _compare_sources(replace(record.checked, snapshot=snapshot), settings)
    return CollectedMarket(snapshot=snapshot, checked=market, quality=quality, tradabilities=offer.tradabilities)


def _offer_of_record(offers: list[SourceOffer], gathered: SourceAnswers) -> SourceOffer | None:
    """Return the first offer with a usable chain, from a source that may be traded on."""
    return next((each for each in offers if gathered.may_trade(each.source) and each.best is not None), None)


def _missing_chain_count(offers: list[SourceOffer], gathered: SourceAnswers) -> int:
    """Return how many more chains to request from other sources."""
    record = _offer_of_record(offers, gathered)
    if record is None or record.best is None:
        # Then only sources that check others can have a usable chain.
        return max(gathered.chains_needed - sum(each.nearest.checked is not None for each in offers), 1)
    target = record.best.snapshot.target
    return gathered.chains_needed - sum(each.find_usable(target) is not None for each in offers)


def _rejection(offer: SourceOffer, target: date | None = None) -> SourceAttempt:
    """Return why a source's chain is not used: the gate that stopped it, or that it has none of the `target`."""
    nearest = offer.nearest
    detail = f"it has no usable chain of {target}, which is taken"
    if nearest.checked is None:
        detail = gate_error(nearest.quality).message
    return SourceAttempt(datum="chain", source=nearest.snapshot.source, ok=False, detail=detail)


def inspect_snapshot(snapshot: MarketSnapshot, settings: Settings) -> tuple[CheckedMarket | None, QualityReport]:
    """Return the usable market, None when a gate stops it, and the report of all gates."""
    market, report = _inspect_chain(snapshot, settings)
    return (None, report) if market is None else _compare_sources(market, settings)


def _compare_sources(market: CheckedMarket, settings: Settings) -> tuple[CheckedMarket | None, QualityReport]:
    """Return the market with the gates added that compare its chain with the second source's."""
    snapshot = market.snapshot
    second = None
    if snapshot.second is not None:
        second_snapshot = replace(snapshot, chain=snapshot.second, as_of=snapshot.second.as_of, second=None)
        second, _ = _inspect_chain(second_snapshot, settings)
    gates = smile_gates.check_sources(
        snapshot, market.smile, second.smile if second is not None else None, settings.market
    )
    report = replace(market.quality, gates=(*market.quality.gates, *gates))
    return (None if report.stopped_by is not None else replace(market, quality=report)), report


def _inspect_chain(snapshot: MarketSnapshot, settings: Settings) -> tuple[CheckedMarket | None, QualityReport]:
    chain, report = checks.check_chain(snapshot, snapshot.evaluated_at, settings.choice)
    if report.stopped_by is not None:
        return None, report
    smile = implied_smile(chain, snapshot)
    odd_vols, gates = smile_gates.check_vols(smile, snapshot, settings.choice)
    counts = {name: len(symbols) for name, symbols in odd_vols.items()}
    report = QualityReport(gates=(*report.gates, *gates), dropped={**report.dropped, **counts})
    if report.stopped_by is not None:
        return None, report
    if odd_vols:
        # A contract with an unusable vol must not influence the smile either.
        excluded = frozenset().union(*odd_vols.values())
        chain = replace(chain, quotes=tuple(quote for quote in chain.quotes if quote.symbol not in excluded))
        smile = implied_smile(chain, snapshot)
    return CheckedMarket(snapshot=snapshot, chain=chain, smile=smile, quality=report), report


def implied_smile(chain: Chain, snapshot: MarketSnapshot) -> surface.Smile:
    """Return the smile of the target expiration of `chain`, without calendar arbitrage to the earlier ones there."""
    assert snapshot.rate.value is not None
    rate, earlier = snapshot.rate.value, None
    for day in sorted({quote.expiration for quote in chain.quotes if quote.expiration < snapshot.target}):
        # An earlier expiration that has no smile, such as one of today or with few quotes, sets no floor.
        with suppress(Unusable):
            earlier = _expiration_smile(chain, snapshot, day, rate, earlier).curve or earlier
    return _expiration_smile(chain, snapshot, snapshot.target, rate, earlier)


def _expiration_smile(
    chain: Chain, snapshot: MarketSnapshot, day: date, rate: float, earlier: SmileCurve | None
) -> surface.Smile:
    years = years_to_expiration(snapshot.as_of, day)
    return surface.build_smile(
        chain.quotes, spot=snapshot.spot, years=years, rate=rate, expiration=day, earlier=earlier
    )


def build_briefing(
    snapshot: MarketSnapshot,
    market: CheckedMarket | None,
    report: QualityReport,
    *,
    held: tuple[OpenSpread, ...] = (),
    account: Account | None = None,
) -> Briefing:
    """Return figures, events, open positions and data warnings. Prompt, screen and record use the same briefing.

    `market` is None when a gate stopped the chain; the figures from vols are then missing.
    """
    now = snapshot.evaluated_at
    today = market_date(now)
    return Briefing(
        underlying=snapshot.underlying,
        as_of=now,
        target=snapshot.target,
        dte=snapshot.dte,
        figures=compute_metrics(snapshot, market.smile if market is not None else None),
        bars=finished_sessions(snapshot).bars[-RECENT_BARS:],
        events=snapshot.events.events_between(today, snapshot.target),
        unknown_events=snapshot.events.unknown_kinds(snapshot.target),
        dividends=_upcoming_dividends(snapshot),
        held=held,
        open_risk=sum((position.max_loss for position in held), Decimal(0)),
        net_liquidation=account.net_liquidation if account is not None else None,
        flags=_data_flags(snapshot, report),
    )


def _upcoming_dividends(snapshot: MarketSnapshot) -> tuple[Dividend, ...] | None:
    if snapshot.dividends is None:
        return None
    first = market_date(snapshot.evaluated_at) + timedelta(days=1)
    return tuple(dividend for dividend in snapshot.dividends if first <= dividend.ex_date <= snapshot.target)


def _data_flags(snapshot: MarketSnapshot, report: QualityReport) -> tuple[str, ...]:
    """Return warnings for the reader: a recorded or delayed market, and every gate that stops or warns."""
    flags = [] if not snapshot.is_recorded else ["recorded market: quotes of the past, not of now"]
    if snapshot.chain.delay_seconds:
        flags.append(f"quotes are delayed by {snapshot.chain.delay_seconds // 60} minutes")
    if snapshot.rate.source == RATE_SETTING:
        flags.append("no source has an interest rate: the one of the settings was used")
    flags += [f"a run would end here: {_gate_message(gate)}" for gate in report.gates if gate.verdict is Verdict.STOP]
    return (*flags, *(_gate_message(gate) for gate in report.gates if gate.verdict is Verdict.WARN))


def _gate_message(gate: Gate) -> str:
    return f"gate {gate.name}: {gate.figure}" + (f" ({gate.note})" if gate.note else "")


def market_line(snapshot: MarketSnapshot, briefing: Briefing) -> MarketSummary:
    """Return the market of the run in one line. Figures from vols are None when a gate stopped the chain."""
    figures, vix = briefing.figures, snapshot.volatility.get("vix")
    return MarketSummary(
        underlying=snapshot.underlying,
        spot=snapshot.spot,
        as_of=snapshot.as_of,
        source=snapshot.source,
        is_recorded=snapshot.is_recorded,
        expiration=snapshot.target,
        dte=snapshot.dte,
        atm_iv=figures["market.atm_iv"].value,
        expected_move=figures["market.expected_move"].value,
        vix=vix.value if vix is not None else None,
    )


def open_spreads(store: Store) -> tuple[OpenSpread, ...]:
    """Return the open spreads of our own book."""
    spreads = []
    for trade in store.trades.select(TradeState.OPEN, TradeState.CLOSING):
        proposal = store.proposals.get(trade.proposal_id)
        shorts = [leg for leg in proposal.legs if leg.action.sign > 0]
        longs = [leg for leg in proposal.legs if leg.action.sign < 0]
        spreads.append(
            OpenSpread(
                underlying=proposal.underlying,
                strategy=proposal.strategy.value,
                short_strike=shorts[0].strike,
                long_strike=longs[0].strike,
                expiration=proposal.expiration,
                quantity=trade.quantity,
                credit=trade.credit,
                max_loss=trade.max_loss,
            )
        )
    return tuple(spreads)


# The market without a run: nothing is stored, and no model is asked.


@value
class MarketPreview:
    """What a run would see now."""

    snapshot: MarketSnapshot
    checked: CheckedMarket | None
    """None when a quality gate would stop the run."""
    quality: QualityReport
    """What the quality gates say; stopped_by is None while a run could go on."""
    briefing: Briefing


def preview_market(
    sources: Sources,
    request: CollectRequest,
    report: Callable[[str], None],
    held: tuple[OpenSpread, ...] = (),
    account: Account | None = None,
) -> MarketPreview:
    """Collect the market and return it with its briefing. Raises the sources' error when none has a chain."""
    collected = collect_market(sources, request, report)
    briefing = build_briefing(collected.snapshot, collected.checked, collected.quality, held=held, account=account)
    return MarketPreview(
        snapshot=collected.snapshot, checked=collected.checked, quality=collected.quality, briefing=briefing
    )


def preview_menu(preview: MarketPreview, request: CollectRequest, seed: int, find_history: HistoryLookup) -> Menu:
    """Return the menu that a run with this seed would make. Raises `Unusable` when it would be empty."""
    if preview.checked is None:
        raise gate_error(preview.quality)
    menu = build_menu(preview.checked, request.settings, seed=seed, find_history=find_history)
    if not menu.candidates:
        counts = ", ".join(f"{rule} {count}" for rule, count in menu.counts.items())
        raise Unusable(f"the menu is empty, so there is nothing to ask; dropped: {counts}")
    return menu
