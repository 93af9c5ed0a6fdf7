"""The document of `spy32 report`, which its HTML page is made of too."""

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
from spy32.render import document_parts  # noqa: F401 - the part of the totals
from spy32.render.encoder import Part

PARTS = "time spot vol smile rest fees total"

for noun in (
    Bounds, ReportTrade, EquityPoint, GroupResult, ReliabilityPoint, Reliability, ModelUse,
    ExperimentPoint, ExperimentState, Money, SharpeRatio, OpenExpiration,
):  # fmt: skip
    Part(noun)
Part(AttributionParts, PARTS)
Part(Attribution, f"trade_id start end {PARTS}", inner="parts")
REPORT = Part(Report, called="spy32.report")
