"""How often the sentences of the report are false, and how soon those about an experiment are said when they are true.

Histories of five years are put together from 26-week blocks of SPY's real path since 1993: eight spreads on every
Monday, priced by the smile of `walk_forward`, held to expiration or under the exit plan. Within a block, trades overlap
as they do on a market. Every week the sentence that the program would print is asked for: of an experiment, and of
every figure of the report that stands with an interval beside what was stated, or beside zero.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from proofs.walk_forward import (
    DELTAS,
    DTE,
    RATIOS,
    WIDTH,
    YEARS,
    Mondays,
    Spread,
    SyntheticSmile,
    build_mondays,
    read_history,
)
from spy32.domain.market import Right
from spy32.options.normal import Floats
from spy32.review.betting import BETS, EFFECT, LEVEL, MIN_OUTCOMES, claims, evidence

HISTORIES = 2000
WEEKS = 260
BLOCK = 26
"""Weeks. Half a year keeps the market's path, and so the dependence of the trades, whole."""
SEED = 13
TARGET = 0.5
TIME_EXIT = 11
"""Days after the entry: 21 before expiration."""
LAST_SESSION = 9
"""No 11 days hold more sessions than eight, and the first session after them is the ninth."""
STREAMS = {"expiry": 5, "plan": 2}
"""How many weekly trades overlap, by what ends them."""
EFFECTS = (0.0, 0.3, 0.5, 0.8)
"""Standard deviations of the difference."""
YEARS_SEEN = {52: "1 year", 104: "2 years", 260: "5 years"}
ABSTAIN = None
Name = tuple[Right, float]
NOISE = 0.05
"""How far a stated probability lies from the market's, standard deviation."""
PUT, CALL, LOWER_PUT = (Right.PUT, 0.20), (Right.CALL, 0.20), (Right.PUT, 0.16)
COMPARISONS: dict[str, tuple[Name, Name | None, str]] = {
    "put against call, to expiration": (PUT, CALL, "expiry"),
    "put against call, exit plan": (PUT, CALL, "plan"),
    "put against no trade, to expiration": (PUT, ABSTAIN, "expiry"),
    "put against no trade, exit plan": (PUT, ABSTAIN, "plan"),
    "put 0.16 against put 0.20, exit plan": (LOWER_PUT, PUT, "plan"),
}
PLANTED = "put against call, exit plan"
LEAST_FOUND = 0.75
"""Of 0.8 standard deviations within two years."""


@dataclass(frozen=True)
class Candidates:
    """Eight spreads of each Monday: results by ending and maximum loss, dollars per share, shape (n, 8); and the
    market's probability of profit with what came of it."""

    results: dict[str, Floats]
    max_loss: Floats
    stated: Floats
    outcomes: Floats


@dataclass(frozen=True)
class Comparison:
    """Paired differences of h histories, shape (h, weeks), whose mean on the long run is 0."""

    name: str
    streams: int
    differences: Floats
    deviation: float


@dataclass(frozen=True)
class Statement:
    """What the report shows of h histories, and what it stands beside: shape (h, weeks), alike in the long run."""

    name: str
    outcomes: Floats
    """Between `lowest` and 1."""
    stated: Floats
    lowest: float


@dataclass(frozen=True)
class FalseClaims:
    """Shares of histories in which a false sentence was printed in any week."""

    name: str
    better: float
    worse: float
    alike: float | None
    """None where the two really are alike."""

    @property
    def any_share(self) -> float:
        return self.better + self.worse + (self.alike or 0.0)


@cache
def candidates() -> Candidates:
    history = read_history()
    mondays = build_mondays(history)
    smile = SyntheticSmile(mondays, 1.0)
    spreads = [Spread(smile, right, delta) for right in RATIOS for delta in DELTAS]
    width = WIDTH * mondays.spot
    managed = _managed_results(mondays, spreads)
    return Candidates(
        results={
            "expiry": np.stack([each.profit * width for each in spreads], axis=1),
            "plan": np.stack(managed, axis=1),
        },
        max_loss=np.stack([width - each.credit for each in spreads], axis=1),
        stated=np.stack([each.market() for each in spreads], axis=1),
        outcomes=np.stack([each.outcomes for each in spreads], axis=1),
    )


def _managed_results(mondays: Mondays, spreads: list[Spread]) -> list[Floats]:
    """Return each spread's result, closed at the mid of the first close at the profit target or 21 days before
    expiration."""
    results = [np.full(len(mondays.row), np.nan) for _ in spreads]
    for session in range(1, LAST_SESSION + 1):
        later, elapsed = _later_session(mondays, session)
        smile = SyntheticSmile(later, 1.0, (DTE - elapsed) / 365)
        for spread, result in zip(spreads, results, strict=True):
            mark = spread.mid(smile)
            is_closed = np.isnan(result) & ((mark <= (1 - TARGET) * spread.credit) | (elapsed >= TIME_EXIT))
            result[is_closed] = (spread.credit - mark)[is_closed]
    return results


def _later_session(mondays: Mondays, session: int) -> tuple[Mondays, Floats]:
    """Return the market so many sessions after each Monday, and the days that have passed. Interest and dividends
    accrue evenly."""
    history = read_history()
    row = mondays.row + session
    elapsed = (history.day[row] - history.day[mondays.row]).astype(np.float64)
    left = (DTE - elapsed) / 365 / YEARS
    later = Mondays(
        row=row,
        spot=history.close[row],
        vix=history.vix[row] / 100,
        forward=history.close[row] * (mondays.forward / mondays.spot) ** left,
        discount=mondays.discount**left,
        settlement=mondays.settlement,
    )
    return later, elapsed


def draw_weeks(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the Mondays of `count` histories, shape (count, `WEEKS`), in blocks of `BLOCK` consecutive ones."""
    starts = rng.integers(0, len(candidates().max_loss) - BLOCK + 1, size=(count, WEEKS // BLOCK))
    return np.asarray((starts[:, :, None] + np.arange(BLOCK)).reshape(count, WEEKS))


def _place(name: Name) -> int:
    return list(RATIOS).index(name[0]) * len(DELTAS) + DELTAS.index(name[1])


def fixed_comparison(name: str, weeks: np.ndarray) -> Comparison:
    """Return two fixed picks, their long-run difference taken away."""
    first, second, ending = COMPARISONS[name]
    menu = candidates()
    results, loss = menu.results[ending][:, _place(first)], menu.max_loss[:, _place(first)]
    if second is not ABSTAIN:
        results = results - menu.results[ending][:, _place(second)]
        loss = np.maximum(loss, menu.max_loss[:, _place(second)])
    shares = _centre(np.clip(results / loss, -1.0, 1.0))
    return Comparison(
        name=name,
        streams=STREAMS[ending],
        differences=shares[weeks],
        deviation=float(shares.std()),
    )


def _centre(shares: Floats) -> Floats:
    """Return the shares moved so that their mean is 0 within the bounds, which cut the largest."""
    centred = shares
    for _ in range(100):
        shares = shares - centred.mean()
        centred = np.clip(shares, -1.0, 1.0)
    return centred


def shuffled_comparisons(weeks: np.ndarray, rng: np.random.Generator) -> Iterator[Comparison]:
    """Yield what the program compares, of choosers that pick at random from the menu, or abstain."""
    menu = candidates()
    size = menu.max_loss.shape[1]
    first, second = rng.integers(0, size + 1, size=(2, *weeks.shape))
    loss = np.concatenate((menu.max_loss, np.zeros((len(menu.max_loss), 1))), axis=1)
    larger = np.maximum(np.maximum(loss[weeks, first], loss[weeks, second]), 1e-9)
    for ending, streams in STREAMS.items():
        results = np.concatenate((menu.results[ending], np.zeros((len(loss), 1))), axis=1)
        shares = np.clip((results[weeks, first] - results[weeks, second]) / larger, -1.0, 1.0)
        yield Comparison(f"two random choosers, {ending}", streams, shares, float(shares.std()))
    pick = rng.integers(0, size, size=weeks.shape)
    shares = menu.results["expiry"] / menu.max_loss
    selected = np.clip(shares[weeks, pick] - shares.mean(axis=1)[weeks], -1.0, 1.0)
    yield Comparison("a random pick against the menu's mean", STREAMS["expiry"], selected, float(selected.std()))
    stated, came_true = menu.stated[weeks, pick], menu.outcomes[weeks, pick]
    errors = [(np.clip(stated + rng.normal(0.0, NOISE, weeks.shape), 0, 1) - came_true) ** 2 for _ in range(2)]
    scores = errors[0] - errors[1]
    yield Comparison("two equally good probabilities, score", STREAMS["expiry"], scores, float(scores.std()))


def count_false_claims(comparison: Comparison, effect: float = 0.0) -> FalseClaims:
    """Return how many histories print a false sentence in any week; `effect` is planted, standard deviations."""
    shares = np.clip(comparison.differences + effect * comparison.deviation, -1.0, 1.0)
    said = np.zeros((3, len(shares)), dtype=bool)
    for week in range(1, shares.shape[1] + 1):
        found = claims(shares[:, :week], comparison.streams)
        said |= np.stack((found.is_better, found.is_worse, found.is_alike))
    better, worse, alike = said.mean(axis=1).tolist()
    planted = effect >= EFFECT
    return FalseClaims(
        name=f"{comparison.name}, {effect} SD" if planted else comparison.name,
        better=0.0 if planted else better,
        worse=worse,
        alike=alike if planted else None,
    )


def report_statements(weeks: np.ndarray, rng: np.random.Generator) -> Iterator[Statement]:
    """Yield the figures of the report, of a chooser at random and of one that always takes the put."""
    menu = candidates()
    loss, size = menu.max_loss, menu.max_loss.shape[1]
    wins = (menu.results["plan"] > 0).astype(np.float64)
    exits = _centre_columns((menu.results["plan"] - menu.results["expiry"]) / loss)
    shares = menu.results["expiry"] / loss
    picked = _centre_columns(shares - shares.mean(axis=1)[:, None])
    # A source whose probabilities are right on the long run; within years they may be wrong, as on a market.
    errors = menu.outcomes - menu.stated
    right = menu.stated + errors.mean(axis=0)
    choosers = {
        "a random pick": rng.integers(0, size, size=weeks.shape), "always the put": np.full(weeks.shape, _place(PUT)),
    }  # fmt: skip
    zero = np.zeros(weeks.shape)
    for name, pick in choosers.items():
        yield Statement(f"win rate beside what was stated, {name}", wins[weeks, pick], wins.mean(axis=0)[pick], 0.0)
        yield Statement(f"exit less holding, {name}", exits[weeks, pick], zero, -1.0)
        yield Statement(f"pick less menu, {name}", picked[weeks, pick], zero, -1.0)
        noisy = right[weeks, pick] + rng.normal(0.0, NOISE, weeks.shape)
        yield Statement(f"came true beside what was stated, {name}", menu.outcomes[weeks, pick], noisy, 0.0)
    by_week = (each.mean(axis=1)[weeks] for each in (menu.outcomes, right))
    yield Statement("came true beside what was stated, every candidate", *by_week, lowest=0.0)


def _centre_columns(shares: Floats) -> Floats:
    return np.stack([_centre(np.clip(column, -1.0, 1.0)) for column in shares.T], axis=1)


def count_false_statements(statement: Statement) -> FalseClaims:
    """Return in how many histories the interval ever lies above or below the mean of what was stated so far.

    An end of the interval is a mean that evidence contradicts, so these are at least as many as the report prints.
    """
    unit = (1.0 - statement.lowest) / 2
    outcomes, stated = ((each - statement.lowest) / unit - 1.0 for each in (statement.outcomes, statement.stated))
    means = np.cumsum(stated, axis=1) / np.arange(1, stated.shape[1] + 1)
    said = np.zeros((2, len(outcomes)), dtype=bool)
    for week in range(MIN_OUTCOMES, outcomes.shape[1] + 1):
        mean = means[:, week - 1]
        for place, sign in enumerate((1.0, -1.0)):
            found = evidence(sign * outcomes[:, :week], STREAMS["expiry"], sign * mean)
            said[place] |= found >= 1 / LEVEL
    above, below = said.mean(axis=1).tolist()
    return FalseClaims(name=statement.name, better=above, worse=below, alike=None)


def running_evidence(differences: Floats, streams: int) -> Floats:
    """Return the e-value after each week, shape (h, weeks): the definition, by running products."""
    total = np.zeros_like(differences)
    place = np.arange(differences.shape[1]) % streams
    for start in range(streams):
        for bet in BETS:
            total += np.cumprod(np.where(place == start, 1.0 + bet * differences, 1.0), axis=1)
    return total / (streams * len(BETS))


def power(comparison: Comparison, streams: int | None = None) -> dict[tuple[float, int], float]:
    """Return the share of histories that ever reached an e-value of 20, by planted effect and week."""
    found = {}
    for effect in EFFECTS:
        shares = np.clip(comparison.differences + effect * comparison.deviation, -1.0, 1.0)
        reached = np.maximum.accumulate(running_evidence(shares, streams or comparison.streams), axis=1) >= 1 / LEVEL
        found |= {(effect, week): float(reached[:, week - 1].mean()) for week in YEARS_SEEN if week <= WEEKS}
    return found


@dataclass(frozen=True)
class Tally:
    """What a count found."""

    false_claims: list[FalseClaims]
    powers: dict[str, dict[tuple[float, int], float]]
    deviations: dict[str, float]

    @property
    def worst(self) -> FalseClaims:
        return max(self.false_claims, key=lambda each: each.any_share)

    @property
    def found(self) -> float:
        """Share of planted effects of 0.8 standard deviations found within two years."""
        return self.powers[PLANTED][0.8, 104]


def prove(count: int) -> Tally:
    rng = np.random.default_rng(SEED)
    weeks = draw_weeks(count, rng)
    fixed = [fixed_comparison(name, weeks) for name in COMPARISONS]
    false_claims = [count_false_claims(each) for each in (*shuffled_comparisons(weeks, rng), *fixed)]
    false_claims += [count_false_claims(each, EFFECT) for each in fixed[:2]]
    false_claims += [count_false_statements(each) for each in report_statements(weeks, rng)]
    powers = {each.name: power(each) for each in fixed}
    powers[f"{fixed[0].name}, naive"] = power(fixed[0], streams=1)
    return Tally(false_claims=false_claims, powers=powers, deviations={each.name: each.deviation for each in fixed})


def lines(tally: Tally) -> Iterator[str]:
    """Yield the tables: false claims, and the share of histories with an e-value of 20."""
    yield "  share of histories with a false sentence in any of 260 weeks: better or above, worse or below, alike"
    for each in tally.false_claims:
        alike = "true" if each.alike is None else f"{each.alike:.4f}"
        yield f"    {each.name:52} {each.better:.4f}  {each.worse:.4f}  {alike}"
    yield "  share of histories with an e-value of 20 after 1, 2, 5 years, by effect in SD"
    for name, found in tally.powers.items():
        cells = "  ".join(
            f"{effect}: " + " / ".join(f"{found[effect, week]:.3f}" for week in YEARS_SEEN) for effect in EFFECTS
        )
        deviation = f"SD {tally.deviations[name]:.2f}" if name in tally.deviations else ""
        yield f"    {name:44} {deviation:8} {cells}"


def main(count: int = HISTORIES) -> bool:
    started = time.perf_counter()
    tally = prove(count)
    seconds = time.perf_counter() - started
    print(f"null histories: {count} of {WEEKS} weeks from {len(candidates().max_loss)} Mondays, {seconds:.0f} s")
    print("\n".join(lines(tally)))
    print(
        f"  most false sentences: {tally.worst.any_share:.4f} ({tally.worst.name}); 0.8 SD found within two years: ",
        end="",
    )
    print(f"{tally.found:.3f}")
    return tally.worst.any_share <= LEVEL and tally.found >= LEAST_FOUND


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES) else 1)
