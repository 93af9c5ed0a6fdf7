"""What the market shows: one snapshot, judged by the gates before anybody may choose from it."""

import math
from collections.abc import Callable
from dataclasses import replace

from spy32.domain.briefing import Held
from spy32.domain.market import Chain, MarketSnapshot, QualityReport, Tried
from spy32.domain.running import StepState
from spy32.domain.trading import Account
from spy32.domain.views import MarketLine
from spy32.errors import Spy32Error, Unusable
from spy32.lifecycle import TradeState
from spy32.options import surface
from spy32.pipeline.brief import briefing_of
from spy32.pipeline.gather import Gathered, Wanted, gather, with_second
from spy32.pipeline.kit import Done, Kit, Seen
from spy32.pipeline.sources import Sources
from spy32.ports import Market
from spy32.rules import chain_quality
from spy32.sessions import years_to_expiration
from spy32.settings import Settings
from spy32.settings.deciding import deciding
from spy32.store import Store


def collect(kit: Kit, account: Account | None) -> Done[Seen]:
    """The snapshot of this run, stored with its quality report; `Unusable` names the gate that stops it."""
    wanted = Wanted(underlying=kit.underlying, settings=kit.settings, now=kit.clock(), events=kit.events)
    try:
        found = look(kit.sources, wanted, kit.tell)
    except Spy32Error:
        # What came is worth most when it could not be used.
        kit.store.save_documents(kit.run_id, kit.documents(), kit.clock())
        raise
    briefing = briefing_of(found.snapshot, found.seen, found.report, held=held(kit.store), account=account)
    kit.store.save_snapshot(
        kit.run_id,
        snapshot=found.snapshot,
        quality=found.report,
        line=line_of(found.snapshot, found.seen),
        deciding=deciding(kit.settings, kit.profile),
        briefing=briefing,
        at=kit.clock(),
    )
    kit.store.save_documents(kit.run_id, kit.documents(), kit.clock())
    if found.seen is None:
        raise stopped_by(found.report)
    seen = replace(found.seen, briefing=briefing)
    snapshot = found.snapshot
    state = StepState.DEGRADED if found.report.is_degraded else StepState.OK
    when = f"{snapshot.target} ({snapshot.dte} days)"
    what = f"{snapshot.underlying} {snapshot.spot:.2f}, {when}, {len(seen.chain.quotes)} quotes, from {snapshot.source}"
    return Done(value=seen, detail=what, state=state)


class Look:
    """What a look at the market came to: the snapshot, its report, and what may be used of it, if anything may."""

    def __init__(self, snapshot: MarketSnapshot, seen: Seen | None, report: QualityReport) -> None:
        self.snapshot = snapshot
        self.seen = seen
        self.report = report


def look(sources: Sources, wanted: Wanted, tell: Callable[[str], None]) -> Look:
    """The first healthy chain is the one of record, the next healthy one checks it."""
    gathered = gather(sources, wanted, tell)
    stopped: list[Look] = []
    healthy: list[tuple[Market, Look]] = []
    for source, listed in gathered.chains:
        snapshot = gathered.base(listed)
        found = Look(snapshot, *judge(snapshot, wanted.settings))
        if found.seen is not None:
            healthy.append((source, found))
        else:
            stopped.append(found)
    record = next((found for source, found in healthy if source.name not in gathered.checks), None)
    if record is None:
        return _none_healthy(stopped, gathered)
    tried = (*record.snapshot.tried, *(_turned_away(each) for each in stopped))
    snapshot = replace(record.snapshot, tried=tried)
    second = next((found.snapshot for _, found in healthy if found is not record), None)
    if second is not None and second.target != snapshot.target:
        why = f"the nearest expiration there is {second.target}, not {snapshot.target}"
        tried = (*tried, Tried(datum="chain", source=second.source, ok=False, detail=why))
        snapshot = replace(snapshot, tried=tried)
    elif second is not None:
        snapshot = with_second(snapshot, second.chain)
    return Look(snapshot, *judge(snapshot, wanted.settings))


def _none_healthy(stopped: list[Look], gathered: Gathered) -> Look:
    """The first chain that a gate stopped, with all the others' gates on record; else what its sources said."""
    ours = [found for found in stopped if found.snapshot.source not in gathered.checks]
    if not ours:
        raise gathered.trouble
    first = ours[0]
    tried = (*first.snapshot.tried, *(_turned_away(each) for each in stopped))
    return Look(replace(first.snapshot, tried=tried), None, first.report)


def _turned_away(found: Look) -> Tried:
    return Tried(datum="chain", source=found.snapshot.source, ok=False, detail=stopped_by(found.report).message)


def stopped_by(report: QualityReport) -> Spy32Error:
    """The error of the gate that stopped a chain."""
    gate = report.stopped_by
    assert gate is not None
    note = f"; {gate.note}" if gate.note else ""
    return Unusable(f"gate {gate.name}: {gate.figure}, allowed {gate.limit}{note}", gate=gate.name)


def judge(snapshot: MarketSnapshot, settings: Settings) -> tuple[Seen | None, QualityReport]:
    """The snapshot as it may be used, or None when a gate stops it; the report says everything either way."""
    seen, report = _judge_alone(snapshot, settings)
    if seen is None:
        return None, report
    checking = None
    if snapshot.second is not None:
        other = replace(snapshot, chain=snapshot.second, as_of=snapshot.second.as_of, second=None)
        checking, _ = _judge_alone(other, settings)
    gates = chain_quality.inspect_second(
        snapshot, seen.smile, checking.smile if checking is not None else None, settings.market
    )
    report = replace(report, gates=(*report.gates, *gates))
    return (None if report.stopped_by is not None else replace(seen, quality=report)), report


def _judge_alone(snapshot: MarketSnapshot, settings: Settings) -> tuple[Seen | None, QualityReport]:
    chain, report = chain_quality.inspect(snapshot, snapshot.judged_at, settings.choice)
    if report.stopped_by is not None:
        return None, report
    smile = valued(chain, snapshot)
    strange, gates = chain_quality.inspect_vols(smile, snapshot, settings.choice)
    report = QualityReport(gates=(*report.gates, *gates), dropped={**report.dropped, **strange.counts})
    if report.stopped_by is not None:
        return None, report
    if strange.symbols:
        # What may not be a leg may not shape the smile either.
        chain = chain_quality.without(chain, strange.symbols)
        smile = valued(chain, snapshot)
    return Seen(snapshot=snapshot, chain=chain, smile=smile, quality=report), report


def valued(chain: Chain, snapshot: MarketSnapshot) -> surface.Smile:
    """The target expiration of `chain` with its own volatilities and greeks."""
    assert snapshot.rate.value is not None
    return surface.smile(
        chain.quotes,
        spot=snapshot.spot,
        years=years_to_expiration(snapshot.as_of, snapshot.target),
        rate=snapshot.rate.value,
        expiration=snapshot.target,
    )


def line_of(snapshot: MarketSnapshot, seen: Seen | None) -> MarketLine:
    """The market of the run in one line; the figures from vols are there only when the chain could be used."""
    atm = seen.smile.atm_iv() if seen is not None else math.nan
    vix = snapshot.volatility.get("vix")
    return MarketLine(
        underlying=snapshot.underlying,
        spot=snapshot.spot,
        as_of=snapshot.as_of,
        source=snapshot.source,
        is_recorded=snapshot.is_recorded,
        expiration=snapshot.target,
        dte=snapshot.dte,
        atm_iv=atm if math.isfinite(atm) else None,
        expected_move=snapshot.spot * atm * math.sqrt(seen.smile.years) if seen and math.isfinite(atm) else None,
        vix=vix.value if vix is not None else None,
    )


def held(store: Store) -> tuple[Held, ...]:
    """The open spreads of our own book."""
    found = []
    for trade in store.trades(TradeState.OPEN, TradeState.CLOSING):
        made = store.proposal(trade.proposal_id)
        shorts = [leg for leg in made.legs if leg.action.sign > 0]
        longs = [leg for leg in made.legs if leg.action.sign < 0]
        found.append(
            Held(
                underlying=made.underlying,
                strategy=made.strategy.value,
                short_strike=shorts[0].strike,
                long_strike=longs[0].strike,
                expiration=made.expiration,
                quantity=trade.quantity,
                credit=trade.credit,
                max_loss=trade.max_loss,
            )
        )
    return tuple(found)
