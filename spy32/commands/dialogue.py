"""What a person may do in `approve`. Looking changes nothing: only a yes to the last question approves."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from spy32.commands.common import HASH_DIGITS, parse_price
from spy32.commands.screen import Screen
from spy32.commands.terminal_input import InputClosed, WindowResized
from spy32.domain.proposals import ProposalKind
from spy32.domain.spreads import Candidate, Mode
from spy32.errors import BadUsage, Refused, Spy32Error
from spy32.render.candidates import sorted_menu
from spy32.render.formatting import format_count, single_line
from spy32.render.page import Page
from spy32.render.review import (
    HANDFUL,
    approval_words,
    decision_page,
    drop_words,
    menu_page,
    order_page,
    risk_page,
    why_page,
)
from spy32.trading import approve as desk
from spy32.trading.review import Review

if TYPE_CHECKING:
    from spy32.trading.context import TradingContext

WORDS: Mapping[str, str] = {
    "menu": "m", "why": "w", "risk": "r", "exits": "x", "quantity": "q", "floor": "f", "approve": "a", "decline": "d",
    "leave": "esc", "l": "esc",
}  # fmt: skip
"""What may be typed as a whole word."""

LABELS: Mapping[str, str] = {
    "up": "↑↓", "down": "", "m": "[m]enu", "w": "[w]hy", "r": "[r]isk", "x": "e[x]its", "q": "[q]ty", "f": "[f]loor",
    "a": "[a]pprove", "d": "[d]ecline",
}  # fmt: skip

PAGES: Mapping[str, Callable[[Review], Page]] = {"m": menu_page, "w": why_page, "r": risk_page, "x": order_page}


class ApprovalDialogue:
    """Draws the screen, asks, and acts on the answer."""

    def __init__(self, *, context: "TradingContext", screen: Screen, by: str, review: Review, note: str = "") -> None:
        self._context, self._screen, self._by, self._note = context, screen, by, note
        self._base = review
        """The last review against the market: of the proposal on record, or of a draft of it."""
        self._shown = review
        """What is on the screen: the base, or another candidate that is only looked at."""
        self._place = ""
        self._message = ""
        self.decided_id: int | None = None
        """The id of the proposal that was approved or declined."""

    @property
    def draft_loss(self) -> str:
        """What is lost by leaving now, as the end of a message; empty without a draft."""
        return drop_words(self._base)

    def run(self) -> None:
        """Draw, ask and act until there is a decision or the person leaves, which changes nothing."""
        while self.decided_id is None:
            self._draw()
            self._message = ""
            try:
                key, rest = self._screen.answer()
                key = WORDS.get(key, key)
                if key == "esc" and not self._place:
                    return
                self._act(key, rest)
            except WindowResized:
                continue
            except InputClosed:
                return
            except Spy32Error as error:
                self._show_refusal(error)

    def _draw(self) -> None:
        choices, scrolls = self._choice_prompt(), self._place in ("w", "r", "x")
        rows = len(self._entries) if "rows" in choices else 0
        self._screen.draw(self._pages, choices, self._message, scrolls=scrolls, rows=rows)
        if self._base.proposal_id is not None:
            self._record_viewing(self._base.proposal_id)

    def _pages(self) -> Iterator[Page]:
        if self._place:
            yield PAGES[self._place](self._shown)
            return
        yield decision_page(self._shown)
        for rows in range(HANDFUL, 2, -1):
            yield decision_page(self._shown, rows=rows, compact=True)
        yield decision_page(self._shown, rows=HANDFUL - 2, compact=True, scrolls=True)

    # What may be answered.

    def _choice_prompt(self) -> dict[str, str]:
        result = self._shown.proposal
        is_open = result is None or result.kind is ProposalKind.OPEN
        keys = ["w"]
        if is_open and self._entries:
            keys = ["up", "down", "rows", "m", "w"]
        if result is not None:
            keys += ["r", "x", "q", "f", "a"] if is_open else ["x", "a"]
            keys += ["d"] if self._shown.proposal_id is not None else []
        labels = {**LABELS, "rows": f"1-{len(self._entries)}", "esc": "[Esc] back" if self._place else "[Esc]"}
        return {key: labels[key] for key in [*keys, "esc"]}

    def _act(self, key: str, rest: str) -> None:
        allowed = self._choice_prompt()
        if key.isascii() and key.isdigit() and "m" in allowed:
            self._pick(int(key[:4]))
        elif key in ("up", "down") and key in allowed:
            self._step(1 if key == "down" else -1)
        elif key == "esc" or (key in PAGES and key == self._place):
            self._place = ""
        elif key in allowed and key in PAGES:
            self._place = key
        elif key in allowed:
            acts = {"a": self._approve, "d": self._decline, "q": self._change_quantity, "f": self._change_floor}
            acts[key](rest)
        elif key:
            self._message = f"{single_line(key)!r} is none of the answers; nothing was done"

    # Candidates.

    @property
    def _entries(self) -> tuple[Candidate, ...]:
        return sorted_menu(self._shown.menu.candidates)

    def _step(self, step: int) -> None:
        chosen = self._shown.proposal.candidate_id if self._shown.proposal is not None else None
        ids = [entry.id for entry in self._entries]
        number = ids.index(chosen) + 1 + step if chosen in ids else 1 if step > 0 else len(ids)
        self._pick(min(max(number, 1), len(ids)))

    def _pick(self, number: int) -> None:
        """Put another candidate on the screen; it is judged by the market once something is decided about it."""
        if not 1 <= number <= len(self._entries):
            raise BadUsage(f"{number} is no row of the menu, which has 1 to {len(self._entries)}")
        entry, base = self._entries[number - 1], self._base
        is_base = base.proposal is not None and base.proposal.candidate_id == entry.id
        before, self._shown = self._shown.proposal, base if is_base else desk.preview(self._context, base, entry)
        after = self._shown.proposal
        if before is not None and after is not None and before.quantity != after.quantity:
            now = format_count(after.quantity, "contract")
            self._message = f"{now} now, {before.quantity} before: what the limits leave for this spread"

    def _judge_shown(self) -> Review:
        """The review on the screen; a preview is first checked against new quotes, the dry run and all limits."""
        self._place = ""
        if self._shown.is_preview:
            assert self._shown.candidate is not None
            self._screen.say("asking for quotes and the broker's dry run ...")
            self._base = self._shown = desk.choose_candidate(self._context, self._base, self._shown.candidate.id)
        self._draw()
        return self._shown

    def _record_viewing(self, proposal_id: int) -> None:
        """Once a proposal: that a person has had it on the screen, so that it does not lapse unseen."""
        proposals = self._context.store.proposals
        if not proposals.was_viewed(proposal_id):
            proposals.record_viewing(proposal_id, self._by, self._context.clock())

    # Decisions.

    def _approve(self, _argument: str) -> None:
        review = self._judge_shown()
        proposal = review.proposal
        assert proposal is not None
        words = approval_words(review)
        if proposal.mode is Mode.LIVE:
            digits = proposal.hash[:HASH_DIGITS]
            typed = self._screen.ask(f"LIVE: {words}. Type {digits} to approve", forgets=True)
            is_yes = typed.lower() == digits
        else:
            is_yes = self._screen.confirm(f"Approve: {words}, on {proposal.mode}?")
        if not is_yes:
            self._message = "not approved"
            return
        self.decided_id = desk.approve(self._context, review, by=self._by, note=self._note).proposal_id
        self._record_viewing(self.decided_id)

    def _decline(self, argument: str) -> None:
        proposal_id = self._base.proposal_id
        assert proposal_id is not None
        self._place, self._shown = "", self._base
        self._draw()
        if not self._screen.confirm(f"Decline P{proposal_id} for good?"):
            self._message = "not declined"
            return
        note = argument or self._note or self._screen.ask("A note on why (Enter for none)")
        desk.decline(self._context, proposal_id, by=self._by, note=note)
        self.decided_id = proposal_id

    def _change_quantity(self, argument: str) -> None:
        review = self._judge_shown()
        typed = self._ask_change(argument, "How many contracts")
        if typed is None:
            return
        if not (typed.isascii() and typed.isdigit() and len(typed) <= 4):
            raise BadUsage(f"{typed!r} is not a number of contracts")
        self._base = self._shown = desk.change_quantity(self._context, review, int(typed))

    def _change_floor(self, argument: str) -> None:
        review = self._judge_shown()
        low, high = review.floor_range
        is_debit = high < 0
        question = f"Which ceiling ({-high} to {-low})" if is_debit else f"Which floor ({low} to {high})"
        typed = self._ask_change(argument, question)
        if typed is not None:
            price = parse_price(typed)
            self._base = self._shown = desk.change_floor(self._context, review, -price if is_debit else price)

    def _ask_change(self, argument: str, question: str) -> str | None:
        """What was typed behind the key, or is typed now; None for no change."""
        typed = argument or self._screen.ask(question)
        if typed:
            return typed
        self._message = "nothing was changed"
        return None

    def _show_refusal(self, error: Spy32Error) -> None:
        """Show why it was refused, and the proposal as another window left it; `Refused` when that one decided."""
        try:
            after = desk.refresh_review(self._context, self._base) if isinstance(error, Refused) else self._base
        except Refused as over:
            raise Refused(f"{over.message}{self.draft_loss}", over.reasons) from error
        lost = ""
        if after is not self._base:
            lost = self.draft_loss
            self._base = self._shown = after
        self._message = f"not done: {error.message}{lost}"
