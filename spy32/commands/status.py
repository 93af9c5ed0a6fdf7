"""`status`: how things stand, and whether a person must look."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of
from spy32.errors import Attention, Damage, StoreTrouble, Usage

if TYPE_CHECKING:
    from spy32.ops.status import Status
    from spy32.wiring import App


def status(
    ctx: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Quiet and 0 when all is well; otherwise the reasons, and 20.")
    ] = False,
    ack: Annotated[
        str | None, typer.Option("--ack", help="You have looked at it: P31, T31 or R31 is no longer listed.")
    ] = None,
    json: Json = False,
) -> None:
    """Mode, last run, next slot, and what waits for a person."""
    app = app_of(ctx)
    if ack is not None and _acknowledged(app, ack.upper()) == 0:
        raise Usage(f"nothing of {ack} waits to be acknowledged; `spy32 status` lists what does")
    found = _checked(app) if check else _look(app)
    if json:
        _emit(app, found, check=check)
    elif not check:
        from spy32.render.out import show
        from spy32.render.status import status_page

        show(app.out, status_page(found))
    elif found.attention:
        raise Attention(_reasons(found))


def _acknowledged(app: "App", subject: str) -> int:
    from spy32.ops.overdue import acknowledge

    return acknowledge(app.store(), subject, app.user, app.clock())


def _look(app: "App") -> "Status":
    from spy32.ops.status import Scene, look

    scene = Scene(
        settings=app.settings,
        locks=app.locks,
        home=str(app.locations.home or app.locations.data),
        database=str(app.database),
        halted=app.halted(),
        set_up_at=app.set_up_at(),
        now=app.clock(),
    )
    try:
        store = app.reading()
    except Usage:  # there is none yet
        store = None
    return look(scene, store)


def _checked(app: "App") -> "Status":
    """For a monitor a damaged store is one more thing that a person must look at."""
    from spy32.store import damage_of

    try:
        return _look(app)
    except Damage as damage:
        raise Attention(damage_of(app.database, damage.message).message) from None
    except StoreTrouble as trouble:
        raise Attention(trouble.message) from None


def _emit(app: "App", found: "Status", *, check: bool) -> None:
    """The document is the answer, so that a check that fails adds only its code, not a second document."""
    from spy32.render.documents import emit
    from spy32.render.status import status_document

    emit(app.out, status_document(found))
    if check and found.attention:
        raise typer.Exit(Attention.code)


def _reasons(found: "Status") -> str:
    from spy32.render.words import flat

    return "; ".join(flat(reason) for reason in found.attention)
