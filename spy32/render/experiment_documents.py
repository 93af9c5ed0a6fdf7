"""The document of registered experiments: the terms of each and how it stands."""

from spy32.domain.experiments import ExperimentTerms
from spy32.domain.value import value
from spy32.render import report_documents  # noqa: F401 - the part of a state
from spy32.render.encoder import Part
from spy32.review.experiments import ExperimentReport


@value
class Experiments:
    """Registered comparisons, oldest first."""

    experiments: tuple[ExperimentReport, ...]


Part(ExperimentTerms)
Part(ExperimentReport, "terms=experiment.terms state")
EXPERIMENTS = Part(Experiments, called="spy32.experiments")
