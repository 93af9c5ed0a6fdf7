"""systemd user units: the same starts as the crontab's lines, and one catch-up after the machine was off."""

import re
from collections.abc import Mapping, Sequence

from spy32.ops.cron import SCHEDULED
from spy32.settings.model import Schedule

STOP_AFTER_SECONDS = 300
"""Beyond `schedule.run_deadline_seconds` before systemd stops a start: the wait for the lock, and the end of a run."""
PLAIN_WORD = re.compile(r"[\w@+=:,./-]+", re.ASCII)


def user_units(commands: Mapping[str, Sequence[str]], schedule: Schedule) -> dict[str, str]:
    """Return a service and a timer for each command, by file name. `commands` are argument lists by unit."""
    units = {}
    for name, arguments in commands.items():
        scheduled = SCHEDULED[name]
        units[f"spy32-{name}.service"] = f"""\
[Unit]
Description=spy32: {scheduled.purpose}

[Service]
Type=oneshot
ExecStart={" ".join(_unit_word(word) for word in arguments)}
TimeoutStartSec={schedule.run_deadline_seconds + STOP_AFTER_SECONDS}
Nice=5
"""
        units[f"spy32-{name}.timer"] = f"""\
[Unit]
Description=spy32: {scheduled.purpose}

[Timer]
OnCalendar={scheduled.calendar}
Persistent=true
AccuracySec=1min

[Install]
WantedBy=timers.target
"""
    return units


def units_text(units: Mapping[str, str], user: str) -> str:
    """Return all files one after the other, each under its path, and how to switch them on."""
    timers = " ".join(name for name in units if name.endswith(".timer"))
    head = f"""\
# spy32 as systemd user timers, instead of crontab lines. Put each part into the file that its first line names; then
#   systemctl --user daemon-reload && systemctl --user enable --now {timers}
# They run while {user} is logged in; this lets them run always:
#   loginctl enable-linger {user}
# systemd sends no mail: `systemctl --user --failed` shows what failed, `journalctl --user -u spy32-analyze` its words.
"""
    return "\n".join([head, *(f"# ~/.config/systemd/user/{name}\n{text}" for name, text in units.items())])


def _unit_word(word: str) -> str:
    """Return a word as ExecStart= takes it: quoted where needed, % and $ doubled (systemd.service(5))."""
    if PLAIN_WORD.fullmatch(word) is not None:
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
