"""The fixed rule: the control that every other analyst has to beat."""

from collections.abc import Sequence
from decimal import Decimal

from spy32.domain.briefing import Briefing
from spy32.domain.market import MarketSnapshot, Right
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Candidate, Menu, Strategy
from spy32.rules.pricing import REFERENCE_SPOT
from spy32.settings import Settings


def nearest_candidate(candidates: Sequence[Candidate], delta: float, width: Decimal) -> Candidate:
    """The candidate with the short delta nearest `delta`, then the width nearest `width`.

    Of two equally near it is the less exposed one: the lower delta, the narrower width, the strike farther out.
    """
    return min(
        candidates,
        key=lambda item: (
            abs(item.short_delta - delta),
            item.short_delta,
            abs(item.spread.width - width),
            item.spread.width,
            item.spread.short.strike * (1 if item.spread.right is Right.PUT else -1),
        ),
    )


def scaled_width(width: Decimal, spot: float) -> Decimal:
    """The configured width, which is meant at `REFERENCE_SPOT`, scaled to an underlying at `spot`."""
    return width * Decimal(str(spot)) / REFERENCE_SPOT


def _strategy_name(strategy: Strategy) -> str:
    return strategy.value.replace("_credit", "").replace("_", " ")


class RulesAnalyst:
    """Put side, short delta nearest the set one, then width nearest the set one; without a put it abstains.

    Where the settings offer other strategies than credit spreads, and no put credit spread, it takes the first of those
    in the same way; it never takes a call credit spread instead of a put.
    """

    name = "rules"

    def __init__(self, settings: Settings) -> None:
        self._choice = settings.choice
        offered = settings.choice.strategies
        others = [each for each in offered if each not in (Strategy.PUT_CREDIT, Strategy.CALL_CREDIT)]
        self._strategy = others[0] if others and Strategy.PUT_CREDIT not in offered else Strategy.PUT_CREDIT

    def choose(self, snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
        name, spreads = _strategy_name(self._strategy), menu.side(self._strategy)
        if not spreads:
            counts = ((len(menu.side(other)), _strategy_name(other)) for other in Strategy)
            others = ", ".join(f"{count} {other}{'s' if count > 1 else ''}" for count, other in counts if count)
            reason = f"the rule takes {name}s here, and none is on the menu ({others or 'nothing'} instead)"
            return Recommendation(analyst=self.name, decision=Decision.ABSTAIN, candidate_id=None, reason=reason)
        choice, width = self._choice, scaled_width(self._choice.rule_width, snapshot.spot)
        chosen = nearest_candidate(spreads, choice.rule_delta, width)
        spread, premium = chosen.spread, f"Credit {chosen.mid} at the mid, {chosen.floor} at the least"
        if self._strategy.is_debit:
            premium = f"Debit {-chosen.mid} at the mid, {-chosen.floor} at the most"
        return Recommendation(
            analyst=self.name,
            decision=Decision.TRADE,
            candidate_id=chosen.id,
            reason=f"the {'/'.join(f'{leg.strike}' for leg in spread.legs)} {name} has the short delta nearest "
            f"{choice.rule_delta:.2f} ({chosen.short_delta:.3f}) and then the width nearest "
            f"{choice.rule_width} dollars at a spot of {REFERENCE_SPOT} ({spread.width})",
            analysis=f"One of {len(spreads)} {name}s. Width {spread.width} against {width:.2f} aimed at. {premium}: "
            f"{abs(chosen.credit_to_width):.1%} of the width. Maximum "
            f"loss {chosen.max_loss:.2f} a contract. The options imply a {chosen.pop_market:.0%} chance of any profit "
            "at expiration. The rule looks at nothing else: no volatility, trend or event changes its pick.",
            evidence=tuple(
                f"menu.{chosen.id}.{field}" for field in ("short_delta", "spread.width", "floor", "max_loss")
            ),
            probability=chosen.pop_market,
        )
