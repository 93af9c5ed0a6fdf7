"""The menu: the spreads that an analyst may point at, and why each other one is not on it."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol

from spy32.domain.deciding import Finding
from spy32.domain.market import Chain, Right
from spy32.domain.trading import Candidate, Dropped, LegView, Menu, Strategy
from spy32.rules.candidates import Pair, Quoted, Terms, candidate_of, first_against
from spy32.rules.pricing import sides
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.options.surface import Smile

GRID_DELTAS = (0.05, 0.45)
"""Short strikes from here to here are judged too, so that a reader sees what the menu left out and why."""
GRID_PAIRS = 180
"""Most pairs of a side that are judged beside the aimed ones, nearest the rule's delta first."""
LETTERS, DIGITS = "ABCDEFGHJKMNPQRSTUVWXYZ", "23456789"
"""Without I, L, O and 0, 1, which are taken for each other."""


class Chance(Protocol):
    """What is used of a `random.Random`."""

    def sample(self, population: Sequence[str], k: int) -> list[str]: ...
    def shuffle(self, x: MutableSequence[Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The tradable legs of one side, by strike."""

    strategy: Strategy
    strikes: tuple[Decimal, ...]
    legs: dict[Decimal, Quoted]

    def long_of(self, short: Quoted, width: Decimal) -> Quoted | None:
        """The protective leg whose width is nearest; of two the narrower."""
        away = -1 if self.strategy is Strategy.PUT_CREDIT else 1
        place = bisect_left(self.strikes, short.strike + away * width)
        near = (self.legs[strike] for strike in self.strikes[max(place - 1, 0) : place + 1])
        fitting = [leg for leg in near if (leg.strike - short.strike) * away > 0]
        return min(
            fitting, key=lambda leg: (abs(abs(leg.strike - short.strike) - width), leg.strike * away), default=None
        )


def build(chain: Chain, smile: "Smile", settings: Settings, *, rng: Chance, seed: int) -> Menu:
    """The menu of a chain of one expiration. The same chain, settings and `rng` make the same menu again."""
    terms = Terms.of(chain, settings)
    chosen: list[Pair] = []
    dropped: list[Dropped] = []
    for strategy in settings.choice.strategies:
        ladder = ladder_of(chain, smile, strategy)
        on, off = _side(ladder, terms)
        chosen += on
        dropped += off
    candidates = _named(chosen, chain, smile, terms, rng)
    rng.shuffle(candidates)
    notes = tuple(_notes(candidates, terms))
    return Menu(candidates=tuple(candidates), dropped=tuple(dropped), seed=seed, notes=notes)


def without(menu: Menu, refused: Mapping[str, Finding]) -> Menu:
    """The menu less the candidates, by id, that a rule would refuse after the question, each on record with its rule.

    The rest keeps its ids and its order.
    """
    if not refused:
        return menu
    left = tuple(candidate for candidate in menu.candidates if candidate.id not in refused)
    gone = [
        Dropped(
            strategy=candidate.spread.strategy,
            short_strike=candidate.spread.short.strike,
            long_strike=candidate.spread.long.strike,
            rule=refused[candidate.id].rule,
            figure=refused[candidate.id].figure,
            limit=refused[candidate.id].limit,
        )
        for candidate in menu.candidates
        if candidate.id in refused
    ]
    return replace(menu, candidates=left, dropped=(*menu.dropped, *gone), notes=(*menu.notes, *_lost(gone, left)))


def _lost(gone: Sequence[Dropped], left: Sequence[Candidate]) -> Iterator[str]:
    """One line for each side and rule: how many went, and whether any is left."""
    for strategy, rule in dict.fromkeys((spread.strategy, spread.rule) for spread in gone):
        count = sum((spread.strategy, spread.rule) == (strategy, rule) for spread in gone)
        side = strategy.value.replace("_", " ")
        none = "" if any(candidate.spread.strategy is strategy for candidate in left) else ", none is left"
        yield f"{count} {side}{'s' * (count > 1)} left out by the rule {rule}{none}"


def ladder_of(chain: Chain, smile: "Smile", strategy: Strategy) -> Ladder:
    """The side's contracts of the smile's expiration that have two-sided quotes and a solved vol."""
    right = Right.PUT if strategy is Strategy.PUT_CREDIT else Right.CALL
    valued = {
        quote.symbol: (float(iv), float(delta))
        for quote, iv, delta in zip(smile.quotes, smile.iv, smile.delta, strict=True)
        if quote.right is right
    }
    legs: dict[Decimal, Quoted] = {}
    for quote in chain.quotes:
        if quote.right is not right or quote.expiration != smile.expiration:
            continue
        iv, delta = valued.get(quote.symbol, (float("nan"), float("nan")))
        two = sides(quote)
        if two is None or not two[0] > 0 or not (isfinite(iv) and isfinite(delta)):
            continue
        view = LegView(quote=quote, iv=iv, delta=delta)
        legs[quote.strike] = Quoted(view=view, bid=two[0], ask=two[1], mid=(two[0] + two[1]) / 2)
    return Ladder(strategy=strategy, strikes=tuple(sorted(legs)), legs=legs)


def _side(ladder: Ladder, terms: Terms) -> tuple[list[Pair], list[Dropped]]:
    """What of one side goes on the menu, nearest the fixed rule first, and everything that does not."""
    aimed = _pairs(_aimed_shorts(ladder, terms), ladder, terms)
    grid = _pairs(_grid_shorts(ladder, terms), ladder, terms)
    rest = [pair for place, pair in grid.items() if place not in aimed][:GRID_PAIRS]
    passed: list[Pair] = []
    dropped: list[Dropped] = []
    for pair in (*aimed.values(), *rest):
        against = first_against(pair, terms)
        if against is None and (pair.short.strike, pair.long.strike) not in aimed:
            against = _not_aimed(pair, terms)
        if against is None:
            passed.append(pair)
        else:
            dropped.append(_dropped(pair, *against))
    passed.sort(key=lambda pair: (_distance(pair, terms), pair.short.strike, pair.width))
    most = terms.settings.choice.per_side
    for pair in passed[most:]:
        dropped.append(_dropped(pair, "menu_full", f"distance {_distance(pair, terms):.2f}", f"{most} a side"))
    dropped.sort(key=lambda spread: (spread.short_strike, spread.long_strike))
    return passed[:most], dropped


def _aimed_shorts(ladder: Ladder, terms: Terms) -> list[Quoted]:
    """For each aimed delta the listed strike nearest it."""
    return [_nearest(ladder, aim) for aim in terms.settings.choice.deltas] if ladder.legs else []


def _nearest(ladder: Ladder, aim: float) -> Quoted:
    """The leg nearest an absolute delta; of two the one farther from the money."""
    return min(ladder.legs.values(), key=lambda leg: (abs(leg.delta - aim), leg.delta))


def _grid_shorts(ladder: Ladder, terms: Terms) -> list[Quoted]:
    low, high = GRID_DELTAS
    inside = [leg for leg in ladder.legs.values() if low <= leg.delta <= high]
    return sorted(inside, key=lambda leg: (abs(leg.delta - terms.settings.choice.rule_delta), leg.strike))


def _pairs(shorts: Sequence[Quoted], ladder: Ladder, terms: Terms) -> dict[tuple[Decimal, Decimal], Pair]:
    """Each short leg with the protective legs nearest the aimed widths, once each, by the two strikes."""
    found: dict[tuple[Decimal, Decimal], Pair] = {}
    for short in shorts:
        for width in terms.settings.choice.widths:
            long = ladder.long_of(short, width * terms.scale)
            if long is not None and (short.strike, long.strike) not in found:
                found[short.strike, long.strike] = terms.pair(ladder.strategy, short, long)
    return found


def _distance(pair: Pair, terms: Terms) -> float:
    """How far from the fixed rule's delta and width, each as a share of it; the farthest leave a full menu first."""
    choice = terms.settings.choice
    aim = choice.rule_width * terms.scale
    off_delta = abs(pair.short.delta - choice.rule_delta) / choice.rule_delta
    return off_delta + float(abs(pair.width - aim) / aim)


def _not_aimed(pair: Pair, terms: Terms) -> tuple[str, str, str]:
    deltas = ", ".join(f"{delta:.2f}" for delta in terms.settings.choice.deltas)
    return "not_nearest", f"delta {pair.short.delta:.4f}", f"nearest to {deltas}"


def _dropped(pair: Pair, rule: str, figure: str, limit: str) -> Dropped:
    return Dropped(
        strategy=pair.strategy,
        short_strike=pair.short.strike,
        long_strike=pair.long.strike,
        rule=rule,
        figure=figure,
        limit=limit,
    )


def _named(chosen: Sequence[Pair], chain: Chain, smile: "Smile", terms: Terms, rng: Chance) -> list[Candidate]:
    if not chosen:
        return []
    from spy32.options.density import density

    implied = density(smile)
    names = _ids(rng)
    return [candidate_of(pair, next(names), chain.underlying, smile, implied, terms) for pair in chosen]


def _ids(rng: Chance) -> Iterator[str]:
    """Different ids without meaning: letter, digit, letter, digit, so never a word and never a strike."""
    used: set[str] = set()
    while True:
        letters, digits = rng.sample(LETTERS, 2), rng.sample(DIGITS, 2)
        name = letters[0] + digits[0] + letters[1] + digits[1]
        if name not in used:
            used.add(name)
            yield name


def _notes(candidates: Sequence[Candidate], terms: Terms) -> Iterator[str]:
    choice = terms.settings.choice
    if len(candidates) < choice.few:
        yield f"{len(candidates)} candidates, {choice.few} are usual"
    for strategy in choice.strategies:
        if not any(candidate.spread.strategy is strategy for candidate in candidates):
            yield f"no {strategy.value.replace('_', ' ')} passed the rules"
    if not terms.knows_open_interest:
        yield "the source sends no open interest; the rule on it was not applied"
