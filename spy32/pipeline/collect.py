"""What the market shows: one snapshot, judged by the gates before anybody may choose from it."""

import math
from datetime import date, timedelta

from spy32.domain.market import Chain, Datum, MarketSnapshot, QualityReport
from spy32.domain.running import StepState
from spy32.domain.views import MarketLine
from spy32.errors import Unusable
from spy32.options import surface
from spy32.pipeline.kit import Done, Kit, Seen
from spy32.rules import chain_quality
from spy32.sessions import market_date, nearest_expiration, years_to_expiration
from spy32.settings import Settings
from spy32.settings.deciding import deciding

HISTORY = timedelta(days=366)
"""A year of daily bars, as the 32-day row of the old data table asks."""


def collect(kit: Kit) -> Done[Seen]:
    """The snapshot of this run, stored with its quality report; `Unusable` names the gate that stops it."""
    snapshot = gather(kit)
    seen, report = judge(snapshot, kit.settings)
    kit.store.save_snapshot(
        kit.run_id,
        snapshot=snapshot,
        quality=report,
        line=line_of(snapshot, seen),
        deciding=deciding(kit.settings, kit.profile),
        at=kit.clock(),
    )
    if seen is None:
        gate = report.stopped_by
        assert gate is not None
        note = f"; {gate.note}" if gate.note else ""
        raise Unusable(f"gate {gate.name}: {gate.figure}, allowed {gate.limit}{note}", gate=gate.name)
    state = StepState.DEGRADED if report.is_degraded else StepState.OK
    when = f"{snapshot.target} ({snapshot.dte} days)"
    what = f"{snapshot.underlying} {snapshot.spot:.2f}, {when}, {len(seen.chain.quotes)} quotes, from {snapshot.source}"
    return Done(value=seen, detail=what, state=state)


def gather(kit: Kit) -> MarketSnapshot:
    """Everything that the market serves around the expiration nearest the target."""
    now = kit.clock()
    today = market_date(now)
    listed = kit.market.expirations(kit.underlying)
    target = _target(listed, today, kit.settings)
    chain = kit.market.chain(kit.underlying, _neighbours(listed, target))
    if chain.underlying != kit.underlying:
        raise Unusable(f"asked for {kit.underlying}, the source {kit.market.name} answered {chain.underlying}")
    rate = kit.market.rate()
    if rate.value is None:
        rate = Datum(value=kit.settings.market.rate, unit="fraction", source="setting market.rate", as_of=now)
    return MarketSnapshot(
        underlying=kit.underlying,
        as_of=chain.as_of,
        source=kit.market.name,
        is_recorded=kit.market.is_recorded,
        chain=chain,
        target=target,
        dte=(target - today).days,
        history=kit.market.history(kit.underlying, today - HISTORY),
        volatility=kit.market.volatility(),
        volatility_history=kit.market.volatility_history(today - HISTORY),
        rate=rate,
        dividends=kit.market.dividends(kit.underlying),
    )


def judge(snapshot: MarketSnapshot, settings: Settings) -> tuple[Seen | None, QualityReport]:
    """The snapshot as it may be used, or None when a gate stops it; the report says everything either way."""
    chain, report = chain_quality.inspect(snapshot, snapshot.as_of, settings.choice)
    if report.stopped_by is not None:
        return None, report
    smile = valued(chain, snapshot)
    strange, gates = chain_quality.inspect_vols(smile, snapshot)
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


def _target(listed: tuple[date, ...], today: date, settings: Settings) -> date:
    aim, tolerance = settings.dte.default, settings.choice.dte_tolerance
    found = nearest_expiration(listed, today, aim, tolerance)
    if found is not None:
        return found
    ahead = sorted(((day - today).days for day in listed), key=lambda days: abs(days - aim))
    nearest = f"the nearest is {ahead[0]} days away" if ahead else "none is listed"
    raise Unusable(f"no expiration within {tolerance} days of {aim} days: {nearest}", gate="expiration")


def _neighbours(listed: tuple[date, ...], target: date) -> tuple[date, ...]:
    """The target with the expiration before and the one after it."""
    days = sorted(listed)
    place = days.index(target)
    return tuple(days[max(place - 1, 0) : place + 2])
