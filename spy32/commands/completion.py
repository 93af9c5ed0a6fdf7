"""Ids of the store for a shell's completion, as `--install-completion` sets it up."""

from collections.abc import Callable

import typer

Completion = Callable[[typer.Context], list[tuple[str, str]]]
"""Gives values and their meaning; Typer leaves out those that do not begin with what was typed."""


def complete_ids(letters: str, *states: str) -> Completion:
    """Completes ids of these letters, in `states` where some are given, from the home and mode that were typed."""

    def complete(ctx: typer.Context) -> list[tuple[str, str]]:
        from spy32.errors import Spy32Error
        from spy32.records.recent_ids import recent_ids
        from spy32.wiring.base import AppBase

        typed = ctx.find_root().params
        try:
            database = AppBase.create(home=typed.get("home"), mode=typed.get("mode"), verbosity=-1).database
        except Spy32Error:  # settings that are wrong: the command itself will say so
            return []
        return list(recent_ids(database, letters, states))

    return complete
