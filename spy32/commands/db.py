"""`db`: is the database whole, a copy of it, the way back, and which of two copies of a home sends."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spy32.commands.common import Json, app_of

if TYPE_CHECKING:
    from spy32.wiring import App

BackupFile = Annotated[Path, typer.Argument(help="A backup, as `spy32 db backup` makes it.", show_default=False)]
NewFile = Annotated[Path | None, typer.Argument(help="Where to; a dated file in the backups folder if left out.")]
ADOPT = "adopt"
Force = Annotated[bool, typer.Option("--force", help="Also replace a database that has nothing wrong with it.")]


def check(ctx: typer.Context, json: Json = False) -> None:
    """Check pages, references, version and history; ends 74 when something is wrong. Changes nothing."""
    from spy32.errors import StoreTrouble
    from spy32.store import damage_of

    app = app_of(ctx)
    problems = app.reading(lapses=False).check()
    lines = [f"problem: {problem}" for problem in problems] or [f"{app.database}: no problem found"]
    _answer(app, lines, json, action="check", problems=list(problems))
    if problems:
        more = f" ({len(problems)} problems in all)" if len(problems) > 1 else ""
        app.warn(damage_of(app.database, f"{problems[0]}{more}").message)
        raise typer.Exit(StoreTrouble.code)


def backup(ctx: typer.Context, file: NewFile = None, json: Json = False) -> None:
    """Make a checked copy of the database while it is in use."""
    from spy32.store import backup_path

    app = app_of(ctx)
    made = app.reading(lapses=False).backup(file or backup_path(app.database, app.clock()))
    _answer(app, [f"backup: {made}"], json, action="backup", backup=str(made))


def restore(ctx: typer.Context, file: BackupFile, force: Force = False, json: Json = False) -> None:
    """Put a backup in the place of a lost or damaged database; what was there is moved aside, not deleted."""
    from spy32.errors import Refused
    from spy32.store import Store, is_sound

    app = app_of(ctx)
    with app.locks.hold_all():
        if not force and is_sound(app.database):
            raise Refused(f"{app.database} has nothing wrong with it; --force replaces it all the same")
        moved = Store.restore(file, app.database, mode=app.settings.mode, at=app.clock())
    lines = [f"restored: {app.database} from {file}"]
    lines += [f"moved aside: {moved}"] if moved is not None else []
    _answer(app, lines, json, action="restore", backup=str(file), moved=str(moved) if moved is not None else None)


def adopt(
    ctx: typer.Context,
    confirm: Annotated[
        str | None, typer.Option(metavar="WORD", help="`adopt`, instead of typing it, for scripts.")
    ] = None,
    json: Json = False,
) -> None:
    """Make this copy of a home the one that may send, after it was copied, moved, or restored somewhere else."""
    app = app_of(ctx)
    former = app.reading().former_place()
    if former is None:
        home = app.store().home_id()
        _answer(app, [f"{app.database} is where it belongs; nothing to adopt"], json, action="adopt", home=home)
        return
    app.warn(f"{app.database} was at {former}; from here on this copy sends orders, so no other one may")
    _confirm_adoption(app, confirm)
    home = app.store().claim_place(app.clock(), app.user)
    _answer(app, [f"adopted: {app.database} may send; it is home {home} now"], json, action="adopt", home=home)


def _confirm_adoption(app: "App", confirm: str | None) -> None:
    """`Usage` unless the word was given, or typed on a terminal."""
    from spy32.commands.consent import typed
    from spy32.errors import Usage

    if confirm is None and not app.is_interactive:
        raise Usage(f"without a terminal `db adopt` needs --confirm {ADOPT}; nothing was changed")
    said = confirm if confirm is not None else typed(f"spy32: type {ADOPT} to say so, anything else to leave: ")
    if said != ADOPT:
        raise Usage(f"the word is {ADOPT}; nothing was changed")


def _answer(app: "App", lines: list[str], json: bool, **facts: Any) -> None:
    from spy32.render.documents import emit
    from spy32.render.out import put

    if json:
        unsaid: dict[str, Any] = {"action": "", "problems": [], "backup": None, "moved": None, "home": None}
        emit(app.out, {"schema": "spy32.db", "version": 1, "database": str(app.database), **unsaid, **facts})
    else:
        put(app.out, "".join(f"{line}\n" for line in lines))
