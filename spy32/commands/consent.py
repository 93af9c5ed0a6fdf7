"""Real money only on purpose: what `execute` needs before anything is asked of a broker or a market."""

import sys
from typing import TYPE_CHECKING

from spy32.errors import NotPermitted, Refused, Usage

if TYPE_CHECKING:
    from spy32.domain.deciding import Proposal
    from spy32.store import Store
    from spy32.wiring import App


def check_words(app: "App", *, live: bool, confirm: str | None, dry_run: bool) -> None:
    """`Usage` for words that do not go with the mode, or that live mode lacks. Reads settings only."""
    from spy32.domain.trading import Mode

    mode = app.settings.mode
    if mode is not Mode.LIVE:
        for option, is_there in (("--live", live), ("--confirm", confirm is not None)):
            if is_there:
                raise Usage(f"{option} does not go with mode {mode}")
    elif not dry_run and not live:
        raise Usage("mode live sends real orders: `execute` needs --live as well; --dry-run sends nothing")
    elif not dry_run and confirm is None and not app.is_interactive:
        raise Usage(
            "without a terminal `execute` in live mode needs --confirm LAST4:TICKER:CONTRACTS; nothing was sent"
        )


def check_origin(app: "App", store: "Store", proposal: "Proposal") -> None:
    """`Refused` unless the proposal was made in this mode, for this account, by a choice that may be sent in it."""
    from spy32.rules.eligible import unfit

    mode = app.settings.mode
    if proposal.mode is not mode:
        raise Refused(f"P{proposal.id} was made in mode {proposal.mode}; it is never sent in mode {mode}")
    if store.account and proposal.account != store.account:
        theirs, ours = proposal.account[-4:], store.account[-4:]
        raise Refused(f"P{proposal.id} was made for the account …{theirs}, and this is the database of …{ours}")
    why = unfit(proposal, store.view(proposal.run_id).recommendation, app.settings)
    if why is not None:
        raise Refused(f"P{proposal.id} is not sent: {why}")


def check_place(app: "App", store: "Store") -> None:
    """`NotPermitted` in a live home that was copied or moved and that nobody has adopted here."""
    from spy32.domain.trading import Mode

    if app.settings.mode is Mode.LIVE:
        store.stop_if_moved()


def confirm_live(app: "App", proposal: "Proposal", confirm: str | None) -> None:
    """`Usage` unless the account's ending, the ticker and the size were repeated as `--confirm`, or typed when asked.

    Asked on a terminal, what must be typed is the account's ending and the ticker; anything else, nothing, and the end
    of input are all no.
    """
    from spy32.domain.trading import Mode
    from spy32.lifecycle import ProposalState

    if app.settings.mode is not Mode.LIVE:
        return
    halt = app.halted()
    # What is sent already may still be stopped and cleared up under a halt.
    if halt is not None and proposal.state is ProposalState.APPROVED:
        raise NotPermitted(f"halted: {halt}; `spy32 resume` lifts it")
    if confirm is not None:
        if confirm != f"{proposal.account[-4:]}:{proposal.underlying}:{proposal.quantity}":
            raise Usage(
                f"--confirm {confirm!r} does not name account, ticker and contracts of P{proposal.id} "
                "(LAST4:TICKER:CONTRACTS); nothing was sent"
            )
        return
    for line in asked_for(proposal):
        app.warn(line)
    wanted = f"{proposal.account[-4:]} {proposal.underlying}"
    if typed(f"spy32: type {wanted} to send it, anything else to leave: ") != wanted:
        raise Usage("not confirmed; nothing was sent")


def still_the_same(store: "Store", confirmed: "Proposal") -> None:
    """`Refused` when the proposal was changed while a person read it."""
    assert confirmed.id is not None
    now = store.proposal(confirmed.id)
    if now.hash != confirmed.hash:
        raise Refused(f"P{now.id} was changed meanwhile (hash {confirmed.hash[:8]}, now {now.hash[:8]}); look again")


def asked_for(proposal: "Proposal") -> tuple[str, ...]:
    """What is about to be sent, in full."""
    ending = proposal.account[-4:]
    legs = ", ".join(
        f"{leg.action} {leg.quantity * proposal.quantity} {leg.strike.normalize():f} {leg.right} {leg.expiration}"
        for leg in proposal.legs
    )
    loss = f"maximum loss ${proposal.max_loss:,.2f}"
    return (
        f"LIVE: real money, account …{ending}",
        f"P{proposal.id}, hash {proposal.hash[:8]}: {proposal.quantity} x {proposal.underlying}: {legs}",
        f"from {proposal.limit_price} down to {proposal.floor_price} a share; {loss}",
    )


def typed(prompt: str) -> str:
    """The line that was typed; empty at the end of input. Asked on stderr, so that stdout holds only the answer."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        # The end of input, perhaps in the middle of a line: nobody pressed Enter.
        sys.stderr.write("\n")
        return ""
    return line.strip()
