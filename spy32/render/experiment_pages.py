"""Registered experiments as a page: how each stands, in words."""

from spy32.domain.experiments import PairMetric, Reference
from spy32.domain.report import ExperimentState
from spy32.render.formatting import format_count, single_line
from spy32.render.page import Item, Page, Pairs, pair
from spy32.sessions import market_date

REGISTER = "spy32 experiments register"


def experiments_page(reports: tuple[ExperimentState, ...]) -> Page:
    """The running ones in a few lines each, those that have ended in one."""
    if not reports:
        return Page(heading="no experiment is registered", following=(REGISTER,))
    parts = [
        Pairs(name=each.experiment.name, title=each.experiment.name, items=tuple(_items(each)))
        for each in reports
        if each.experiment.ended_at is None
    ]
    ended = tuple(
        pair(f"{each.experiment.name} {_pair_name(each)}", each.words)
        for each in reports
        if each.experiment.ended_at is not None
    )
    if ended:
        parts.append(Pairs(items=ended, name="ended", title="Ended, since something of their terms changed"))
    heading = f"{format_count(len(reports) - len(ended), 'experiment')} running, {len(ended)} ended"
    return Page(heading=heading, tone="strong", parts=tuple(parts))


def _pair_name(state: ExperimentState) -> str:
    return " against ".join(single_line(side) for side in state.sides)


def _items(state: ExperimentState) -> list[Item]:
    terms = state.experiment.terms
    since = f"{market_date(state.experiment.at)}, for {format_count(terms.weeks, 'week')}"
    return [
        pair("compares", _pair_name(state)),
        pair("state", state.words, "strong"),
        pair("judged by", f"{terms.metric.words}; {terms.streams} interleaved series"),
        pair("pairs", _pair_words(state)),
        pair("mean difference", _difference_words(state)),
        pair("registered", since if terms.profile == "default" else f"{since}; profile {single_line(terms.profile)}"),
    ]


def _pair_words(state: ExperimentState) -> str:
    is_agreement = state.experiment.terms.champion not in tuple(Reference)
    same = f"; the same choice in {state.same}" if is_agreement and state.known + state.pending else ""
    return f"{state.known} known, {state.pending} open{same}"


def _difference_words(state: ExperimentState) -> str:
    """A share of the maximum loss in per cent, or a difference of squared errors."""
    found = state.interval
    if found is None:
        return ""
    if found.mean is None or found.low is None or found.high is None:
        return f"the challenger better in {found.hits} of {found.count}, too few to say more"
    write, unit = "{:+.1%}".format, " of max loss"
    if state.experiment.terms.metric is PairMetric.SCORE:
        write, unit = "{:+.3f}".format, " of squared error"
    interval = f"{found.level:.0%} interval {write(found.low)} ... {write(found.high)}, at any look"
    return f"{write(found.mean)}{unit} ({interval})"
