"""The prompt under the review screen. Only a typed yes approves; the end of input, however it comes, never does."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from spy32.commands.terminal_input import InputClosed, WindowResized
from spy32.console import PlainConsole
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, Refused, Spy32Error
from spy32.render import output
from spy32.render.formatting import single_line
from spy32.render.review import drop_words, named, review_page
from spy32.trading import approve as desk
from spy32.trading.review import Review

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.trading.context import TradingContext

HASH_DIGITS = 8


class ApprovalDialogue:
    """Draws the screen, asks, and acts on the answer."""

    def __init__(
        self,
        *,
        context: "TradingContext",
        console: "Console | PlainConsole",
        by: str,
        read: Callable[[], str],
        note: str = "",
    ) -> None:
        self._context = context
        self._console = console
        self._by = by
        self._note = note
        self._read = read
        self.decided_id: int | None = None
        """The id of the proposal that was approved or declined."""
        self.dropped = ""
        """What leaving now loses, in words."""

    def run(self, review: Review) -> None:
        """Until there is a decision or the person leaves, which changes nothing."""
        is_drawn = False
        while True:
            if not is_drawn:
                output.print_page(self._console, review_page(review))
                self._record_viewing(review.proposal.id if review.proposal is not None else None)
            self.dropped = drop_words(review)
            try:
                next_review = self._step(review)
            except WindowResized:
                self._clear_screen()
                is_drawn = False
                continue
            except InputClosed:
                self._print_line("")
                return
            if next_review is None:
                return
            is_drawn = next_review is review
            review = next_review

    def _step(self, review: Review) -> Review | None:
        """The screen to go on with after one answer; None when there is nothing more to ask."""
        word, _, argument = self._ask(self._choice_prompt(review)).strip().partition(" ")
        if word.lower() in ("", "l", "leave"):
            return None
        action = self._actions(review).get(word.lower())
        if action is None:
            self._print_line(f"{single_line(word)!r} is none of the answers; nothing was done")
            return review
        try:
            return action(review, argument.strip())
        except Spy32Error as error:
            return self._handle_error(error, review)

    def _actions(self, review: Review) -> dict[str, Callable[[Review, str], Review | None]]:
        actions: dict[str, Callable[[Review, str], Review | None]] = {}
        for words, action in self._available_actions(review):
            actions |= dict.fromkeys(words, action)
        return actions

    def _available_actions(
        self, review: Review
    ) -> Iterator[tuple[tuple[str, str], Callable[[Review, str], Review | None]]]:
        proposal = review.proposal
        if proposal is not None:
            yield ("a", "approve"), self._approve
        if proposal is None or proposal.kind == "open":
            yield ("c", "choose"), self._choose
        if proposal is not None and proposal.kind == "open":
            yield ("q", "quantity"), self._change_quantity
            yield ("f", "floor"), self._change_floor
        if proposal is not None and proposal.id is not None:
            yield ("d", "decline"), self._decline

    def _choice_prompt(self, review: Review) -> str:
        arguments = {"choose": " ID", "quantity": " N", "floor": " X"}
        words = [
            f"[{short}]{word[1:]}{arguments.get(word, '')}" for (short, word), _ in self._available_actions(review)
        ]
        return f"{'  '.join(words)}  [l]eave (Enter): "

    def _handle_error(self, error: Spy32Error, review: Review) -> Review:
        """The screen after something was refused: redrawn when another window changed it, ended when it decided."""
        try:
            next_review = desk.refresh_review(self._context, review) if isinstance(error, Refused) else review
        except Refused as refusal:
            raise Refused(f"{refusal.message}{self.dropped}", refusal.reasons) from error
        self._print_line(f"not done: {error.message}{self.dropped if next_review is not review else ''}")
        return next_review

    def _record_viewing(self, proposal_id: int | None) -> None:
        """Once a proposal: that a person has had it on the screen, so that it does not lapse unseen."""
        if proposal_id is not None and not self._context.store.proposals.was_viewed(proposal_id):
            self._context.store.proposals.record_viewing(proposal_id, self._by, self._context.clock())

    # The answers.

    def _approve(self, review: Review, _argument: str) -> Review | None:
        proposal = review.proposal
        assert proposal is not None
        if proposal.mode is Mode.LIVE:
            digits = proposal.hash[:HASH_DIGITS]
            is_yes = self._ask(f"LIVE: type {digits} to approve {named(review)}: ").strip().lower() == digits
        else:
            is_yes = self._is_yes(f"approve {named(review)}, hash {proposal.hash[:HASH_DIGITS]}? [y/N]: ")
        if not is_yes:
            self._print_line("not approved")
            return review
        self.decided_id = desk.approve(self._context, review, by=self._by, note=self._note).proposal_id
        self._record_viewing(self.decided_id)
        return None

    def _decline(self, review: Review, argument: str) -> Review | None:
        proposal = review.proposal
        assert proposal is not None
        assert proposal.id is not None
        if not self._is_yes(f"decline P{proposal.id} for good? [y/N]: "):
            self._print_line("not declined")
            return review
        note = argument or self._note or self._ask("a note on why (Enter for none): ").strip()
        desk.decline(self._context, proposal.id, by=self._by, note=note)
        self.decided_id = proposal.id
        return None

    def _choose(self, review: Review, argument: str) -> Review:
        return desk.choose_candidate(self._context, review, argument or self._ask("which id: ").strip())

    def _change_quantity(self, review: Review, argument: str) -> Review:
        typed = argument or self._ask("how many contracts: ").strip()
        if not (typed.isascii() and typed.isdigit() and len(typed) <= 4):
            raise BadUsage(f"{typed!r} is not a number of contracts")
        return desk.change_quantity(self._context, review, int(typed))

    def _change_floor(self, review: Review, argument: str) -> Review:
        low, high = review.floor_range
        typed = argument or self._ask(f"which floor ({low} to {high}): ").strip()
        return desk.change_floor(self._context, review, parse_price(typed))

    # The terminal.

    def _ask(self, question: str) -> str:
        output.write_text(self._console, question)
        return self._read()

    def _is_yes(self, question: str) -> bool:
        """No is the default."""
        return self._ask(question).strip().lower() in ("y", "yes")

    def _print_line(self, line: str) -> None:
        # The terminal may be what is gone.
        with suppress(OSError):
            output.write_text(self._console, f"{line}\n")

    def _clear_screen(self) -> None:
        with suppress(OSError):
            if output.is_full_terminal(self._console) and not isinstance(self._console, PlainConsole):
                self._console.clear()


def parse_price(typed: str) -> Decimal:
    """A price as a person types it; `Usage` for what is none."""
    try:
        price = Decimal(typed) if len(typed) <= 12 else Decimal("nan")
    except InvalidOperation:
        price = Decimal("nan")
    if not price.is_finite():
        raise BadUsage(f"{typed!r} is not a price; write it as 0.57")
    return price
