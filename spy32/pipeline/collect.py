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
    """The first healthy chain is the one of record, the next healthy one checks it.

    A source whose chain a gate stops is passed over like one that failed: the next one is asked.
    """
    gathered = gather(sources, wanted, tell)
    judged: list[tuple[Market, Look]] = []
    fresh = gathered.fresh()
    while fresh:
        for source, listed in fresh:
            snapshot = gathered.snapshot(listed)
            judged.append((source, Look(snapshot, *judge(snapshot, wanted.settings))))
        fresh = gathered.more(_short_of(judged, gathered))
    stopped = [(source, found) for source, found in judged if found.seen is None]
    tried = (*gathered.tried, *(_turned_away(found) for _, found in stopped))
    record = _of_record(judged, gathered)
    if record is None:
        # The first chain that a gate stopped, with all the others' gates on record; else what its sources said.
        first = next((found for source, found in stopped if gathered.may_trade(source)), None)
        if first is None:
            raise gathered.trouble
        return Look(replace(first.snapshot, tried=tried), None, first.report)
    others = [found.snapshot for _, found in judged if found.seen is not None and found is not record]
    tried = (*tried, *(_of_other_target(each, record) for each in others if each.target != record.snapshot.target))
    snapshot = replace(record.snapshot, tried=tried)
    second = next((each for each in others if each.target == snapshot.target), None)
    if second is not None:
        snapshot = with_second(snapshot, second.chain)
    return Look(snapshot, *judge(snapshot, wanted.settings))


def _of_record(judged: list[tuple[Market, Look]], gathered: Gathered) -> Look | None:
    """The first healthy one of a source that may be traded on."""
    return next((found for source, found in judged if found.seen is not None and gathered.may_trade(source)), None)


def _short_of(judged: list[tuple[Market, Look]], gathered: Gathered) -> int:
    """How many healthy chains are still wanted of other sources."""
    record = _of_record(judged, gathered)
    healthy = [found for _, found in judged if found.seen is not None]
    if record is None:
        return max(gathered.enough - len(healthy), 1)
    return gathered.enough - sum(found.snapshot.target == record.snapshot.target for found in healthy)


def _of_other_target(snapshot: MarketSnapshot, record: Look) -> Tried:
    why = f"the nearest expiration there is {snapshot.target}, not {record.snapshot.target}"
    return Tried(datum="chain", source=snapshot.source, ok=False, detail=why)


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
