"""Marks of open trades."""

import sqlite3
from datetime import date

from spy32.domain.marks import Mark
from spy32.records.base import Records
from spy32.records.encoding import decode_body, format_day_start

_USABLE = "json_array_length(body, '$.flags') = 0 and json_extract(body, '$.mid') is not null"
"""SQL condition: `Mark.is_usable`."""


class Marks(Records):
    """What closing each trade would have cost, by every start of `manage`."""

    def select(self, trade_id: int, *, newest: int | None = None) -> tuple[Mark, ...]:
        """Return the marks of a trade, oldest first: all, or only so many of the newest."""
        query = "select * from mark where trade_id = ? order by id desc limit ?"
        return self._core.select(_mark, query, trade_id, -1 if newest is None else newest)[::-1]

    def latest(self, trade_id: int) -> Mark | None:
        """Return the newest mark of a trade; None before the first one."""
        return next(iter(self.select(trade_id, newest=1)), None)

    def latest_usable(self, trade_id: int, *, before: date | None = None) -> Mark | None:
        """Return the newest mark of a trade that may decide, or the newest before a New York day; None without one."""
        query = f"select * from mark where trade_id = ?1 and (?2 is null or at < ?2) and {_USABLE} order by id desc"
        return self._core.find(_mark, query, trade_id, None if before is None else format_day_start(before))

    def select_sessions(self, trade_id: int) -> tuple[Mark, ...]:
        """Return the newest usable mark of each session of a trade, oldest first.

        A session begins and ends on one day of UTC.
        """
        query = f"""select * from mark where id in (
            select max(id) from mark where trade_id = ? and {_USABLE} group by substr(at, 1, 10)) order by id"""
        return self._core.select(_mark, query, trade_id)

    def add(self, mark: Mark) -> None:
        """Store a mark. Raises `BadUsage` for a trade that there is not."""
        with self._core.write_transaction(mark.at, "marked", f"T{mark.trade_id}") as change:
            self._core.get_row("trade", mark.trade_id)
            change.insert("mark", trade_id=mark.trade_id, at=change.at, body=mark)


def _mark(row: sqlite3.Row) -> Mark:
    """Before layout 6 a mark had neither time nor source of its quotes; its own time is taken for theirs."""
    body = row["body"]
    missing = {} if '"as_of":' in body else {"as_of": row["at"], "source": ""}
    return decode_body(Mark, body, f"a mark of T{row['trade_id']}", **missing)
