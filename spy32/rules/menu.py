"""The menu: the spreads that an analyst may choose from, and why each other spread is not on it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import replace
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol

from spy32.domain.findings import Finding
from spy32.domain.market import Chain, Right
from spy32.domain.spreads import Candidate, LegView, Menu, RejectedSpread, Strategy
from spy32.domain.value import value
from spy32.rules.candidates import MenuTerms, PricedSpread, TradableLeg, build_candidate, first_violation
from spy32.rules.pricing import bid_and_ask
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.options.surface import Smile

GRID_DELTAS = (0.05, 0.45)
"""Absolute short deltas of the spreads that are also judged, so that a reader sees what the menu left out and why."""
MAX_GRID_VERTICALS = 180
"""Most spreads of a side that are judged beside the targeted ones, nearest the rule's delta first. Chosen to bound the
record of a chain with many strikes."""
SIDES: Mapping[Strategy, tuple[Strategy, ...]] = {
    **{strategy: (strategy,) for strategy in Strategy},
    Strategy.IRON_CONDOR: (Strategy.PUT_CREDIT, Strategy.CALL_CREDIT),
}
"""The verticals that a strategy is made of."""
LETTERS, DIGITS = "ABCDEFGHJKMNPQRSTUVWXYZ", "23456789"
"""Characters of ids, without I, L, O, 0 and 1, which are mistaken for each other."""


SpreadsByStrikes = dict[tuple[Decimal, ...], PricedSpread]
"""By the strikes of their legs, as `PricedSpread.sides` has them."""


class RandomSource(Protocol):
    """The methods of `random.Random` that are used."""

    def sample(self, population: Sequence[str], k: int) -> list[str]: ...
    def shuffle(self, x: MutableSequence[Any]) -> None: ...


@value
class Ladder:
    """The tradable legs of one side, by strike; `strikes` is ascending."""

    strategy: Strategy
    strikes: tuple[Decimal, ...]
    legs: dict[Decimal, TradableLeg]

    def protective_leg(self, short: TradableLeg, width: Decimal) -> TradableLeg | None:
        """Return the long leg whose distance from `short` is nearest `width` dollars; of two the nearer. None without
        one."""
        # It is the lower one: farther out for a credit of puts, nearer for a debit of calls.
        direction = -1 if self.strategy in (Strategy.PUT_CREDIT, Strategy.CALL_DEBIT) else 1
        index = bisect_left(self.strikes, short.strike + direction * width)
        near = (self.legs[strike] for strike in self.strikes[max(index - 1, 0) : index + 1])
        otm_legs = [leg for leg in near if (leg.strike - short.strike) * direction > 0]
        return min(
            otm_legs,
            key=lambda leg: (abs(abs(leg.strike - short.strike) - width), leg.strike * direction),
            default=None,
        )


def build_menu(chain: Chain, smile: "Smile", settings: Settings, *, rng: RandomSource, seed: int) -> Menu:
    """Return the menu of a chain of one expiration. The same chain, settings and `rng` state give the same menu."""
    terms = MenuTerms.derive(chain, settings)
    chosen: list[PricedSpread] = []
    rejected_spreads: list[RejectedSpread] = []
    for strategy in settings.choice.strategies:
        accepted, rejected = _select_side(
            strategy, [build_ladder(chain, smile, side) for side in SIDES[strategy]], terms
        )
        chosen += accepted
        rejected_spreads += rejected
    candidates: list[Candidate] = []
    if chosen:
        from spy32.options.density import implied_density

        density, ids = implied_density(smile), _candidate_ids(rng)
        candidates = [build_candidate(pair, next(ids), chain.underlying, smile, density, terms) for pair in chosen]
    rng.shuffle(candidates)
    notes = tuple(_menu_notes(candidates, terms))
    return Menu(candidates=tuple(candidates), dropped=tuple(rejected_spreads), seed=seed, notes=notes)


def exclude_candidates(menu: Menu, refused: Mapping[str, Finding]) -> Menu:
    """Return the menu without the `refused` candidates (id -> finding); each becomes a rejected spread with its rule.

    They are removed before the analyst is asked, because the vet step would refuse them afterwards. The other
    candidates keep their ids and order.
    """
    if not refused:
        return menu
    remaining = tuple(candidate for candidate in menu.candidates if candidate.id not in refused)
    excluded = []
    for candidate in menu.candidates:
        if (finding := refused.get(candidate.id)) is not None:
            strikes = [view.quote.strike for view in candidate.views.values()]
            violation = finding.rule, finding.figure, finding.limit
            excluded.append(_rejected_spread(candidate.spread.strategy, strikes, *violation))
    return replace(
        menu,
        candidates=remaining,
        dropped=(*menu.dropped, *excluded),
        notes=(*menu.notes, *_exclusion_notes(excluded, remaining)),
    )


def _exclusion_notes(excluded: Sequence[RejectedSpread], remaining: Sequence[Candidate]) -> Iterator[str]:
    """Yield one line per side and rule: how many were removed, and whether any is left."""
    for strategy, rule in dict.fromkeys((spread.strategy, spread.rule) for spread in excluded):
        count = sum((spread.strategy, spread.rule) == (strategy, rule) for spread in excluded)
        side = strategy.value.replace("_", " ")
        suffix = "" if any(candidate.spread.strategy is strategy for candidate in remaining) else ", none is left"
        yield f"{count} {side}{'s' * (count > 1)} left out by the rule {rule}{suffix}"


def build_ladder(chain: Chain, smile: "Smile", strategy: Strategy) -> Ladder:
    """Return the side's contracts of the smile's expiration that have a two-sided quote and an implied vol."""
    right = Right.PUT if strategy in (Strategy.PUT_CREDIT, Strategy.PUT_DEBIT) else Right.CALL
    legs: dict[Decimal, TradableLeg] = {}
    for quote in chain.quotes:
        if quote.right is not right or quote.expiration != smile.expiration:
            continue
        row = smile.rows.get((right, quote.strike))
        quote_sides = bid_and_ask(quote)
        if row is None or quote_sides is None or not quote_sides[0] > 0:
            continue
        iv, delta = float(smile.iv[row]), float(smile.delta[row])
        if not (isfinite(iv) and isfinite(delta)):
            continue
        view = LegView(quote=quote, iv=iv, delta=delta)
        bid, ask = quote_sides
        legs[quote.strike] = TradableLeg(view=view, bid=bid, ask=ask, mid=(bid + ask) / 2)
    return Ladder(strategy=strategy, strikes=tuple(sorted(legs)), legs=legs)


def _select_side(
    strategy: Strategy, ladders: Sequence[Ladder], terms: MenuTerms
) -> tuple[list[PricedSpread], list[RejectedSpread]]:
    """Return one strategy's spreads for the menu, nearest the fixed rule first, and the rejected ones.

    An iron condor has two ladders, and only those of the targeted strikes are judged.
    """
    choice, (low, high) = terms.settings.choice, GRID_DELTAS
    targets = choice.deltas if all(ladder.legs for ladder in ladders) else ()
    shorts = [[nearest_delta_leg(ladder.legs.values(), delta) for ladder in ladders] for delta in targets]
    targeted, grid = price_spreads(strategy, ladders, shorts, terms), {}
    if len(ladders) == 1:
        inside = [leg for leg in ladders[0].legs.values() if low <= leg.delta <= high]
        inside.sort(key=lambda leg: (abs(leg.delta - choice.rule_delta), leg.strike))
        grid = price_spreads(strategy, ladders, [[leg] for leg in inside], terms)
    others = [pair for strikes, pair in grid.items() if strikes not in targeted][:MAX_GRID_VERTICALS]
    accepted: list[PricedSpread] = []
    dropped: list[RejectedSpread] = []
    nearest = f"nearest to {', '.join(f'{delta:.2f}' for delta in terms.settings.choice.deltas)}"
    for pair in (*targeted.values(), *others):
        violation = first_violation(pair, terms)
        if violation is None and _strikes(pair) not in targeted:
            violation = "not_nearest", f"delta {pair.short.delta:.4f}", nearest
        if violation is None:
            accepted.append(pair)
        else:
            dropped.append(_rejected_spread(pair.strategy, _strikes(pair), *violation))
    accepted.sort(key=lambda pair: (_rule_distance(pair, terms), pair.short.strike, pair.width))
    maximum = terms.settings.choice.per_side
    for pair in accepted[maximum:]:
        violation = "menu_full", f"distance {_rule_distance(pair, terms):.2f}", f"{maximum} a side"
        dropped.append(_rejected_spread(pair.strategy, _strikes(pair), *violation))
    dropped.sort(key=lambda spread: (spread.short_strike, spread.long_strike))
    return accepted[:maximum], dropped


def nearest_delta_leg(legs: Iterable[TradableLeg], delta: float) -> TradableLeg:
    """Return the leg nearest an absolute delta; of two the one farther from the money."""
    return min(legs, key=lambda leg: (abs(leg.delta - delta), leg.delta))


def price_spreads(
    strategy: Strategy, ladders: Sequence[Ladder], shorts: Iterable[Sequence[TradableLeg]], terms: MenuTerms
) -> SpreadsByStrikes:
    """Return the spreads of sold legs, one of each ladder, and the legs nearest the target widths."""
    spreads: SpreadsByStrikes = {}
    for sold in shorts:
        for width in terms.settings.choice.widths:
            scaled = width * terms.scale
            longs = [ladder.protective_leg(leg, scaled) for ladder, leg in zip(ladders, sold, strict=True)]
            sides = [(short, long) for short, long in zip(sold, longs, strict=True) if long is not None]
            if len(sides) == len(ladders):
                pair = terms.price(strategy, *sides)
                spreads.setdefault(_strikes(pair), pair)
    return spreads


def _strikes(pair: PricedSpread) -> tuple[Decimal, ...]:
    return tuple(leg.strike for side in pair.sides for leg in side)


def _rule_distance(pair: PricedSpread, terms: MenuTerms) -> float:
    """Return the relative distance from the fixed rule's delta plus that from its width.

    The spreads farthest away leave a full menu first.
    """
    choice = terms.settings.choice
    target_width = choice.rule_width * terms.scale
    delta_distance = abs(pair.short.delta - choice.rule_delta) / choice.rule_delta
    return delta_distance + float(abs(pair.width - target_width) / target_width)


def _rejected_spread(
    strategy: Strategy, strikes: Sequence[Decimal], rule: str, figure: str, limit: str
) -> RejectedSpread:
    """Return the record of a spread. The figure names the call strikes of an iron condor, which are in no field."""
    calls = f" with calls {'/'.join(f'{strike.normalize():f}' for strike in strikes[2:])}" if strikes[2:] else ""
    return RejectedSpread(
        strategy=strategy,
        short_strike=strikes[0],
        long_strike=strikes[1],
        rule=rule,
        figure=figure.removesuffix(calls) + calls,
        limit=limit,
    )


def _candidate_ids(rng: RandomSource) -> Iterator[str]:
    """Yield distinct random ids of the form letter, digit, letter, digit, which is never a word or a strike."""
    used: set[str] = set()
    while True:
        letters, digits = rng.sample(LETTERS, 2), rng.sample(DIGITS, 2)
        name = letters[0] + digits[0] + letters[1] + digits[1]
        if name not in used:
            used.add(name)
            yield name


def _menu_notes(candidates: Sequence[Candidate], terms: MenuTerms) -> Iterator[str]:
    choice = terms.settings.choice
    if len(candidates) < choice.few:
        yield f"{len(candidates)} candidates, {choice.few} are usual"
    for strategy in choice.strategies:
        if not any(candidate.spread.strategy is strategy for candidate in candidates):
            yield f"no {strategy.value.replace('_', ' ')} passed the rules"
    if not terms.has_open_interest:
        yield "the source sends no open interest; the rule on it was not applied"
