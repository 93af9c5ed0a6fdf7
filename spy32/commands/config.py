"""`config show` and `config init`."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from spy32.commands.common import Json, get_app
from spy32.errors import BadSettings


def show(ctx: typer.Context, json: Json = False) -> None:
    """Every setting, its value and where it came from; secrets are stars."""
    from spy32.render.output import is_full_terminal, print_page, write_text
    from spy32.settings.describe import rows

    app = get_app(ctx)
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import CONFIG, Settings

        print_document(app.out, CONFIG, Settings(settings=tuple(rows(app.resolved_settings))))
    elif is_full_terminal(app.out):
        from spy32.render.page import Page, noun_grid

        columns = {"key": "key", "value~": "display", "from~": "origin"}
        print_page(app.out, Page(parts=(noun_grid("setting", "Settings", rows(app.resolved_settings), columns),)))
    else:
        write_text(
            app.out, "".join(f"{row.key} = {row.display}  ({row.origin})\n" for row in rows(app.resolved_settings))
        )


def init(
    ctx: typer.Context, force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False
) -> None:
    """Write a config.toml that explains every key and changes nothing."""
    from spy32.render.output import write_text
    from spy32.settings.describe import config_text

    app = get_app(ctx)
    _write_config(app.locations.config, config_text(), force=force)
    with suppress(BadSettings):  # of the environment, which is no reason to write no file
        app.mark_set_up()
    write_text(app.out, f"wrote {app.locations.config}\n")


def _write_config(path: Path, text: str, *, force: bool) -> None:
    """Readable by its owner alone from the first byte on, and whole or not at all."""
    import os

    from spy32.errors import CannotCreate, Refused

    temporary = path.with_name(f"{path.name}.{os.getpid()}.new") if force else path
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        if os.path.lexists(path) and not force:
            raise Refused(f"{path} is there already; --force overwrites it") from None
        raise CannotCreate(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if force:
            temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise CannotCreate(f"{path} cannot be written: {error.strerror}") from None
