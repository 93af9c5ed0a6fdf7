"""`doctor`: what is broken, and the command that mends it."""

from typing import Annotated

import typer

from spy32.commands.common import get_app, print_answer
from spy32.errors import ExitCode


def doctor(
    ctx: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no service; those checks are left out.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="Only this check or group; may be repeated.")
    ] = None,
) -> None:
    """Check installation, settings, files, database, schedule and services; changes nothing.

    Ends 0 when nothing failed (a warning may be harmless), else 78. With -v every check is listed.
    """
    from spy32.ops.doctor import ONLINE_GROUPS, run_checks, select_checks
    from spy32.ops.doctor.base import group_of
    from spy32.render.doctor import DOCTOR, doctor_page
    from spy32.render.output import is_full_terminal
    from spy32.wiring.doctor import doctor_context

    app, checks = get_app(ctx), select_checks(only or ())
    is_online = not offline and any(group_of(check_id) in ONLINE_GROUPS for check_id in checks)
    with doctor_context(app, is_online=is_online) as context:
        examination = run_checks(checks, context)
    every = app.verbosity > 0 or bool(only)
    page = doctor_page(examination, every=every, as_lines=not is_full_terminal(app.out))
    print_answer(app, DOCTOR, examination, page)
    if not examination.is_ok:
        raise typer.Exit(ExitCode.BAD_SETTINGS)
