"""The store: one SQLite database a mode, which keeps every run, decision, order and fill, and can show that it did.

`Store` opens the database and holds one object of `records` a noun; `schema` has the tables. Every write is one
transaction that carries its own event in a hash-chained history. Money is exact, instants are UTC, and whatever SQLite
raises leaves as one of `spy32.errors`.
"""

import sqlite3
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, CannotCreate, StoreDamaged
from spy32.records import connection, maintenance
from spy32.records.audit import Audit
from spy32.records.base import Database, check_row, store_errors
from spy32.records.decisions import Decisions, Documents
from spy32.records.home import Flags, HomeLocation
from spy32.records.maintenance import Backups, Integrity
from spy32.records.marks import Marks
from spy32.records.model_calls import ModelCalls
from spy32.records.notices import AttentionList, Notices
from spy32.records.orders import FoundOrders, Orders
from spy32.records.proposals import Proposals
from spy32.records.run_views import RunViews
from spy32.records.runs import Runs
from spy32.records.trades import Trades
from spy32.schema import VERSION, schema_version

if TYPE_CHECKING:
    from spy32.records.adoptions import Adoptions
    from spy32.records.outcomes import Experiments, Outcomes
    from spy32.records.paper_account import PaperAccount
    from spy32.records.results import Results
    from spy32.records.risk import Risk

T = TypeVar("T")


class OnUse(Generic[T]):
    """A noun whose module is loaded when it is first asked for: looking at a run needs none of these."""

    def __init__(self, place: str) -> None:
        self._module, _, self._class = place.partition(":")

    def __set_name__(self, store: "type[Store]", name: str) -> None:
        self._name = name

    def __get__(self, store: "Store", kind: "type[Store]") -> T:
        noun: T = getattr(import_module(f"spy32.records.{self._module}"), self._class)(store.core)
        store.__dict__[self._name] = noun  # asked for there first from now on
        return noun


class Store:
    """An open database and one object a noun over it. Close it, or use it in a `with`."""

    adoptions: "OnUse[Adoptions]" = OnUse("adoptions:Adoptions")
    experiments: "OnUse[Experiments]" = OnUse("outcomes:Experiments")
    outcomes: "OnUse[Outcomes]" = OnUse("outcomes:Outcomes")
    paper: "OnUse[PaperAccount]" = OnUse("paper_account:PaperAccount")
    results: "OnUse[Results]" = OnUse("results:Results")
    risk: "OnUse[Risk]" = OnUse("risk:Risk")

    def __init__(self, core: Database) -> None:
        self.core = core
        self.location = HomeLocation(core)
        self.flags = Flags(core)
        self.attention = AttentionList(core)
        self.notices = Notices(core)
        self.audit = Audit(core)
        self.integrity = Integrity(core)
        self.backup = Backups(core)
        self.runs = Runs(core)
        self.decisions = Decisions(core)
        self.documents = Documents(core)
        self.model_calls = ModelCalls(core)
        self.proposals = Proposals(core)
        self.orders = Orders(core)
        self.found_orders = FoundOrders(core)
        self.trades = Trades(core)
        self.marks = Marks(core)
        self.history = RunViews(core)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        mode: Mode,
        account: str | None,
        at: datetime,
        read_only: bool = False,
        opening_cash: Decimal | None = None,
    ) -> "Store":
        """The database at `path`, checked to be ours, whole, of this mode and this account (None: of any).

        A missing one is made on the first run, and is damage when it was there before. An older one is backed up and
        migrated. `read_only` works in a folder where nothing may be written.
        """
        if not path.exists():
            _refuse_missing(path, read_only=read_only)
            try:
                connection.create_database(path, mode=mode, account=account or "", at=at, opening_cash=opening_cash)
            except CannotCreate:
                if not path.exists():  # otherwise another process made it in this very moment: theirs is as good
                    raise
        db = connection.open_read_only(path) if read_only else connection.open_read_write(path)
        try:
            store = cls._open_checked(db, path, mode, account)
            if not read_only:
                store._prepare_writing(at, account)
        except BaseException:
            db.close()
            raise
        return store

    @classmethod
    def _open_checked(cls, db: sqlite3.Connection, path: Path, mode: Mode, account: str | None) -> "Store":
        with store_errors(path):
            stamp = db.execute("select mode, account from stamp").fetchone()
        if stamp is None:
            raise StoreDamaged("it does not say whose it is", path)
        if stamp["mode"] != mode:
            _check_stamp(db, path)
            raise BadSettings(f"{path} is of mode {stamp['mode']}, not {mode}; each mode has its own database")
        if account and stamp["account"] and stamp["account"] != account:
            _check_stamp(db, path)
            raise _wrong_account(path, stamp["account"], account)
        return cls(Database(db, path, mode=mode, account=stamp["account"] or account or ""))

    def _prepare_writing(self, at: datetime, account: str | None) -> None:
        """What only a writer does: migrate after a backup, leave the marker, learn account and place once they are."""
        connection.write_marker(self.core.path, at)
        maintenance.upgrade(self.core, at)
        if account and self.core.has("select 1 from stamp where account = ''"):
            self._record_account(account, at)
        if self.core.mode is Mode.LIVE and not self.location.home_id() and not self.location.has_sent_orders():
            self.location.claim(at)

    def _record_account(self, account: str, at: datetime) -> None:
        with self.core.write_transaction(at, "account known") as change:
            change.update("stamp", 1, account=account)

    def bind_account(self, account: str, at: datetime) -> None:
        """`BadSettings` when this is the database of another account; one that knows none yet learns it.

        A store that only reads learns it for itself.
        """
        known = self.core.rows("select account from stamp")[0]["account"]
        if known and known != account:
            raise _wrong_account(self.core.path, known, account)
        if not known and not self.core.total("pragma query_only"):
            self._record_account(account, at)
        self.core.account = account

    def close(self) -> None:
        self.core.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_stamp(db: sqlite3.Connection, path: Path) -> None:
    """`StoreDamaged` when it is damage that makes a database another one's; an older layout cannot tell."""
    with store_errors(path):
        if schema_version(db) == VERSION:
            check_row(db, path, "stamp:1")


def _wrong_account(path: Path, theirs: str, ours: str) -> BadSettings:
    words = f"{path} is of the account …{theirs[-4:]}, not …{ours[-4:]}"
    return BadSettings(f"{words}; use another home for another account")


def _refuse_missing(path: Path, *, read_only: bool) -> None:
    """Judge a missing database: lost, or not there yet."""
    # Asked in this order, since another process may be making it at this moment.
    if connection.was_created(path) and not path.exists():
        marker = connection.marker_path(path)
        raise StoreDamaged(f"the file is gone (to begin anew on purpose, move {marker} and the backups away)", path)
    if read_only:
        raise BadUsage(f"nothing here yet ({path}); `spy32 analyze` makes the first run")
