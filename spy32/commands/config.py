"""`config show` and `config init`."""

from contextlib import suppress
from typing import Annotated

import typer

from spy32.commands.common import get_app, print_document, print_lines, print_page
from spy32.errors import BadSettings


def show(ctx: typer.Context) -> None:
    """Every setting, its value and where it came from; secrets are stars."""
    from spy32.render.output import is_full_terminal
    from spy32.settings.describe import rows

    app = get_app(ctx)
    found = rows(app.resolved_settings)
    if app.wants_json:
        from spy32.render.home_documents import CONFIG, SettingsList

        print_document(app, CONFIG, SettingsList(settings=found))
    elif is_full_terminal(app.out):
        from spy32.render.page import Page, noun_grid

        columns = {"key": "key", "value~": "display", "from~": "origin"}
        print_page(app, Page(parts=(noun_grid("setting", "Settings", found, columns),)))
    else:
        print_lines(app, (f"{row.key} = {row.display}  ({row.origin})" for row in found))


def init(
    ctx: typer.Context, force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False
) -> None:
    """Write a config.toml that explains every key and changes nothing."""
    from spy32.settings.describe import config_text
    from spy32.wiring.process import write_file

    app = get_app(ctx)
    write_file(app.locations.config, config_text(), replaces=force)
    with suppress(BadSettings):  # of the environment, which is no reason to write no file
        app.mark_set_up()
    print_lines(app, [f"wrote {app.locations.config}"])
