"""`experiments`: registered comparisons of who chooses, and how they stand."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import App, ProfileOption, get_app, print_answer
from spy32.domain.experiments import MODEL, model_chooser
from spy32.errors import BadUsage
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.store import Store

HORIZON = 260
"""Weeks. An effect of half a standard deviation shows within five years, a smaller one hardly ever."""


def experiments(ctx: typer.Context) -> None:
    """The registered comparisons, each with its state in words."""
    if ctx.invoked_subcommand is None:
        app = get_app(ctx)
        _print_experiments(app, app.open_for_reading())


def register(
    ctx: typer.Context,
    champion: Annotated[
        str | None,
        typer.Option(
            metavar="WHO",
            help="rules, trend, 'grok VERSION', no_trade, menu (its mean); market or history with --metric score.",
            show_default=False,
        ),
    ] = None,
    challenger: Annotated[
        str | None, typer.Option(metavar="WHO", help="rules, trend or 'grok VERSION'.", show_default=False)
    ] = None,
    metric: Annotated[str, typer.Option(help="expiry (result at expiration), plan (exit plan) or score.")] = "expiry",
    weeks: Annotated[int, typer.Option(min=4, max=520, help="Horizon; later runs do not count.")] = HORIZON,
    profile: ProfileOption = "default",
) -> None:
    """Lay down a comparison before its first outcome: only runs after that count. By default the prompt of
    `analyst.challenger` against the one in use, or else the analyst against the fixed rule."""
    from spy32.domain.experiments import PairMetric
    from spy32.review.registration import build_terms
    from spy32.settings.profiles import for_profile
    from spy32.wiring.analysts import chooser_fingerprint

    if metric not in tuple(PairMetric):
        raise BadUsage(f"--metric {metric!r} is none; there are {', '.join(PairMetric)}")
    app = get_app(ctx)
    settings = for_profile(app.settings, profile)
    usual_champion, usual_challenger = _usual_pair(settings)
    terms = build_terms(
        champion or usual_champion,
        challenger or usual_challenger,
        PairMetric(metric),
        weeks=weeks,
        profile=profile,
        settings=settings,
        fingerprint=lambda chooser: chooser_fingerprint(chooser, settings),
    )
    store = app.store()
    store.experiments.register(terms, app.clock())
    for chooser in terms.fingerprints:
        if chooser not in _choosers_asked(settings):
            app.warn(f"{chooser} is not asked by these settings; the setting analyst.challenger names another prompt")
    _print_experiments(app, store)


def _usual_pair(settings: Settings) -> tuple[str, str]:
    """Champion and challenger when none is typed."""
    from spy32.wiring.analysts import prompt_version

    knobs = settings.analyst
    used = model_chooser(prompt_version(settings)) if knobs.name == MODEL else knobs.name
    if knobs.challenger:
        return used, model_chooser(knobs.challenger)
    return "rules", used if used != "rules" else "trend"


def _choosers_asked(settings: Settings) -> set[str]:
    from spy32.wiring.analysts import prompt_version, shadow_versions

    rules = {"rules", *(("trend",) if settings.analyst.shadow_trend else ())}
    if settings.analyst.name != MODEL:
        return rules
    return rules | {model_chooser(version) for version in (prompt_version(settings), *shadow_versions(settings))}


def _print_experiments(app: App, store: "Store") -> None:
    from spy32.render.experiment_pages import experiments_page
    from spy32.render.report_documents import EXPERIMENTS, ExperimentList
    from spy32.review.experiments import load_experiments

    reports = load_experiments(store, app.clock())
    print_answer(app, EXPERIMENTS, ExperimentList(experiments=reports), experiments_page(reports))
