"""Who may choose, built from the settings on use."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.analysts.rendered_prompt import RenderedPrompt
    from spy32.domain.briefing import Briefing
    from spy32.domain.spreads import Menu
    from spy32.ports import Analyst


def build_rules_analyst(settings: Settings) -> "Analyst":
    from spy32.analysts.rules import RulesAnalyst

    return RulesAnalyst(settings)


def build_trend_analyst(settings: Settings) -> "Analyst":
    from spy32.analysts.trend import TrendAnalyst

    return TrendAnalyst(settings)


RULES: "Mapping[str, Callable[[Settings], Analyst]]" = {"rules": build_rules_analyst, "trend": build_trend_analyst}
"""The fixed rules, which need nothing of the world."""


def build_renderer(version: str, settings: Settings) -> "Callable[[Menu, Briefing, int], RenderedPrompt]":
    """How a menu and a briefing become the prompt of this version."""
    from spy32.analysts.prompt import read_template, render_prompt

    loaded = read_template(version)

    def render_menu(menu: "Menu", briefing: "Briefing", shuffle: int) -> "RenderedPrompt":
        return render_prompt(loaded, menu, briefing, shuffle=shuffle, settings=settings)

    return render_menu


def prompt_version(settings: Settings) -> str:
    """The prompt version that these settings ask for."""
    from spy32.analysts.prompt import resolve_version

    return resolve_version(settings.analyst.prompt, settings.environment)
