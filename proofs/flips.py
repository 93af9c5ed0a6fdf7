"""One byte of a real database is changed at a time: every difference is seen, and nothing ends as a defect of spy32.

`python -m proofs.flips [COUNT] [SEED]`. Half of the bytes lie in a text of a row, the others anywhere in the file. Each
time come `db check`, `audit verify`, `show`, `status` and, in a copy, `execute` of an approved proposal. Counts flips
that change an answer while both checks find nothing, an `execute` that did something else than in the sound home, and
endings that are no answer (exit 70, a traceback, a signal). Goal: 0, 0, 0.
"""

import random
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from spy32.domain.market import RawDocument
from spy32.domain.spreads import Mode
from spy32.schema import AUDITED_TABLES
from spy32.store import Store
from spy32.wiring import PAPER_ACCOUNT
from tests.support import stores
from tests.support.builders import NOW, notice_text
from tests.support.forked import Ending, import_everything, run_forked

ANALYZE = ("analyze", "--market", "recorded", "--analyst", "rules", "--force")
CHECKS = (("db", "check"), ("audit", "verify"))
VIEWS = (("show",), ("show", "--history"), ("show", "R1"), ("status", "--json"))
ACT = ("execute", "P2")
CASH = Decimal(100_000)


@dataclass
class Tally:
    content: list[tuple[Any, ...]]
    """Of the sound database."""
    flips: int = 0
    checked: int = 0
    """By `db check` or `audit verify`."""
    by_status: int = 0
    """Of those, the ones that `status` or its exit code tells of as well."""
    silent: list[str] = field(default_factory=list)
    acted: list[str] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [*self.silent, *self.acted, *self.defects]


def template(folder: Path) -> Path:
    """A home with a trade, an approved proposal, and something in every table; its log is written back."""
    home = folder / "home"
    home.mkdir()
    (home / "config.toml").write_text('clock = "2025-10-06T14:00:00Z"\n')
    with Store.open(home / "paper.db", mode=Mode.PAPER, account=PAPER_ACCOUNT, at=NOW, opening_cash=CASH) as store:
        # Its strikes are not those of the shipped chain, so that a second proposal is made.
        stores.filled(store)
        stores.asked(store, 1)
        store.notices.add(notice_text(), NOW, run_id=1)
        store.flags.record("note", "a flag", NOW)
        store.attention.raise_item("R1", "note", "look at this", NOW)
        store.attention.acknowledge("R1", "anna", NOW)
        store.proposals.record_viewing(1, "anna", NOW)
        store.documents.save(1, (RawDocument(source="cboe", name="chain", at=NOW, body=b"{}" * 99),), NOW)
    for words in (ANALYZE, ("approve", "P2", "--yes")):
        ended = run_forked(home, *words)
        assert ended.code == 0, (words, ended)
    with Store.open(home / "paper.db", mode=Mode.PAPER, account=PAPER_ACCOUNT, at=NOW) as store:
        store.backup.create(home / "backups" / "paper-20251006T140000Z.db")
        # Without free space, in which a changed byte would mean nothing.
        store.core.db.execute("vacuum")
        store.core.db.execute("pragma wal_checkpoint(truncate)")
    return home


def texts_of(path: Path) -> list[tuple[int, int]]:
    """Where texts of rows stand in the file: offset and length of the first bytes of each."""
    data, found = path.read_bytes(), []
    with closing(sqlite3.connect(path)) as db:
        for table in (*AUDITED_TABLES, "event", "last_event"):
            cursor = db.execute(f"select * from {table}")
            for row in cursor.fetchall():
                for value in row:
                    start = data.find(value.encode()[:60]) if isinstance(value, str) and len(value) > 3 else -1
                    if start >= 0:
                        found.append((start, min(len(value.encode()), 60)))
    return found


def place_of(rng: random.Random, texts: list[tuple[int, int]], size: int, number: int) -> int:
    if number % 2:
        return rng.randrange(size)
    start, length = rng.choice(texts)
    return start + rng.randrange(length)


def content(path: Path) -> list[tuple[Any, ...]]:
    """Every row of every table."""
    with closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes
        names = [row[0].decode() for row in db.execute("select name from sqlite_master where type = 'table'")]
        return [row for name in sorted(names) for row in db.execute(f"select '{name}', * from {name}")]


def prove(count: int, seed: int = 32) -> Tally:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="spy32-flips-") as name:
        folder = Path(name)
        import_everything()
        home = template(folder)
        path, good = home / "paper.db", (home / "paper.db").read_bytes()
        texts, tally = texts_of(path), Tally(content(path))
        sound = {words: run_forked(home, *words) for words in (*CHECKS, *VIEWS)} | {ACT: _acted(home)}
        assert not any(ending.code for ending in sound.values()), sound
        for number in range(count):
            place = place_of(rng, texts, len(good), number)
            spoilt = bytearray(good)
            spoilt[place] ^= rng.choice((1, 4, 32, 128, rng.randrange(1, 256)))
            path.write_bytes(spoilt)
            where = f"byte {place}: {good[place]:#04x} -> {spoilt[place]:#04x}"
            _judge(home, where, sound, tally)
            for rest in ("-wal", "-shm"):
                path.with_name(path.name + rest).unlink(missing_ok=True)
    return tally


def _acted(home: Path) -> Ending:
    copy = home.parent / "copy" / "home"
    shutil.copytree(home, copy)
    try:
        return run_forked(copy, *ACT)
    finally:
        shutil.rmtree(copy)


def _judge(home: Path, where: str, sound: dict[tuple[str, ...], Ending], tally: Tally) -> None:
    now = {words: run_forked(home, *words) for words in (*CHECKS, *VIEWS)} | {ACT: _acted(home)}
    tally.flips += 1
    for words, ending in now.items():
        if not ending.is_answer:
            tally.defects.append(f"{where}: `{' '.join(words)}` ended {ending.code}: {ending.err.strip()[-300:]}")
    is_seen = any(now[words].code for words in CHECKS)
    tally.checked += is_seen
    tally.by_status += is_seen and now["status", "--json"] != sound["status", "--json"]
    if not is_seen and content(home / "paper.db") != tally.content:
        tally.silent.append(f"{where}: the rows are others")
    others = [" ".join(words) for words in (*VIEWS, ACT) if now[words] != sound[words]]
    if others and not is_seen:
        tally.silent.append(f"{where}: {', '.join(others)} answered otherwise")
    if now[ACT].code == 0 and now[ACT].out != sound[ACT].out:
        tally.acted.append(f"{where}: {now[ACT].out.strip()[:300]}")


def main(count: int = 1000, seed: int = 32) -> bool:
    tally = prove(count, seed)
    print(
        f"byte flips: {tally.flips}, {tally.checked} seen by a check ({tally.by_status} of them by status as well), "
        f"silent {len(tally.silent)}, orders changed {len(tally.acted)}, ended as a defect {len(tally.defects)}"
    )
    for line in tally.faults[:40]:
        print(f"    {line}")
    return not tally.faults and tally.flips == count


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:3])) else 1)
