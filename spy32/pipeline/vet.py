"""May it be traded: fresh quotes, market conditions, limits and size, without the analyst."""

from collections.abc import Sequence
from dataclasses import replace as changed

from spy32.domain.deciding import Finding, Recommendation, Ruling
from spy32.domain.market import LegQuotes, MarketSnapshot
from spy32.domain.running import Outcome
from spy32.domain.trading import Candidate, Leg, Menu
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.pipeline.authenticate import Trader
from spy32.pipeline.kit import Done, Ended, Kit, Seen
from spy32.ports import Market
from spy32.rules import conditions, pricing
from spy32.rules.eligible import live_words
from spy32.rules.ruling import rule_on
from spy32.sessions import market_date, week_start


def vet(kit: Kit, seen: Seen, menu: Menu, chosen: Recommendation, trader: Trader) -> Done[Ruling] | Ended:
    """The ruling on the chosen candidate, stored; a refusal ends the run with every reason."""
    candidate = menu.find(chosen.candidate_id)
    if candidate is None:
        return Ended(
            outcome=Outcome.NO_TRADE, cause="vetoed", reasons=(f"{chosen.candidate_id!r} is not on this menu",)
        )
    if chosen.vetoes:
        return Ended(outcome=Outcome.NO_TRADE, cause="vetoed", reasons=chosen.vetoes)
    unfit = live_words(chosen.prompt, kit.settings)
    if unfit is not None:
        return Ended(outcome=Outcome.NO_TRADE, cause="vetoed", reasons=(unfit,))
    if trader.account is None or trader.troubles:
        return Ended(outcome=Outcome.NO_TRADE, cause="account", reasons=trader.troubles)
    now = kit.clock()
    moved = requoted(kit, candidate, seen.snapshot)
    today = market_date(now)
    exposure = kit.store.exposure(run_id=kit.run_id, today=today, week_start=week_start(today))
    ruling = rule_on(candidate, seen.snapshot, trader.account, exposure, settings=kit.settings, now=now)
    ruling = changed(ruling, findings=(*moved, *ruling.findings))
    kit.store.save_ruling(kit.run_id, ruling, now)
    if ruling.accepted:
        notes = [finding.message for finding in ruling.findings]
        return Done(value=ruling, detail="; ".join((f"{ruling.quantity} contracts", *notes)))
    return Ended(outcome=Outcome.NO_TRADE, cause=cause_of(ruling), reasons=ruling.reasons)


def requoted(kit: Kit, candidate: Candidate, snapshot: MarketSnapshot) -> tuple[Finding, ...]:
    """Quotes of the chosen legs fetched again: has the market left the price that the menu showed?"""
    first = kit.source(snapshot.source)
    others = (each for each in (*kit.sources.chain, *kit.sources.checks) if each.name != first.name)
    quotes = _quoted((first, *others), kit.underlying, candidate.spread.legs)
    return pricing.moved(candidate, snapshot.spot, quotes, kit.settings)


def _quoted(sources: Sequence[Market], underlying: str, legs: Sequence[Leg]) -> LegQuotes:
    """Of the first source that answers; the answer of a model is not thrown away for one source's bad minute."""
    errors: list[Spy32Error] = []
    for source in sources:
        try:
            return source.quotes(underlying, legs)
        except (Unavailable, Unusable) as error:
            errors.append(error)
    raise errors[0]


def cause_of(ruling: Ruling) -> str:
    """The cause of a refusal: the market's conditions before our limits, a moved quote before both."""
    rules = [finding.rule for finding in ruling.findings if finding.blocks]
    if any(rule in pricing.RULES for rule in rules):
        return "vetoed"
    return "condition" if any(rule in conditions.RULES for rule in rules) else "limits"
