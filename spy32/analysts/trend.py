"""A second fixed rule, which looks at trend and volatility: a harder control than `rules` for whoever chooses.

With the trend, never against it, and not at all when near volatility is dearer than far:

| the market | it takes |
| --- | --- |
| a figure is missing | nothing |
| VIX over VIX3M above 1 | nothing |
| spot above its 50-day average and momentum of 20 days positive | the put side |
| spot below its 50-day average and momentum of 20 days negative | the call side |
| anything between | nothing |

The short delta aimed at is the one of `[choice] rule_delta`. It is 0.16 at the most, about one standard deviation out
of the money, when options pay little for being near (IV rank below 0.20) or moves are large (VIX at 25 or above). Width
and ties are as in `rules`.

Reasons. Price against its own average and the sign of the past return are the plainest trend rules that have held up:
Faber (2007), "A Quantitative Approach to Tactical Asset Allocation"; Moskowitz, Ooi and Pedersen (2012), "Time Series
Momentum". Both have to agree here, so that a turn leaves the rule out of the market. The slope of the VIX term
structure tells what selling variance pays (Johnson 2017, "Risk Premia and the VIX Term Structure"); above 1 the market
fears the next weeks more than the next months. The bounds 0.20 and 25 are round figures in common use, not fitted.
"""

from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

from spy32.analysts.prompt_format import format_strategy
from spy32.analysts.rules import nearest_candidate, scaled_width
from spy32.domain.briefing import Briefing
from spy32.domain.market import MarketSnapshot, Metric
from spy32.domain.proposals import Citation, Decision, Recommendation
from spy32.domain.spreads import Candidate, Menu, Strategy
from spy32.settings import Settings

SPOT, AVERAGE, MOMENTUM = "market.spot", "market.sma_50", "market.momentum_20d"
SLOPE, RANK, VIX = "market.vix_over_vix3m", "market.iv_rank", "market.vix"
REQUIRED_FIGURES = (SPOT, AVERAGE, MOMENTUM, SLOPE, RANK, VIX)
MAX_TERM_RATIO = 1.0
CAREFUL_DELTA = 0.16
LOW_RANK = 0.20
HIGH_VIX = 25.0


class TrendFigures(NamedTuple):
    """The figures of `REQUIRED_FIGURES`. Dollars and ratios; `rank` is a fraction, `vix` in per cent."""

    spot: float
    average: float
    momentum: float
    slope: float
    rank: float
    vix: float

    @property
    def side(self) -> Strategy | None:
        if self.spot > self.average and self.momentum > 0:
            return Strategy.PUT_CREDIT
        if self.spot < self.average and self.momentum < 0:
            return Strategy.CALL_CREDIT
        return None

    @property
    def is_cautious(self) -> bool:
        """Whether the short strike is placed farther out."""
        return self.vix >= HIGH_VIX or self.rank < LOW_RANK

    @property
    def caution_text(self) -> str:
        """Why the short strike is placed farther out; only when it is."""
        if self.vix >= HIGH_VIX:
            return f" since the VIX of {self.vix:.1f} is not below {HIGH_VIX:.0f}"
        return f" since the IV rank of {self.rank:.2f} is below {LOW_RANK:.2f}"


class TrendAnalyst:
    """Takes the side of the trend, farther out when premium is thin or moves are large; else it abstains."""

    name = "trend"

    def __init__(self, settings: Settings) -> None:
        self._choice = settings.choice

    def choose(self, snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
        known = _usable_figures(briefing.figures)
        missing = [path for path in REQUIRED_FIGURES if path not in known]
        if missing:
            metric = briefing.figures.get(missing[0])
            why = "not collected" if metric is None else metric.missing or "what came is no number"
            others = f" ({', '.join(missing[1:])} too)" if missing[1:] else ""
            return self._abstention(f"{missing[0]} is missing: {why}{others}", briefing, tuple(known))
        figures = TrendFigures(*(known[path] for path in REQUIRED_FIGURES))
        if not figures.slope <= MAX_TERM_RATIO:
            reason = f"VIX over VIX3M is {figures.slope:.3f}: near volatility is dearer than far"
            return self._abstention(reason, briefing, (SLOPE,))
        if figures.side is None:
            reason = (
                f"no clear trend: spot {figures.spot:.2f} against a 50-day average of {figures.average:.2f}, "
                f"momentum of 20 days {figures.momentum:+.2f}"
            )
            return self._abstention(reason, briefing, (SPOT, AVERAGE, MOMENTUM))
        candidates = menu.side(figures.side)
        if not candidates:
            reason = f"the trend asks for a {format_strategy(figures.side)} spread, and none is on the menu"
            return self._abstention(reason, briefing, (SPOT, AVERAGE, MOMENTUM))
        rule_delta = self._choice.rule_delta
        delta = min(rule_delta, CAREFUL_DELTA) if figures.is_cautious else rule_delta
        chosen = nearest_candidate(candidates, delta, scaled_width(self._choice.rule_width, snapshot.spot))
        return self._recommend(chosen, figures, delta, briefing)

    def _recommend(self, chosen: Candidate, figures: TrendFigures, delta: float, briefing: Briefing) -> Recommendation:
        spread, side = chosen.spread, format_strategy(chosen.spread.strategy)
        is_put = spread.strategy is Strategy.PUT_CREDIT
        direction, bias = ("above", "bullish") if is_put else ("below", "bearish")
        return Recommendation(
            analyst=self.name,
            decision=Decision.TRADE,
            candidate_id=chosen.id,
            reason=f"the {spread.short.strike}/{spread.long.strike} {side} spread: spot {direction} its 50-day average "
            f"and momentum of 20 days {figures.momentum:+.2f}; short delta {chosen.short_delta:.3f}, aimed at "
            f"{delta:.2f}{figures.caution_text if figures.is_cautious else ''}",
            analysis=f"Spot {figures.spot:.2f}, 50-day average {figures.average:.2f}. VIX {figures.vix:.1f}, over "
            f"VIX3M {figures.slope:.3f}; IV rank {figures.rank:.2f}. Credit {chosen.mid} at the mid, maximum loss "
            f"{chosen.max_loss:.2f} a contract.",
            evidence=(*REQUIRED_FIGURES, f"menu.{chosen.id}.short_delta"),
            cited=_cite_figures(briefing, REQUIRED_FIGURES),
            probability=chosen.pop_market,
            market_bias=bias,
        )

    def _abstention(self, reason: str, briefing: Briefing, paths: tuple[str, ...]) -> Recommendation:
        return Recommendation(
            analyst=self.name,
            decision=Decision.ABSTAIN,
            candidate_id=None,
            reason=reason,
            evidence=paths,
            cited=_cite_figures(briefing, paths),
        )


def _usable_figures(figures: Mapping[str, Metric]) -> dict[str, float]:
    """The figures that are needed and there, in order."""
    known = {}
    for path in REQUIRED_FIGURES:
        metric = figures.get(path)
        if metric is not None and metric.value is not None and isfinite(metric.value):
            known[path] = metric.value
    return known


def _cite_figures(briefing: Briefing, paths: tuple[str, ...]) -> tuple[Citation, ...]:
    known = ((path, briefing.figures[path]) for path in paths)
    return tuple(
        Citation(path=path, value=f"{metric.value:g}", unit=metric.unit, note=metric.source) for path, metric in known
    )
