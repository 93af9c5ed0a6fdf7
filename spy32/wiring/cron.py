"""How cron starts this program on this machine, and the crontab that is installed."""

import shutil
import sys
from typing import TYPE_CHECKING

from spy32.errors import ServiceGone, StoreError
from spy32.ops.cron import program_arguments, start_commands

if TYPE_CHECKING:
    from spy32.wiring.base import AppBase


def find_start_commands(app: "AppBase") -> dict[str, tuple[str, ...]]:
    """The commands that the machine starts, of this program, home and mode."""
    program = program_arguments(sys.argv[0], sys.executable, shutil.which)
    return start_commands(program, home=app.locations.home, mode=app.flags.get("mode"))


def read_installed_crontab() -> str | StoreError | None:
    """This user's crontab, empty when there is none; why it cannot be read; None without cron."""
    from spy32.ops.crontab import read_crontab

    try:
        return read_crontab().decode(errors="replace")
    except ServiceGone:
        return None
    except StoreError as error:
        return error
