"""The prompt under the review screen. Only a typed yes approves; the end of input, however it comes, never does."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from spy32.commands.window import Ended, Resized
from spy32.console import Plain
from spy32.desk import approve as desk
from spy32.desk.shown import Review
from spy32.domain.trading import Mode
from spy32.errors import Refused, Spy32Error, Usage
from spy32.render import out
from spy32.render.review import drop_words, named, review_page
from spy32.render.words import flat

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.desk.bench import Bench

DIGITS = 8


class Dialogue:
    """Draws the screen, asks, and acts on the answer."""

    def __init__(
        self,
        *,
        bench: "Bench",
        console: "Console | Plain",
        by: str,
        read: Callable[[], str],
        note: str = "",
    ) -> None:
        self._bench = bench
        self._console = console
        self._by = by
        self._note = note
        self._read = read
        self.decided: int | None = None
        """The id of the proposal that was approved or declined."""
        self.dropped = ""
        """What leaving now loses, in words."""

    def run(self, shown: Review) -> None:
        """Until there is a decision or the person leaves, which changes nothing."""
        is_drawn = False
        while True:
            if not is_drawn:
                out.show(self._console, review_page(shown))
                self._record_viewing(shown.proposal.id if shown.proposal is not None else None)
            self.dropped = drop_words(shown)
            try:
                after = self._step(shown)
            except Resized:
                self._cleared()
                is_drawn = False
                continue
            except Ended:
                self._say("")
                return
            if after is None:
                return
            is_drawn = after is shown
            shown = after

    def _step(self, shown: Review) -> Review | None:
        """The screen to go on with after one answer; None when there is nothing more to ask."""
        word, _, rest = self._ask(self._choices(shown)).strip().partition(" ")
        if word.lower() in ("", "l", "leave"):
            return None
        act = self._acts(shown).get(word.lower())
        if act is None:
            self._say(f"{flat(word)!r} is none of the answers; nothing was done")
            return shown
        try:
            return act(shown, rest.strip())
        except Spy32Error as error:
            return self._after(error, shown)

    def _acts(self, shown: Review) -> dict[str, Callable[[Review, str], Review | None]]:
        acts: dict[str, Callable[[Review, str], Review | None]] = {}
        for words, act in self._offered(shown):
            acts |= dict.fromkeys(words, act)
        return acts

    def _offered(self, shown: Review) -> Iterator[tuple[tuple[str, str], Callable[[Review, str], Review | None]]]:
        made = shown.proposal
        if made is not None:
            yield ("a", "approve"), self._approve
        if made is None or made.kind == "open":
            yield ("c", "choose"), self._choose
        if made is not None and made.kind == "open":
            yield ("q", "quantity"), self._resize
            yield ("f", "floor"), self._refloor
        if made is not None and made.id is not None:
            yield ("d", "decline"), self._decline

    def _choices(self, shown: Review) -> str:
        takes = {"choose": " ID", "quantity": " N", "floor": " X"}
        words = [f"[{short}]{word[1:]}{takes.get(word, '')}" for (short, word), _ in self._offered(shown)]
        return f"{'  '.join(words)}  [l]eave (Enter): "

    def _after(self, error: Spy32Error, shown: Review) -> Review:
        """The screen after something was refused: redrawn when another window changed it, ended when it decided."""
        try:
            after = desk.look_again(self._bench, shown) if isinstance(error, Refused) else shown
        except Refused as over:
            raise Refused(f"{over.message}{self.dropped}", over.reasons) from error
        self._say(f"not done: {error.message}{self.dropped if after is not shown else ''}")
        return after

    def _record_viewing(self, number: int | None) -> None:
        """Once a proposal: that a person has had it on the screen, so that it does not lapse unseen."""
        if number is not None and not self._bench.store.was_viewed(number):
            self._bench.store.record_viewing(number, self._by, self._bench.clock())

    # The answers.

    def _approve(self, shown: Review, _rest: str) -> Review | None:
        made = shown.proposal
        assert made is not None
        if made.mode is Mode.LIVE:
            digits = made.hash[:DIGITS]
            is_yes = self._ask(f"LIVE: type {digits} to approve {named(shown)}: ").strip().lower() == digits
        else:
            is_yes = self._is_yes(f"approve {named(shown)}, hash {made.hash[:DIGITS]}? [y/N]: ")
        if not is_yes:
            self._say("not approved")
            return shown
        self.decided = desk.approve(self._bench, shown, by=self._by, note=self._note).proposal_id
        self._record_viewing(self.decided)
        return None

    def _decline(self, shown: Review, rest: str) -> Review | None:
        made = shown.proposal
        assert made is not None
        assert made.id is not None
        if not self._is_yes(f"decline P{made.id} for good? [y/N]: "):
            self._say("not declined")
            return shown
        note = rest or self._note or self._ask("a note on why (Enter for none): ").strip()
        desk.decline(self._bench, made.id, by=self._by, note=note)
        self.decided = made.id
        return None

    def _choose(self, shown: Review, rest: str) -> Review:
        return desk.choose(self._bench, shown, rest or self._ask("which id: ").strip())

    def _resize(self, shown: Review, rest: str) -> Review:
        typed = rest or self._ask("how many contracts: ").strip()
        if not (typed.isascii() and typed.isdigit() and len(typed) <= 4):
            raise Usage(f"{typed!r} is not a number of contracts")
        return desk.resize(self._bench, shown, int(typed))

    def _refloor(self, shown: Review, rest: str) -> Review:
        low, high = shown.floors
        typed = rest or self._ask(f"which floor ({low} to {high}): ").strip()
        return desk.refloor(self._bench, shown, price_of(typed))

    # The terminal.

    def _ask(self, question: str) -> str:
        out.put(self._console, question)
        return self._read()

    def _is_yes(self, question: str) -> bool:
        """No is the default."""
        return self._ask(question).strip().lower() in ("y", "yes")

    def _say(self, words: str) -> None:
        # The terminal may be what is gone.
        with suppress(OSError):
            out.put(self._console, f"{words}\n")

    def _cleared(self) -> None:
        with suppress(OSError):
            if out.is_screen(self._console) and not isinstance(self._console, Plain):
                self._console.clear()


def price_of(typed: str) -> Decimal:
    """A price as a person types it; `Usage` for what is none."""
    try:
        price = Decimal(typed) if len(typed) <= 12 else Decimal("nan")
    except InvalidOperation:
        price = Decimal("nan")
    if not price.is_finite():
        raise Usage(f"{typed!r} is not a price; write it as 0.57")
    return price
