"""Confirmation of live orders: what `execute` checks before it asks a broker or a market."""

import sys
from typing import TYPE_CHECKING

from spy32.commands.common import App
from spy32.domain.proposals import Proposal, ProposalKind
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, NotPermitted, Refused
from spy32.lifecycle import ProposalState

if TYPE_CHECKING:
    from spy32.store import Store


def check_options(app: App, *, live: bool, confirm: str | None, dry_run: bool) -> None:
    """`BadUsage` for words that do not go with the mode, or that live mode lacks. Reads settings only."""

    mode = app.settings.mode
    if mode is not Mode.LIVE:
        for option, is_given in (("--live", live), ("--confirm", confirm is not None)):
            if is_given:
                raise BadUsage(f"{option} does not go with mode {mode}")
    elif not dry_run and not live:
        raise BadUsage("mode live sends real orders: `execute` needs --live as well; --dry-run sends nothing")
    elif not dry_run and confirm is None and not app.is_interactive:
        raise BadUsage(
            "without a terminal `execute` in live mode needs --confirm LAST4:TICKER:CONTRACTS; nothing was sent"
        )


def check_origin(app: App, store: "Store", proposal: Proposal) -> None:
    """`Refused` unless the proposal was made in this mode, for this account, by a choice that may be sent in it."""
    from spy32.rules.limits import ineligible_proposal_reason

    mode = app.settings.mode
    if proposal.mode is not mode:
        raise Refused(f"P{proposal.id} was made in mode {proposal.mode}; it is never sent in mode {mode}")
    if store.core.account and proposal.account != store.core.account:
        proposal_account, store_account = proposal.account[-4:], store.core.account[-4:]
        raise Refused(
            f"P{proposal.id} was made for the account …{proposal_account}, and this is the database of …{store_account}"
        )
    objection = ineligible_proposal_reason(proposal, store.history.view(proposal.run_id).recommendation, app.settings)
    if objection is not None:
        raise Refused(f"P{proposal.id} is not sent: {objection}")


def check_place(app: App, store: "Store") -> None:
    """`NotPermitted` in a live home that was copied or moved and that nobody has adopted here."""

    if app.settings.mode is Mode.LIVE:
        store.location.require_unmoved()


def confirm_live(app: App, proposal: Proposal, confirm: str | None) -> None:
    """`BadUsage` unless the account's ending, the ticker and the size are repeated as `--confirm` or typed when asked.

    Asked on a terminal, what must be typed is the account's ending and the ticker; anything else, nothing, and the end
    of input are all no.
    """

    if app.settings.mode is not Mode.LIVE:
        return
    halt_reason = app.halt_reason()
    # What is sent already may still be stopped and cleared up under a halt.
    if halt_reason is not None and proposal.state is ProposalState.APPROVED:
        raise NotPermitted(f"halted: {halt_reason}; `spy32 resume` lifts it")
    if confirm is not None:
        if confirm != f"{proposal.account[-4:]}:{proposal.underlying}:{proposal.quantity}":
            raise BadUsage(
                f"--confirm {confirm!r} does not name account, ticker and contracts of P{proposal.id} "
                "(LAST4:TICKER:CONTRACTS); nothing was sent"
            )
        return
    for line in confirmation_lines(proposal):
        app.warn(line)
    expected = f"{proposal.account[-4:]} {proposal.underlying}"
    if prompt_line(f"spy32: type {expected} to send it, anything else to leave: ") != expected:
        raise BadUsage("not confirmed; nothing was sent")


def check_unchanged(store: "Store", confirmed: Proposal) -> None:
    """`Refused` when the proposal was changed while a person read it."""
    current = store.proposals.get(confirmed.id)
    if current.hash != confirmed.hash:
        raise Refused(
            f"P{current.id} was changed meanwhile (hash {confirmed.hash[:8]}, now {current.hash[:8]}); look again"
        )


def confirmation_lines(proposal: Proposal) -> tuple[str, ...]:
    """What is about to be sent, in full."""
    from spy32.render.figures import closing_result_words

    account_ending = proposal.account[-4:]
    legs = ", ".join(
        f"{leg.action} {leg.quantity * proposal.quantity} {leg.strike.normalize():f} {leg.right} {leg.expiration}"
        for leg in proposal.legs
    )
    band = f"from {proposal.limit_price} down to {proposal.floor_price} a share"
    outcome = f"max loss ${proposal.max_loss:,.2f}"
    if proposal.kind is ProposalKind.CLOSE:
        band = f"to close T{proposal.trade_id}, from {-proposal.limit_price} up to {-proposal.floor_price} a share"
        outcome = f"result {closing_result_words(proposal)}"
    return (
        f"LIVE: real money, account …{account_ending}",
        f"P{proposal.id}, hash {proposal.hash[:8]}: {proposal.quantity} x {proposal.underlying}: {legs}",
        f"{band}; {outcome}",
    )


def prompt_line(prompt: str) -> str:
    """The line that was typed after the question; empty at the end of input.

    Asked on stderr, so that stdout holds only the answer.
    """
    from spy32.commands.terminal_input import forget_typed_ahead

    forget_typed_ahead()
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        # The end of input, perhaps in the middle of a line: nobody pressed Enter.
        sys.stderr.write("\n")
        return ""
    return line.strip()
