"""Our block in a user's crontab: put in and taken out again, with every other byte as it was.

A crontab is bytes here, because the lines of others may be in any encoding.
"""

import io
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import unified_diff
from itertools import pairwise
from pathlib import Path

from spy32.domain.sanitize import strip_controls
from spy32.domain.value import value
from spy32.errors import CannotCreate, Refused, ServiceGone, StoreError, Unavailable
from spy32.ops.cron import VARIABLE, global_options

BEGIN, END = b"# >>> spy32 (do not edit) >>>", b"# <<< spy32 <<<"
NO_LINE_END = b"# The line above this block had no line end, and gets none again when the block goes."
PROGRAM = re.compile(r"""(?:^|[\s/'"=;&|(])spy32(?=$|[\s'";&|)])""")
"""A word of a command that is spy32, with or without a folder or `python -m`; a folder of that name is none."""
OTHER_PROFILE = re.compile(r"--profile[ =](?!default(?:\s|$))")
"""A line of its own for another profile starts nothing twice."""
TIMEOUT_SECONDS = 10
"""`crontab` answers at once; one on a hanging network disk must not hold a person."""


@value
class CrontabEdit:
    """A crontab as it is, and as it is going to be."""

    before: bytes
    after: bytes

    @property
    def is_change(self) -> bool:
        return self.before != self.after

    @property
    def diff(self) -> str:
        """A unified diff for people, without control characters. Bytes that are not UTF-8 are escaped."""
        before, after = _diff_lines(self.before), _diff_lines(self.after)
        return "".join(f"{line}\n" for line in unified_diff(before, after, "crontab", "crontab (new)", lineterm=""))


def _diff_lines(crontab: bytes) -> list[str]:
    lines = _decode(crontab).split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def install_edit(crontab: bytes, lines: Sequence[str]) -> CrontabEdit:
    """Return the edit that makes `lines` our block: in the place of the block that is there, else at the end.

    Raises `Refused` when a line outside the block runs spy32, when the block is of another home or mode, or when the
    markers do not pair.
    """
    above, block, below = _partition(crontab, lines)
    _refuse_foreign_starts(above, first=1)
    _refuse_foreign_starts(below, first=len(above) + len(block) + 1)
    text = b"".join(above)
    lacks_line_end = NO_LINE_END + b"\n" in block or (not block and bool(text) and not text.endswith(b"\n"))
    if lacks_line_end and not block:
        text += b"\n"
    notes = [NO_LINE_END] if lacks_line_end else []
    new = b"".join(line + b"\n" for line in (BEGIN, *notes, *(line.encode() for line in lines), END))
    return CrontabEdit(before=crontab, after=text + new + b"".join(below))


def removal_edit(crontab: bytes, lines: Sequence[str]) -> CrontabEdit:
    """Return the edit that takes our block out, if there is one.

    Raises `Refused` for a block of another home or mode than `lines`, and for markers that do not pair.
    """
    above, block, below = _partition(crontab, lines)
    text = b"".join(above)
    if NO_LINE_END + b"\n" in block and not below:
        text = text.removesuffix(b"\n")
    return CrontabEdit(before=crontab, after=text + b"".join(below))


def _partition(crontab: bytes, lines: Sequence[str]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return the lines above our block, those of the block, and those below it, with their ends.

    Without a block all are above. Raises `Refused` for a block of another home or mode than `lines`.
    """
    rows = io.BytesIO(crontab).readlines()  # only a newline ends a line, as for cron
    start, end = _find_block(rows) or (len(rows), len(rows))
    _refuse_foreign_block(rows[start:end], lines)
    return rows[:start], rows[start:end], rows[end:]


def _find_block(rows: list[bytes]) -> tuple[int, int] | None:
    begins = [number for number, row in enumerate(rows) if row.strip() == BEGIN]
    ends = [number for number, row in enumerate(rows) if row.strip() == END]
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins > ends:
        numbers = ", ".join(str(number + 1) for number in sorted(begins + ends))
        raise Refused(
            f"the marks of spy32 in the crontab are not one pair (lines {numbers}); mend it with `crontab -e`"
        )
    return begins[0], ends[0] + 1


def _refuse_foreign_starts(rows: list[bytes], *, first: int) -> None:
    """Raise `Refused` for a line that runs spy32 for the default profile: it would start it twice.

    The rows are outside the block, and `first` is the number of the first one.
    """
    for number, row in enumerate(rows, first):
        text = _decode(row).strip()
        if text.startswith("#") or VARIABLE.fullmatch(text) is not None:
            continue
        if PROGRAM.search(text) is not None and OTHER_PROFILE.search(text) is None:
            raise Refused(
                f"line {number} of the crontab runs spy32 outside the block of `schedule install`: {text}; "
                "take it out with `crontab -e`, or keep your own lines"
            )


def _refuse_foreign_block(block: list[bytes], lines: Sequence[str]) -> None:
    """Raise `Refused` when a line of the block starts spy32 for a home or mode that none of `lines` is for."""
    ours = {_home_options(line) for line in lines}
    for row in block:
        text = _decode(row).strip()
        if text.startswith("#") or PROGRAM.search(text) is None or (options := _home_options(text)) in ours:
            continue
        named = shlex.join(options)
        owner = f"of `{named}`" if named else "of the default home, with neither --home nor --mode"
        command = " ".join(["spy32", *([named] if named else []), "schedule remove"])
        raise Refused(f"the block of spy32 in the crontab is {owner}; `{command}` takes it out")


def _home_options(line: str) -> tuple[str, ...]:
    """Return the options of a crontab line that name its home and mode, as `global_options` does."""
    try:
        words = shlex.split(line.replace("\\%", "%"))
    except ValueError:  # an open quote of an edit by hand
        words = line.split()
    given = {option: word for option, word in pairwise(words) if option in {"--home", "--mode"}}
    home = given.get("--home")
    return global_options(Path(home) if home is not None else None, given.get("--mode"))


def _decode(text: bytes) -> str:
    return strip_controls(text.decode("utf-8", "backslashreplace"))


# The program.


def read_crontab() -> bytes:
    """Return this user's crontab, empty when there is none.

    Raises `ServiceGone` on a machine without `crontab`, and `StoreError` when it cannot be read.
    """
    ended = _run_crontab("-l")
    if ended.returncode == 0:
        return ended.stdout
    if b"no crontab" in ended.stderr:  # crontab(1): status 1 and these words
        return b""
    raise StoreError(f"the crontab cannot be read: {_last_words(ended)}")


def replace_crontab(edit: CrontabEdit, backups: Path, now: datetime) -> Path:
    """Write the crontab, read it again and compare. Returns the backup of the one before.

    Raises `CannotCreate` without a backup, `Unavailable` when somebody changed the crontab meanwhile, and `StoreError`
    when it cannot be written or is not what was written.
    """
    backup = _back_up(edit.before, backups, now)
    if read_crontab() != edit.before:
        raise Unavailable("the crontab was changed meanwhile by somebody else; nothing was written, look again")
    written = edit.after
    ended = _write_crontab(written)
    if ended.returncode and written and not written.endswith(b"\n"):
        # Debian's crontab takes no last line without its end, and cron would ignore it.
        written += b"\n"
        ended = _write_crontab(written)
    if ended.returncode:
        raise StoreError(f"the crontab cannot be written: {_last_words(ended)}; it is as it was")
    if read_crontab() != written:
        raise StoreError(f"the crontab is not what was written; `crontab {backup}` puts back the one before")
    return backup


def _back_up(crontab: bytes, folder: Path, now: datetime) -> Path:
    """Write a new file with the date in its name, for its owner only."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(prefix=f"crontab-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-", dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(crontab)
    except OSError as error:
        raise CannotCreate(f"no backup of the crontab in {folder} ({error.strerror}); nothing was changed") from None
    return Path(name)


def _write_crontab(crontab: bytes) -> "subprocess.CompletedProcess[bytes]":
    # From a file: if this process is killed, a pipe would end early, and half a crontab would be taken.
    with tempfile.TemporaryFile() as file:
        file.write(crontab)
        file.seek(0)
        return _run_crontab("-", stdin=file.fileno())


def _run_crontab(argument: str, stdin: int = subprocess.DEVNULL) -> "subprocess.CompletedProcess[bytes]":
    program = shutil.which("crontab")
    if program is None:
        raise ServiceGone(
            "there is no `crontab` on this machine; install cron, or use the timers of `schedule show --systemd`"
        )
    try:
        return subprocess.run(  # noqa: S603 - no shell
            [program, argument],
            stdin=stdin,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"`crontab {argument}` did not work: {error}") from None


def _last_words(ended: "subprocess.CompletedProcess[bytes]") -> str:
    lines = _decode(ended.stderr).strip().splitlines()
    return f"`crontab` ended {ended.returncode}{f', {lines[-1]}' if lines else ''}"
