"""Proposals and approvals. Every change is a compare-and-set; the second caller gets who was first, and when."""

import sqlite3
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime

from spy32.domain.proposals import Approval, ApprovalTerms, Draft, Proposal, ProposalKind, ProposalTerms
from spy32.errors import BadUsage, Refused
from spy32.lifecycle import IN_FLIGHT, PROPOSAL_TRANSITIONS, ProposalState, TradeState, advance
from spy32.records.base import Records, WriteTransaction
from spy32.records.encoding import ceiling_e4, decode_body, json_body, parse_instant
from spy32.records.notices import add_attention

ATTENTION_LAPSED = "lapsed"
"""Kind of the attention item."""
LIVE_STATES = (ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.SENT)
COLUMNS = ("id", "state", "hash")
"""Fields of a proposal that are columns and not part of its JSON body."""
UNDECIDED_RUNS = "select run_id from proposal where kind = 'open' and state = 'proposed'"
"""Runs whose proposal a person has yet to decide on."""
HIDDEN_ANSWERS = f"""select id from answer where role = 'shadow' and analyst not in ('rules', 'trend')
    and run_id in ({UNDECIDED_RUNS})"""
"""What other prompts chose in these runs, which nothing tells until then, nor counts."""


class Proposals(Records):
    """Proposals with their approvals."""

    # Reading

    def get(self, proposal_id: int) -> Proposal:
        return _proposal(self._core.get_row("proposal", proposal_id))

    def order_body(self, proposal_id: int) -> str:
        """Return the exact order body of the proposal."""
        body: str = self._core.get_row("proposal", proposal_id)["order_body"]
        return body

    def find_by_run(self, run_id: int) -> Proposal | None:
        """Return the newest opening proposal of a run; None if there is none."""
        return self._find("run_id = ? and kind = 'open' order by id desc", run_id)

    def get_original(self, run_id: int) -> tuple[Proposal, str]:
        """Return the run's own opening proposal and its order body as they were made, before any change by a person."""
        row = self._core.row("select * from proposal where run_id = ? and kind = 'open' order by id limit 1", run_id)
        if row is None:
            raise BadUsage(f"R{run_id} made no proposal")
        where = f"P{row['id']} as it was made"
        proposal = decode_body(Proposal, row["first_body"], where, id=row["id"], state=ProposalState.PROPOSED)
        return proposal, row["first_order_body"]

    def latest(self) -> Proposal | None:
        return self._core.find(_proposal, "select * from proposal order by id desc limit 1")

    def select(self, *states: ProposalState) -> tuple[Proposal, ...]:
        """Return the proposals in these states, or all, oldest first."""
        return self._select("state in (select value from json_each(?))", states or tuple(ProposalState))

    def find_live_close(self, trade_id: int) -> Proposal | None:
        """Return the close of a trade that waits, is approved or is sent.

        There is one at the most, but for a sent one whose order was found after another close had taken its place.
        """
        is_live = "kind = 'close' and state in (select value from json_each(?))"
        return self._find(f"trade_id = ? and {is_live} order by state = 'sent' desc, id", trade_id, LIVE_STATES)

    def select_closes(self, trade_id: int) -> tuple[Proposal, ...]:
        """Return every close of a trade, oldest first."""
        return self._select("trade_id = ? and kind = 'close'", trade_id)

    def _find(self, condition: str, *values: object) -> Proposal | None:
        return self._core.find(_proposal, f"select * from proposal where {condition} limit 1", *values)

    def _select(self, condition: str, *values: object) -> tuple[Proposal, ...]:
        return self._core.select(_proposal, f"select * from proposal where {condition} order by id", *values)

    def latest_approval(self, proposal_id: int) -> Approval | None:
        """Return the newest approval of a proposal, valid or not; None if there is none."""
        query = "select * from approval where proposal_id = ? order by id desc limit 1"
        return self._core.find(_approval, query, proposal_id)

    def find_approval(self, approval_id: int) -> Approval | None:
        """Return the approval with this id, valid or not; None if there is none."""
        return self._core.find(_approval, "select * from approval where id = ?", approval_id)

    def status_text(self, proposal_id: int) -> str:
        """Return the state in words: since when, and by whom if a person decided."""
        return self._state_text(self._core.get_row("proposal", proposal_id))

    def was_viewed(self, proposal_id: int) -> bool:
        """Return whether a person has seen the proposal in `approve`."""
        return self._core.has("select 1 from viewing where proposal_id = ?", proposal_id)

    # Writing

    def add(self, proposal: ProposalTerms, *, body: str, at: datetime) -> Proposal:
        """Store terms as a waiting proposal and return it. An opening lapses older unapproved ones of its profile.

        An opening on a recorded market does not lapse those of a live market.
        """
        with self._core.write_transaction(at, f"proposed to {proposal.kind}") as change:
            number = self._insert(change, proposal, body, ProposalState.PROPOSED)
        return self.get(number)

    def _insert(self, change: WriteTransaction, proposal: ProposalTerms, body: str, state: ProposalState) -> int:
        self._core.require_mode(proposal.mode)
        if proposal.kind is ProposalKind.OPEN:
            self._lapse_older_proposals(change, proposal)
        elif proposal.trade_id is not None and (live := self.find_live_close(proposal.trade_id)) is not None:
            raise Refused(f"P{live.id} closes T{proposal.trade_id} already, and it is {live.state}")
        number = change.insert(
            "proposal",
            run_id=proposal.run_id,
            kind=proposal.kind,
            state=state,
            profile=proposal.profile,
            trade_id=proposal.trade_id,
            created_at=change.at,
            changed_at=change.at,
            first_body=json_body(proposal, "id", "state"),
            first_order_body=body,
            **_draft_columns(proposal, body),
        )
        change.subject = f"P{number}"
        return number

    def _lapse_older_proposals(self, change: WriteTransaction, newer: ProposalTerms) -> None:
        condition = "state = 'proposed' and kind = 'open' and profile = ?"
        for older in self._select(condition, newer.profile):
            if older.is_recorded or not newer.is_recorded:
                self._lapse(change, older.id, "a newer run proposed")

    def select_overdue(self, at: datetime) -> tuple[Proposal, ...]:
        """Return the waiting proposals whose session is over, and approved ones whose approval has ended as well."""
        waiting = self.select(ProposalState.PROPOSED, ProposalState.APPROVED)
        return tuple(
            proposal for proposal in waiting if proposal.is_over(at) and not self._has_valid_approval(proposal, at)
        )

    def _has_valid_approval(self, proposal: Proposal, at: datetime) -> bool:
        approval = self.latest_approval(proposal.id) if proposal.state is ProposalState.APPROVED else None
        return approval is not None and at <= approval.until

    def lapse_overdue(self, at: datetime) -> None:
        """Lapse the overdue proposals; one that another process changes at the same time is skipped."""
        for proposal in self.select_overdue(at):
            with suppress(Refused):
                self.lapse(proposal.id, was=proposal.state, at=at, reason="its session is over")

    def lapse(self, proposal_id: int, *, was: ProposalState, at: datetime, reason: str) -> None:
        """Lapse one waiting or approved proposal, such as a close that another one replaces.

        `Refused` when it is no longer `was`: a person may have approved it meanwhile.
        """
        with self._core.write_transaction(at, "proposal lapsed", f"P{proposal_id}") as change:
            self.require_state(proposal_id, was)
            if was is not ProposalState.PROPOSED:
                advance(PROPOSAL_TRANSITIONS, was, ProposalState.PROPOSED)
            advance(PROPOSAL_TRANSITIONS, ProposalState.PROPOSED, ProposalState.LAPSED)
            self._lapse(change, proposal_id, reason)

    def lapse_waiting_close(self, change: WriteTransaction, found_id: int) -> None:
        """Lapse the close that waits beside this one, whose order was found at the broker and comes first."""
        row = self._core.row(
            """select other.id from proposal other join proposal found on found.trade_id = other.trade_id
                where found.id = ? and other.id <> found.id and other.kind = 'close'
                    and other.state in ('proposed', 'approved')""",
            found_id,
        )
        if row is not None:
            self._lapse(change, row["id"], f"an order of P{found_id} was found at the broker")

    def _lapse(self, change: WriteTransaction, proposal_id: int, reason: str) -> None:
        """Lapse a proposal. If its session is over and nobody looked at it, raise an attention item.

        There is no item when a newer proposal replaces it within the session, since that one waits.
        """
        change.update("proposal", proposal_id, state=ProposalState.LAPSED, changed_at=change.at, reason=reason)
        proposal = self.get(proposal_id)
        is_seen = self.was_viewed(proposal_id) or self.latest_approval(proposal_id) is not None
        if proposal.is_over(parse_instant(change.at)) and not is_seen:
            is_opening = proposal.kind is ProposalKind.OPEN
            consequence = "the week's trade is lost" if is_opening else f"T{proposal.trade_id} stays open"
            message = f"P{proposal_id} lapsed and nobody had looked at it: {proposal.trade_text}; {consequence}"
            add_attention(change, f"P{proposal_id}", ATTENTION_LAPSED, message)

    def approve(self, terms: ApprovalTerms, *, draft: Draft | None = None) -> Approval:
        """Store an approval and return it. The proposal must wait for one and have exactly its hash.

        A draft replaces the proposal in the same transaction, or is added if the run has none.
        """
        with self._core.write_transaction(terms.at, f"approved by {terms.by}") as change:
            if draft is not None and not isinstance(draft.proposal, Proposal):
                number = self._override_abstention(change, draft)
            else:
                number = terms.proposal_id
                self._approve(change, number, terms.hash, draft)
            terms = replace(terms, proposal_id=number)
            approval_id = change.insert(
                "approval",
                proposal_id=number,
                hash=terms.hash,
                approved_by=terms.by,
                at=change.at,
                until=terms.until,
                body=terms,
            )
        return Approval(id=approval_id, **{item.name: getattr(terms, item.name) for item in fields(ApprovalTerms)})

    def _override_abstention(self, change: WriteTransaction, draft: Draft) -> int:
        """Add the proposal that a person makes after an abstention; return its id."""
        run_id = draft.proposal.run_id
        existing = self.find_by_run(run_id)
        if existing is not None:
            raise Refused(f"R{run_id} has been overridden already: P{existing.id} is {existing.state}")
        waiting = "state = 'proposed' and kind = 'open' and profile = ? and run_id > ? order by id"
        newer = self._find(waiting, draft.proposal.profile, run_id)
        if newer is not None:
            raise Refused(f"P{newer.id} of a newer run waits, so R{run_id} is not overridden")
        return self._insert(change, draft.proposal, draft.body, ProposalState.APPROVED)

    def _approve(self, change: WriteTransaction, number: int, hash_: str, draft: Draft | None) -> None:
        change.subject = f"P{number}"
        self.require_state(number, ProposalState.PROPOSED, hash_=hash_ if draft is None else draft.was_hash)
        advance(PROPOSAL_TRANSITIONS, ProposalState.PROPOSED, ProposalState.APPROVED)
        content: dict[str, object] = {}
        if draft is not None:
            self._core.require_mode(draft.proposal.mode)
            change.details["was_hash"] = draft.was_hash
            content = _draft_columns(draft.proposal, draft.body)
        change.update("proposal", number, state=ProposalState.APPROVED, changed_at=change.at, reason="", **content)

    def record_viewing(self, proposal_id: int, by: str, at: datetime) -> None:
        """Record that a person sees this proposal in `approve`. The proposal itself does not change."""
        with self._core.write_transaction(at, "viewed", f"P{proposal_id}") as change:
            change.insert("viewing", proposal_id=proposal_id, at=change.at, viewed_by=by)

    def move(self, proposal_id: int, *, was: ProposalState, now: ProposalState, at: datetime, reason: str = "") -> None:
        """Change the state. `approved` is set only by `approve`, and `sent` only by `Orders.begin`."""
        advance(PROPOSAL_TRANSITIONS, was, now)
        if now in (ProposalState.APPROVED, ProposalState.SENT):
            raise Refused(f"P{proposal_id} becomes {now} only by being {now}: nothing else may say so")
        with self._core.write_transaction(at, f"proposal {now}", f"P{proposal_id}") as change:
            self.require_state(proposal_id, was)
            if was is ProposalState.SENT:
                self._require_no_live_orders(proposal_id, now)
            change.details["reason"] = reason
            change.update("proposal", proposal_id, state=now, changed_at=change.at, reason=reason)
            if was is ProposalState.SENT:
                self._reopen_trade(change, proposal_id)

    def _reopen_trade(self, change: WriteTransaction, proposal_id: int) -> None:
        """Set the trade of a close whose orders have ended back to `open` when spreads are left."""
        row = self._core.row(
            """select trade.id from trade join proposal on proposal.trade_id = trade.id
                where proposal.id = ? and trade.state = ? and trade.closed_quantity < trade.quantity""",
            proposal_id,
            TradeState.CLOSING,
        )
        if row is not None:
            change.update("trade", row["id"], state=TradeState.OPEN, changed_at=change.at)

    def finish(self, proposal_id: int, *, now: ProposalState, at: datetime, reason: str = "") -> None:
        """Change a sent proposal to `done`, or to `proposed` again if nothing was filled."""
        self.move(proposal_id, was=ProposalState.SENT, now=now, at=at, reason=reason)

    def _require_no_live_orders(self, proposal_id: int, now: ProposalState) -> None:
        for row in self._core.rows(
            "select reference, state, filled from broker_order where proposal_id = ?", proposal_id
        ):
            if row["state"] in IN_FLIGHT:
                raise Refused(f"P{proposal_id} cannot become {now}: order {row['reference']} is {row['state']}")
            if row["filled"] and now is ProposalState.PROPOSED:
                raise Refused(f"P{proposal_id} cannot become {now}: {row['filled']} of {row['reference']} are filled")

    def require_state(self, proposal_id: int, state: ProposalState, *, hash_: str | None = None) -> sqlite3.Row:
        """Return the row if it has this state and hash, else `Refused`; call it inside the changing transaction."""
        row = self._core.get_row("proposal", proposal_id)
        if row["state"] != state:
            raise Refused(f"P{proposal_id} is already {self._state_text(row)}")
        if hash_ is not None and row["hash"] != hash_:
            raise Refused(
                f"P{proposal_id} was changed at {_new_york_clock(parse_instant(row['changed_at']))}; look at it again"
            )
        return row

    def _state_text(self, row: sqlite3.Row) -> str:
        """Return the state in words: who and when."""
        approval = self.latest_approval(row["id"])
        approved = f"approved by {approval.by} at {_new_york_clock(approval.at)}" if approval is not None else ""
        if row["state"] == ProposalState.APPROVED:
            return approved
        by = f" ({approved})" if approved and row["state"] in (ProposalState.SENT, ProposalState.DONE) else ""
        reason = f": {row['reason']}" if row["reason"] else ""
        return f"{row['state']} since {_new_york_clock(parse_instant(row['changed_at']))}{by}{reason}"


def _draft_columns(proposal: ProposalTerms, body: str) -> dict[str, object]:
    """Return the columns that an approved draft replaces."""
    return {
        "hash": proposal.hash,
        "quantity": proposal.quantity,
        "max_loss_e4": ceiling_e4(proposal.max_loss),
        "body": json_body(proposal, *COLUMNS),
        "order_body": body,
    }


def _proposal(row: sqlite3.Row) -> Proposal:
    return decode_body(Proposal, row["body"], f"P{row['id']}", **{name: row[name] for name in COLUMNS})


def _approval(row: sqlite3.Row) -> Approval:
    return decode_body(Approval, row["body"], f"approval {row['id']}", id=row["id"])


def _new_york_clock(at: datetime) -> str:
    """Return the New York time of day."""
    from spy32.sessions import new_york_time

    return f"{new_york_time(at):%H:%M}"
