"""`config show` and `config init`."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of
from spy32.errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from spy32.settings.describe import Row


def show(ctx: typer.Context, json: Json = False) -> None:
    """Every setting, its value and where it came from; secrets are stars."""
    from spy32.render.documents import emit
    from spy32.render.out import is_screen, put
    from spy32.settings.describe import document, rows

    app = app_of(ctx)
    if json:
        emit(app.out, document(app.resolved))
    elif is_screen(app.out):
        app.out.print(_table(rows(app.resolved)))
    else:
        put(app.out, "".join(f"{row.key} = {row.shown}  ({row.origin})\n" for row in rows(app.resolved)))


def init(
    ctx: typer.Context, force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False
) -> None:
    """Write a config.toml that explains every key and changes nothing."""
    from spy32.render.out import put
    from spy32.settings.describe import config_text

    app = app_of(ctx)
    _write(app.locations.config, config_text(), force=force)
    with suppress(BadSettings):  # of the environment, which is no reason to write no file
        app.mark_set_up()
    put(app.out, f"wrote {app.locations.config}\n")


def _table(rows: "Sequence[Row]") -> "Table":
    """Cells fold on a narrow terminal, so nothing is ever cut."""
    from rich.table import Table

    table = Table("key", "value", "from", pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(row.key, row.shown, row.origin)
    return table


def _write(path: Path, text: str, *, force: bool) -> None:
    """Readable by its owner alone from the first byte on, and whole or not at all."""
    import os

    from spy32.errors import CannotCreate, Refused

    fresh = path.with_name(f"{path.name}.{os.getpid()}.new") if force else path
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as trouble:
        if os.path.lexists(path) and not force:
            raise Refused(f"{path} is there already; --force overwrites it") from None
        raise CannotCreate(f"{path} cannot be written: {trouble.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if force:
            fresh.replace(path)
    except OSError as trouble:
        with suppress(OSError):
            fresh.unlink()
        raise CannotCreate(f"{path} cannot be written: {trouble.strerror}") from None
