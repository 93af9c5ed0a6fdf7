"""The document of `spy32 report`, which its HTML page is made of too."""

from spy32.domain.report import (
    Attribution,
    AttributionSum,
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
from spy32.render import document_parts  # noqa: F401 - the part of the totals
from spy32.render.encoder import Part

for noun in (
    Bounds, ReportTrade, EquityPoint, GroupResult, ReliabilityPoint, Reliability, Attribution, AttributionSum, ModelUse,
    ExperimentPoint, ExperimentState, Money, SharpeRatio, OpenExpiration,
):  # fmt: skip
    Part(noun)
REPORT = Part(Report, called="spy32.report")
