"""A `crontab` of a machine in a test: it keeps one file, and has the faults that are asked for."""

from pathlib import Path

SCRIPT = """\
#!/bin/sh
case "$1" in
-l) {before_list}
    if [ -e {file} ]; then exec /bin/cat {file}; fi
    echo "no crontab for someone" >&2; exit 1 ;;
-) {before_write}
    /bin/cat > {file}.new && /bin/mv {file}.new {file} ;;
*) exit 2 ;;
esac
"""


def fake_crontab(folder: Path, crontab: bytes | None = None, *, before_list: str = "", before_write: str = "") -> Path:
    """Put the program into `folder`; the file that it keeps. `before_list` and `before_write` are shell commands."""
    file = folder / "spool-of-someone"
    if crontab is not None:
        file.write_bytes(crontab)
    program = folder / "crontab"
    program.write_text(SCRIPT.format(file=file, before_list=before_list, before_write=before_write))
    program.chmod(0o755)
    return file
