"""The statements of layouts 5 and 6, which version 0.4 brings; `tables` has the older ones and their conventions."""

LAYOUT_5 = (
    # Which home this database belongs to, and where that home was when it was last confirmed as the only one.
    "alter table stamp add column home_id text",
    "alter table stamp add column machine text",
    "alter table stamp add column place text",
    # The exit plan that took the place of the approved one, since the trade was opened below its floor.
    "alter table trade add column exits text",
    "alter table run add column recorded integer",  # 1 on a recorded market, which uses up no slot of the live one
    # When an order was found at the broker that this book did not have, and who said that an absent one is not alive.
    "alter table broker_order add column adopted_at text",
    "alter table broker_order add column settled_by text",
    # Who ended an order that is refused or absent, and 1 while the rest holds. Null elsewhere, so that the digests of
    # older rows stay as they are.
    """alter table broker_order add column ended_by text
        check (ended_by in ('broker', 'halt', 'too_late', 'not_sent', 'person'))""",
    "alter table broker_order add column replaced_by_hand integer",
    "alter table broker_order add column unclear integer",
    "alter table broker_order add column cancelling integer",
    # What a person must look at and acknowledge; it stays in `status` until then.
    """create table attention (
        id integer primary key,
        at text not null,
        subject text not null,
        kind text not null,
        message text not null,
        acknowledged_at text,
        acknowledged_by text,
        check ((acknowledged_at is null) = (acknowledged_by is null))
    ) strict""",
    # The newest event of each row. `row` is table:id.
    """create table last_event (
        row text primary key,
        event_id integer not null references event
    ) strict, without rowid""",
    # A person had the proposal on the screen of `approve`.
    """create table viewing (
        id integer primary key,
        proposal_id integer not null references proposal,
        at text not null,
        viewed_by text not null
    ) strict""",
    "create index run_decided on run (profile, ifnull(recorded, 0)) where outcome in ('proposed', 'no_trade')",
    # What was found at the broker may be the second of its approval, which is then on record and cancelled.
    "drop index order_of_approval",
    """create unique index order_of_approval on broker_order (approval_id)
        where replaces is null and kind <> 'target' and adopted_at is null""",
    "drop index target_of_proposal",
    """create unique index target_of_proposal on broker_order (proposal_id)
        where kind = 'target' and state in ('submitting', 'working', 'unknown') and adopted_at is null""",
    "create unique index attention_open on attention (subject, kind) where acknowledged_at is null",
    "create index viewing_of_proposal on viewing (proposal_id)",
)

LAYOUT_6 = (
    "alter table trade add column exit_reason text",
    # What became of the shares of an assigned trade, and of the legs that were left. `body` is its transactions.
    """create table disposal (
        id integer primary key,
        trade_id integer not null references trade,
        at text not null,
        gross_e4 integer not null,
        fees_e4 integer not null,
        body text not null
    ) strict""",
    # What the paper broker did by itself: expirations, assignments, exercises, cash settlements, sales of shares.
    # `quantity` is the change of the position; `cash_e4` is before fees.
    """create table paper_event (
        id integer primary key,
        at text not null,
        kind text not null,
        symbol text not null,
        quantity integer not null check (quantity <> 0),
        price_e4 integer,
        cash_e4 integer not null,
        fees_e4 integer not null,
        description text not null,
        recorded integer  -- as in paper_order
    ) strict""",
    "alter table cash add column paper_event_id integer references paper_event",
    "alter table paper_order add column recorded integer",  # 1 on a recorded market, whose clock stands still
    # What a notice says in one line, and what it is about. Rows of older layouts have null.
    "alter table notice add column kind text",
    "alter table notice add column short text",
    "alter table notice add column about text",
    # An address took a notice, so that a later try goes to the others only.
    """create table delivery (
        id integer primary key,
        notice_id integer not null references notice,
        label text not null,
        at text not null,
        unique (notice_id, label)
    ) strict""",
    # Closes of the underlying, which outcomes are computed from.
    """create table daily_close (
        id integer primary key,
        ticker text not null,
        day text not null,
        body text not null,
        unique (ticker, day)
    ) strict""",
    # What came of each candidate of a menu, dollars a contract. `known` is 1 when nothing can change any more. Ten
    # thousand menus are read at once, for which a body of JSON would take too long.
    """create table outcome (
        id integer primary key,
        run_id integer not null references run,
        candidate_id text not null,
        known integer not null check (known in (0, 1)),
        strategy text not null,
        expiration text not null,
        max_loss_e4 integer not null,
        settlement_e4 integer,
        expiry_e4 integer,
        plan_day text,
        plan_reason text,
        plan_e4 integer,
        plan_modelled integer,
        pending text,
        worthless integer check (worthless in (0, 1)),
        worthless_market real,
        worthless_history real,
        unique (run_id, candidate_id)
    ) strict""",
    # A comparison of two choosers, registered before its first outcome.
    """create table experiment (
        id integer primary key,
        at text not null,
        body text not null,
        ended_at text
    ) strict""",
    # One close of a trade waits at a time. A sent one is not counted: the order of a lapsed close may be found later.
    """create unique index close_of_trade on proposal (trade_id)
        where kind = 'close' and state in ('proposed', 'approved')""",
    "create index disposal_of_trade on disposal (trade_id)",
    "create index notice_about on notice (about, kind) where about is not null",
    "create index outcome_open on outcome (run_id) where known = 0",
)
