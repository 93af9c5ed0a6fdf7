"""`db`: is the database whole, a copy of it, the way back, and which of two copies of a home sends."""

from pathlib import Path
from typing import Annotated, Any

import typer

from spy32.commands.common import App, get_app, print_answer
from spy32.commands.confirmation import prompt_line
from spy32.errors import BadUsage, ExitCode, Refused

BackupFile = Annotated[Path, typer.Argument(help="A backup, as `spy32 db backup` makes it.", show_default=False)]
NewFile = Annotated[Path | None, typer.Argument(help="Where to; a dated file in the backups folder if left out.")]
ADOPT_WORD = "adopt"
Force = Annotated[bool, typer.Option("--force", help="Also replace a database that has nothing wrong with it.")]


def check(ctx: typer.Context) -> None:
    """Check pages, references, version and history; ends 74 when something is wrong. Changes nothing."""
    from spy32.records.maintenance import damage_with_remedy

    app = get_app(ctx)
    problems = app.open_for_reading(lapses=False).integrity.check()
    lines = [f"problem: {problem}" for problem in problems] or [f"{app.database}: no problem found"]
    _print_answer(app, lines, action="check", problems=list(problems))
    if problems:
        suffix = f" ({len(problems)} problems in all)" if len(problems) > 1 else ""
        app.warn(damage_with_remedy(app.database, f"{problems[0]}{suffix}").message)
        raise typer.Exit(ExitCode.STORE_ERROR)


def backup(ctx: typer.Context, file: NewFile = None) -> None:
    """Make a checked copy of the database while it is in use."""
    from spy32.records.maintenance import backup_path

    app = get_app(ctx)
    backup_file = app.open_for_reading(lapses=False).backup.create(file or backup_path(app.database, app.clock()))
    _print_answer(app, [f"backup: {backup_file}"], action="backup", backup=str(backup_file))


def restore(ctx: typer.Context, file: BackupFile, force: Force = False) -> None:
    """Put a backup in the place of a lost or damaged database; what was there is moved aside, not deleted."""
    from spy32.records import maintenance

    app = get_app(ctx)
    with app.locks.hold_all():
        if not force and maintenance.is_sound(app.database):
            raise Refused(f"{app.database} has nothing wrong with it; --force replaces it all the same")
        moved_aside = maintenance.restore(file, app.database, mode=app.settings.mode, at=app.clock())
    moved = None if moved_aside is None else str(moved_aside)
    lines = [f"restored: {app.database} from {file}", *([] if moved is None else [f"moved aside: {moved}"])]
    _print_answer(app, lines, action="restore", backup=str(file), moved=moved)


def adopt(
    ctx: typer.Context,
    confirm: Annotated[
        str | None, typer.Option(metavar="WORD", help="`adopt`, instead of typing it, for scripts.")
    ] = None,
) -> None:
    """Make this copy of a home the one that may send, after it was copied, moved, or restored somewhere else."""
    app = get_app(ctx)
    former = app.open_for_reading().location.former_place()
    if former is None:
        home = app.store().location.home_id()
        _print_answer(app, [f"{app.database} is where it belongs; nothing to adopt"], action="adopt", home=home)
        return
    app.warn(f"{app.database} was at {former}; from here on this copy sends orders, so no other one may")
    if confirm is None and not app.is_interactive:
        raise BadUsage(f"without a terminal `db adopt` needs --confirm {ADOPT_WORD}; nothing was changed")
    answer = confirm or prompt_line(f"spy32: type {ADOPT_WORD} to say so, anything else to leave: ")
    if answer != ADOPT_WORD:
        raise BadUsage(f"the word is {ADOPT_WORD}; nothing was changed")
    home = app.store().location.claim(app.clock(), app.user)
    _print_answer(app, [f"adopted: {app.database} may send; it is home {home} now"], action="adopt", home=home)


def _print_answer(app: App, lines: list[str], *, action: str, **facts: Any) -> None:
    from spy32.render.home_documents import DATABASE, DatabaseAction

    if action != "check":
        app.log.write("progress", "; ".join(lines))
    print_answer(app, DATABASE, DatabaseAction(database=str(app.database), action=action, **facts), lines)
