"""The tables, and how an older database becomes a newer one: plain functions, applied in order, in one transaction.

Columns hold what is queried or compared; `body` holds the rest of a noun as canonical JSON. Money is INTEGER
ten-thousandths of a dollar (`_e4`), instants are RFC 3339 text in UTC, dates ISO text. Rows are ordered by id, since
times may repeat. Nothing is ever deleted; what must not change either is guarded by triggers.
"""

import sqlite3
from collections.abc import Callable, Sequence

from spy32.errors import StoreTrouble

APPLICATION_ID = 0x53503332
"""`SP32` in the file's header, so that `file` and we can tell whose database it is."""

Migration = Callable[[sqlite3.Connection], None]

_TABLES = (
    """create table stamp (
        id integer primary key check (id = 1),
        mode text not null,
        account text not null,
        created_at text not null
    ) strict""",
    """create table run (
        id integer primary key,
        started_by text not null,
        mode text not null,
        profile text not null,
        slot text,
        late integer not null,
        forced_from integer references run,
        started_at text not null,
        step_running text,
        ended_at text,
        outcome text,
        cause text,
        exit_code integer not null default 0,
        reasons text not null default '[]',
        ruling text
    ) strict""",
    """create table step (
        id integer primary key,
        run_id integer not null references run,
        name text not null,
        state text not null,
        ms integer not null,
        detail text not null,
        ended_at text not null
    ) strict""",
    # The compressed chain is the last column, so that reading the line of a run never touches its pages.
    """create table snapshot (
        id integer primary key,
        run_id integer not null unique references run,
        at text not null,
        line text not null,
        quality text not null,
        deciding text,
        data blob not null
    ) strict""",
    """create table menu (
        id integer primary key,
        run_id integer not null unique references run,
        at text not null,
        body text not null,
        dropped blob not null
    ) strict""",
    """create table candidate (
        id integer primary key,
        run_id integer not null references run,
        position integer not null,
        candidate_id text not null,
        body text not null,
        unique (run_id, candidate_id)
    ) strict""",
    """create table answer (
        id integer primary key,
        run_id integer not null references run,
        role text not null,
        at text not null,
        analyst text not null,
        decision text not null,
        cost_ticks integer not null,
        body text not null,
        request text not null,
        response text not null
    ) strict""",
    """create table proposal (
        id integer primary key,
        run_id integer not null references run,
        kind text not null check (kind in ('open', 'close')),
        state text not null,
        profile text not null,
        hash text not null,
        quantity integer not null check (quantity > 0),
        max_loss_e4 integer not null,
        trade_id integer references trade,
        created_at text not null,
        changed_at text not null,
        reason text not null default '',
        body text not null,
        order_body text not null,
        first_body text not null,
        first_order_body text not null
    ) strict""",
    """create table approval (
        id integer primary key,
        proposal_id integer not null references proposal,
        hash text not null,
        approved_by text not null,
        at text not null,
        until text not null,
        body text not null
    ) strict""",
    """create table broker_order (
        id integer primary key,
        proposal_id integer not null references proposal,
        approval_id integer not null references approval,
        reference text not null unique,
        kind text not null,
        mode text not null,
        account text not null,
        body text not null,
        body_hash text not null,
        limit_e4 integer not null,
        quantity integer not null check (quantity > 0),
        state text not null,
        created_at text not null,
        market_day text not null,
        changed_at text not null,
        broker_id text,
        broker_status text not null default '',
        replaces integer references broker_order,
        filled integer not null default 0,
        fees_e4 integer not null default 0,
        reason text not null default ''
    ) strict""",
    """create table fill (
        id integer primary key,
        order_id integer not null references broker_order,
        fill_id text not null,
        symbol text not null,
        action text not null,
        quantity integer not null check (quantity > 0),
        price_e4 integer not null,
        at text not null,
        unique (order_id, fill_id, symbol)
    ) strict""",
    """create table trade (
        id integer primary key,
        proposal_id integer not null unique references proposal,
        run_id integer not null references run,
        mode text not null,
        state text not null,
        quantity integer not null check (quantity > 0),
        closed_quantity integer not null default 0,
        premium_e4 integer not null,
        paid_e4 integer not null default 0,
        fees_e4 integer not null,
        max_loss_e4 integer not null,
        opened_at text not null,
        changed_at text not null,
        closed_at text,
        closed_day text,
        result_e4 integer,
        reason text not null default '',
        body text not null
    ) strict""",
    """create table mark (
        id integer primary key,
        trade_id integer not null references trade,
        at text not null,
        body text not null
    ) strict""",
    """create table cash (
        id integer primary key,
        book text not null check (book in ('account', 'paper')),
        kind text not null,
        amount_e4 integer not null,
        at text not null,
        order_id integer references broker_order,
        paper_order_id integer references paper_order
    ) strict""",
    """create table paper_order (
        id integer primary key,
        broker_id text not null unique,
        reference text not null unique,
        status text not null,
        limit_e4 integer not null,
        quantity integer not null check (quantity > 0),
        placed_at text not null,
        replaces text,
        replaced_by text,
        reason text not null default '',
        fees_e4 integer,
        fills text not null default '[]',
        legs text not null,
        body text not null
    ) strict""",
    """create table notice (
        id integer primary key,
        run_id integer references run,
        subject text not null,
        body text not null,
        created_at text not null,
        sent_at text,
        tries integer not null default 0,
        error text not null default ''
    ) strict""",
    """create table flag (
        id integer primary key,
        name text not null unique,
        value text,
        at text not null
    ) strict""",
    """create table event (
        id integer primary key,
        at text not null,
        kind text not null,
        subject text not null,
        data text not null,
        previous text not null,
        hash text not null unique
    ) strict""",
)

_INDEXES = (
    "create index run_started on run (started_at)",
    "create index run_slot on run (profile, slot)",
    "create index run_forced on run (forced_from) where forced_from is not null",
    "create index run_open on run (id) where outcome is null",
    "create index run_trouble on run (id) where outcome in ('failed', 'interrupted')",
    "create index step_of_run on step (run_id)",
    "create index candidate_of_run on candidate (run_id)",
    "create index answer_of_run on answer (run_id)",
    "create index proposal_of_run on proposal (run_id, kind)",
    "create index proposal_state on proposal (state)",
    "create index proposal_of_trade on proposal (trade_id) where trade_id is not null",
    "create index approval_of_proposal on approval (proposal_id)",
    "create index order_of_proposal on broker_order (proposal_id)",
    "create index order_state on broker_order (state)",
    "create index order_day on broker_order (market_day)",
    "create index order_replaces on broker_order (replaces) where replaces is not null",
    # At most one request of a proposal may be out without an answer, ...
    """create unique index order_unanswered on broker_order (proposal_id)
        where state in ('submitting', 'unknown')""",
    # ... and an approval begins at most one order ever; all that follow replace another.
    "create unique index order_of_approval on broker_order (approval_id) where replaces is null",
    "create index fill_of_order on fill (order_id)",
    "create index trade_state on trade (state)",
    "create index trade_of_run on trade (run_id)",
    "create index trade_closed on trade (closed_day) where closed_day is not null",
    "create index mark_of_trade on mark (trade_id)",
    "create index cash_book on cash (book)",
    "create index notice_pending on notice (id) where sent_at is null",
)

APPEND_ONLY = ("event", "step", "snapshot", "menu", "candidate", "answer", "approval", "fill", "mark", "cash")
KEPT = ("stamp", "run", "proposal", "broker_order", "trade", "paper_order", "notice", "flag")
"""Rows that live: they may change, but never go."""
RECORDED = tuple(table for table in (*APPEND_ONLY, *KEPT) if table != "event")
"""Tables whose rows the history speaks of."""


def version_1(db: sqlite3.Connection) -> None:
    """The first layout."""
    for statement in (*_TABLES, *_INDEXES):
        db.execute(statement)
    for table in APPEND_ONLY:
        db.execute(_guard(table, "update", "is never changed"))
    for table in (*APPEND_ONLY, *KEPT):
        db.execute(_guard(table, "delete", "is never deleted from"))


def _guard(table: str, verb: str, why: str) -> str:
    return f"create trigger {table}_no_{verb} before {verb} on {table} begin select raise(abort, '{table} {why}'); end"


MIGRATIONS: Sequence[Migration] = (version_1,)
"""Migration n (from 1) takes a database of version n - 1 to version n. Only ever append."""
VERSION = len(MIGRATIONS)


def version_of(db: sqlite3.Connection) -> int:
    """`user_version`: 0 in a new file, else how many migrations made it."""
    return int(db.execute("pragma user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the database to the newest version, wholly or not at all; returns the version that it had.

    `executescript` is never used: it would commit the open transaction first. Foreign keys rest meanwhile, so that a
    table can be rebuilt, and are checked before the commit.
    """
    db.execute("pragma foreign_keys = off")
    db.execute("begin immediate")
    try:
        was = version_of(db)
        for migration in migrations[was:]:
            migration(db)
        if was < len(migrations):
            broken = db.execute("pragma foreign_key_check").fetchone()
            if broken is not None:
                raise StoreTrouble(f"the migration from version {was} would break a reference of table {broken[0]}")
            db.execute(f"pragma application_id = {APPLICATION_ID}")
            db.execute(f"pragma user_version = {len(migrations)}")
        db.execute("commit")
    finally:
        if db.in_transaction:
            db.execute("rollback")
        db.execute("pragma foreign_keys = on")
    return was
