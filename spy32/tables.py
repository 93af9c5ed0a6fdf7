"""The statements that make the tables, by the version of the layout that brought them. Released ones never change.

Columns hold what is queried or compared; `body` holds the rest of a noun as canonical JSON. Money is INTEGER
ten-thousandths of a dollar (`_e4`), what a model costs is INTEGER ticks (10^10 a dollar), instants are RFC 3339 text in
UTC, dates ISO text. Rows are ordered by id, since times may repeat.
"""

LAYOUT_1 = (
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

LAYOUT_2 = (
    # What is long stands last, so that counting tokens and cost never touches its pages.
    """create table attempt (
        id integer primary key,
        run_id integer not null references run,
        role text not null,
        sample integer not null check (sample > 0),
        attempt integer not null check (attempt > 0),
        prompt text not null,
        prompt_hash text not null,
        input_hash text not null,
        model text not null,
        effort text not null,
        estimate_ticks integer not null check (estimate_ticks >= 0),
        begun_at text not null,
        ended_at text,
        outcome text,
        detail text,
        status integer,
        model_answered text,
        fingerprint text,
        request_id text,
        ms integer,
        input_tokens integer,
        cached_tokens integer,
        output_tokens integer,
        reasoning_tokens integer,
        cost_ticks integer check (cost_ticks >= 0),
        is_estimate integer,
        request blob not null,
        response blob,
        words blob,
        check ((ended_at is null) = (outcome is null) and (ended_at is null) = (cost_ticks is null))
    ) strict""",
    """create table document (
        id integer primary key,
        run_id integer not null references run,
        source text not null,
        name text not null,
        at text not null,
        size integer not null,
        body blob not null
    ) strict""",
    "alter table snapshot add column briefing text",
    "create index attempt_of_run on attempt (run_id)",
    "create index attempt_begun on attempt (begun_at)",
    "create index document_of_run on document (run_id)",
)

LAYOUT_3 = (
    # What the broker's history says became of a trade, taken over by a person's wish. `body` is its transactions.
    """create table adoption (
        id integer primary key,
        trade_id integer not null references trade,
        at text not null,
        state text not null,
        spreads integer not null check (spreads > 0),
        gross_e4 integer not null,
        fees_e4 integer not null,
        reason text not null,
        body text not null
    ) strict""",
    "alter table cash add column trade_id integer references trade",
    # 1 once the broker's own history has told the fees for good; null while they are an estimate.
    "alter table broker_order add column fees_final integer",
    "alter table trade add column fees_final integer",
    "create index adoption_of_trade on adoption (trade_id)",
    "create index order_at_broker on broker_order (broker_id) where broker_id is not null",
    # A resting profit target belongs to the approval of the entry, which still begins one entry only.
    "drop index order_of_approval",
    """create unique index order_of_approval on broker_order (approval_id)
        where replaces is null and kind <> 'target'""",
    """create unique index target_of_proposal on broker_order (proposal_id)
        where kind = 'target' and state in ('submitting', 'working', 'unknown')""",
)

LAYOUT_4 = (
    # What the checks made of the words of an attempt. `body` has the step that ended it, its marks and its vetoes.
    """create table verdict (
        id integer primary key,
        attempt_id integer not null unique references attempt,
        at text not null,
        parser integer not null,
        decision text not null,
        candidate_id text,
        body text not null
    ) strict""",
)
