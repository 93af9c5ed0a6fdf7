"""The documents of `spy32 report` and of registered experiments."""

from typing import Annotated

from spy32.domain.experiments import ExperimentTerms
from spy32.domain.report import (
    Attribution,
    AttributionParts,
    Bounds,
    EquityPoint,
    ExperimentPoint,
    ExperimentState,
    GroupResult,
    ModelUse,
    Money,
    OpenExpiration,
    Reliability,
    ReliabilityPoint,
    Report,
    ReportTrade,
    SharpeRatio,
)
from spy32.domain.value import value
from spy32.render import document_parts  # noqa: F401 - the part of the totals
from spy32.render.encoder import Key, Part

PARTS = "time spot vol smile rest fees total"

for noun in (
    Bounds, ReportTrade, EquityPoint, GroupResult, ReliabilityPoint, Reliability, ModelUse,
    ExperimentPoint, ExperimentTerms, Money, SharpeRatio, OpenExpiration,
):  # fmt: skip
    Part(noun)
Part(AttributionParts, PARTS)
Part(Attribution, f"trade_id start end {PARTS}", inner="parts")
Part(
    ExperimentState,
    """id champion challenger metric registered=experiment.at known pending needed streams evidence evidence_against
    interval words path evidence_needed same deviation ended=experiment.ended_at""",
    inner="experiment.terms",
    id=Key(int, "experiment.id"),
)
REPORT = Part(Report, called="spy32.report")


@value
class ExperimentList:
    """Registered comparisons, oldest first."""

    experiments: tuple[ExperimentState, ...]


STATED = Part(
    ExperimentState,
    "terms=experiment.terms state",
    called="ExperimentReport",
    state=Key(ExperimentState, lambda state: state),
)
EXPERIMENTS = Part(
    ExperimentList, called="spy32.experiments", experiments=Key(tuple[Annotated[ExperimentState, STATED], ...])
)
