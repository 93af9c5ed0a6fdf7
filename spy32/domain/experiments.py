"""A registered comparison of two choosers: what is compared, by what, and when it ends."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from spy32.domain.value import value


class PairMetric(StrEnum):
    """What a pair of choices is compared by. The value is stored and appears in JSON."""

    EXPIRY = "expiry"
    """Result at expiration, a share of the maximum loss of the larger spread."""
    PLAN = "plan"
    """The same under the exit plan."""
    SCORE = "score"
    """Squared error (Brier score) of the probability that the challenger's pick expires worthless."""

    @property
    def words(self) -> str:
        return {
            PairMetric.EXPIRY: "result at expiration, of the maximum loss",
            PairMetric.PLAN: "result under the exit plan, of the maximum loss",
            PairMetric.SCORE: "squared error of the stated probability",
        }[self]


class Reference(StrEnum):
    """A champion that is no analyst."""

    NO_TRADE = "no_trade"
    """Nothing, whose result is 0."""
    MENU = "menu"
    """The mean of the menu that the pick is from: what remains is selection. A week without a pick does not count."""
    MARKET = "market"
    """The market's probability of the challenger's pick."""
    HISTORY = "history"
    """The same by history."""


PROBABILITY_SOURCES = (Reference.MARKET, Reference.HISTORY)
MODEL = "grok"
"""The analyst of whose choosers there is one a prompt."""
NULL = "the mean difference is at most 0"


def model_chooser(prompt: str) -> str:
    """Return the chooser of a prompt version: `grok v2-comprehensive`."""
    return f"{MODEL} {prompt}"


def prompt_of_chooser(chooser: str) -> str | None:
    """Return the prompt version of a model's chooser; None of a rule or a reference, which has none."""
    name, _, prompt = chooser.partition(" ")
    return prompt if name == MODEL and prompt else None


@value
class ExperimentTerms:
    """What is laid down before the first outcome. Whatever changes of it begins another experiment."""

    champion: str
    """A chooser: `rules`, `trend`, analyst and prompt such as `grok v2-comprehensive`, or a `Reference`."""
    challenger: str
    """A chooser, or `no_trade`."""
    metric: PairMetric
    profile: str
    weeks: int
    """Horizon; later runs do not count."""
    streams: int
    """Weekly trades that are open at once, and so are tested apart."""
    level: float
    """Share of histories in which a claim may be false."""
    bets: tuple[float, ...]
    """Shares of the wealth that are bet."""
    fingerprints: Mapping[str, str]
    """Chooser -> its model, the hash of its prompt and the version of its checks; a rule has its settings."""
    null: str = NULL
    looks: str = "any week"


@value
class Experiment:
    """A registered comparison."""

    id: int
    at: datetime
    """When it was registered; only runs after that count."""
    terms: ExperimentTerms
    ended_at: datetime | None = None
    """When something of its terms changed, so that another took its place."""

    @property
    def name(self) -> str:
        return f"E{self.id}"

    def is_running(self, at: datetime) -> bool:
        """Return whether runs at this time count."""
        return self.ended_at is None and at - self.at < timedelta(weeks=self.terms.weeks)
