"""Our own risk limits on an entry, and the risk decision that they lead to.

Each violation is a finding with figure and limit; an unknown figure is one too.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from math import isnan

from spy32.domain.exposure import Exposure
from spy32.domain.findings import Finding, RiskDecision, violation
from spy32.domain.market import MarketSnapshot
from spy32.domain.orders import BrokerOrder, Order
from spy32.domain.proposals import CLOCK_TOLERANCE, ProposalKind, ProposalTerms, Recommendation
from spy32.domain.spreads import Account, Candidate, Leg, Mode, Position
from spy32.lifecycle import FINAL
from spy32.rules import conditions
from spy32.rules.pricing import is_on_tick, least_tick
from spy32.rules.settlement import has_expired_leg, trading_end
from spy32.rules.sizing import HARD_CAP, buying_power_used, size_position, sizing_findings
from spy32.settings import Settings
from spy32.settings.model import Limits

SIMPLIFIED_VARIANT = "simplified"
"""The last part of a prompt version's name, as in `v1-simplified`."""


def assess_risk(
    candidate: Candidate,
    snapshot: MarketSnapshot,
    account: Account,
    exposure: Exposure,
    *,
    settings: Settings,
    now: datetime,
) -> RiskDecision:
    """Return the decision by conditions, limits and size. Price moves since the menu are checked in `pricing`."""
    condition_findings, halve = conditions.check_conditions(snapshot, candidate, settings, now)
    limit_findings = check_entry(candidate, account, exposure, settings)
    size = size_position(candidate, account, exposure, settings, halve=halve, snapshot=snapshot)
    findings = (*condition_findings, *limit_findings, *sizing_findings(size))
    return RiskDecision(
        quantity=size.quantity, findings=findings, sizing=size, account=account, exposure=exposure, at=now
    )


def check_entry(candidate: Candidate, account: Account, exposure: Exposure, settings: Settings) -> tuple[Finding, ...]:
    """Return every violated limit on opening this spread at all. `sizing` decides the number of contracts."""
    unknown = tuple(_check_known_figures(account, exposure, candidate.max_loss))
    return unknown or tuple(_check_entry_limits(candidate.spread.legs, account, exposure, settings.limits))


def check_proposal(
    proposal: ProposalTerms, account: Account, exposure: Exposure, settings: Settings, now: datetime
) -> tuple[Finding, ...]:
    """Return every violated limit on sending this proposal now, with its whole quantity and at its floor.

    `exposure` excludes the proposal itself. A closing order reduces risk, so only session and account limit it.
    """
    findings = [*check_time(proposal, settings, now), *_check_account(proposal, account, settings)]
    if proposal.kind is not ProposalKind.OPEN:
        return tuple(findings)
    unknown = tuple(_check_known_figures(account, exposure, proposal.max_loss))
    if unknown:
        return (*findings, *unknown)
    findings += _check_entry_limits(proposal.legs, account, exposure, settings.limits)
    findings += _check_quantity_limits(proposal, account, exposure, settings.limits)
    return tuple(findings)


def check_time(proposal: ProposalTerms, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Yield findings about the session, contracts that trade no more, and for an opening about its last minutes."""
    yield from conditions.check_session(now, is_recorded=proposal.is_recorded)
    if has_expired_leg(proposal.legs, now):
        end = trading_end(proposal.legs[0].root, proposal.expiration)
        message = f"the options of {proposal.expiration} have stopped trading; what is held waits for its settlement"
        yield violation("session", message, f"{now:%Y-%m-%d %H:%M} UTC", f"before {end:%Y-%m-%d %H:%M} UTC")
    if proposal.kind is ProposalKind.OPEN:
        yield from conditions.check_late_entry(now, settings, is_recorded=proposal.is_recorded)


def check_orders_on_legs(proposal: ProposalTerms, orders: Sequence[BrokerOrder]) -> Iterator[Finding]:
    """Yield a finding for each leg that is also in an open order at the broker, whoever placed it."""
    for order in orders:
        if order.state in FINAL:
            continue
        if order.is_unread and not order.legs:
            message = f"order {order.broker_id} at the broker ({order.status}) may have the same legs: {order.unread}"
            yield violation("duplicate", message, order.broker_id, "no leg twice")
        symbols = {leg.symbol for leg in order.legs}
        for leg in proposal.legs:
            if leg.symbol in symbols:
                message = f"{_leg_text(leg)} is in order {order.broker_id} at the broker ({order.status})"
                yield violation("duplicate", message, leg.symbol, "no leg twice")


def check_held_contracts(proposal: ProposalTerms, positions: Sequence[Position]) -> Iterator[Finding]:
    """Yield a finding for each leg of a close of which the account holds too little.

    The order would open or reverse a position. For an opening there is none.
    """
    held = Counter({position.symbol: position.quantity for position in positions})
    for leg in proposal.legs if proposal.kind is ProposalKind.CLOSE else ():
        # Buying to close has the sign -1 and needs a short position.
        needed = -leg.signed_quantity * proposal.quantity
        if not held[leg.symbol] * leg.action.sign >= abs(needed):
            message = f"the account holds {held[leg.symbol]} of {_leg_text(leg)}, and the close needs {needed}"
            yield violation("held", message, f"{held[leg.symbol]}", f"{needed}")


def check_price_step(proposal: ProposalTerms) -> Iterator[Finding]:
    """Refuse prices between the exchange's steps, such as a limit of SPX in cents."""
    tick = least_tick(proposal.legs[0].root)
    for price in (proposal.limit_price, proposal.floor_price):
        if not is_on_tick(price, tick):
            message = f"{abs(price)} is not a multiple of {tick}, the price step of {proposal.underlying} spreads"
            yield violation("tick", message, f"{price}", f"{tick}")


def check_absent_orders(absent: Sequence[Order], mode: Mode) -> Iterator[Finding]:
    """Refuse while an order of today, an entry or a close of the same trade, was not found at the broker, in live mode.

    The order may still arrive, so a person must confirm that it is not alive before another one is sent.
    """
    for order in absent if mode is Mode.LIVE else ():
        message = (
            f"order {order.reference} of today was not found at the broker and could still arrive; look there, then "
            f"`spy32 reconcile --settle P{order.proposal_id}` says that nothing of it is alive"
        )
        yield violation("absent", message, order.reference, "a person's word")


def check_clock(ahead: float | None, mode: Mode) -> Iterator[Finding]:
    """Refuse when our clock and the broker's differ by more than `CLOCK_TOLERANCE`; the paper broker has no clock."""
    if ahead is None and mode is Mode.PAPER:
        return
    if ahead is None or not abs(ahead) <= CLOCK_TOLERANCE.seconds:
        figure = "unknown" if ahead is None or isnan(ahead) else f"{ahead:+.0f} s"
        message = f"the broker's clock is ahead of ours by {figure}; {CLOCK_TOLERANCE.seconds} s either way is the most"
        yield violation("clock", message, figure, f"{CLOCK_TOLERANCE.seconds} s")


def ineligible_prompt_reason(prompt: str | None, settings: Settings) -> str | None:
    """Return why an answer to this prompt must not become a live order; None when it may.

    The simplified prompt gives the model little data, to save costs in development.
    """
    is_simplified = prompt is not None and prompt.rpartition("-")[2] == SIMPLIFIED_VARIANT
    if settings.mode is not Mode.LIVE or not is_simplified or settings.analyst.live_simplified:
        return None
    return f"an answer to the prompt {prompt} makes no live order; analyst.live_simplified = true allows it"


def ineligible_proposal_reason(
    proposal: ProposalTerms, chosen: Recommendation | None, settings: Settings
) -> str | None:
    """Return why the answer behind a proposal makes no live order under the present settings; None when it may.

    A person's own choice is always eligible.
    """
    if chosen is None or proposal.chosen_by != chosen.analyst:
        return None
    return ineligible_prompt_reason(chosen.prompt, settings)


def _check_account(proposal: ProposalTerms, account: Account, settings: Settings) -> Iterator[Finding]:
    """Refuse to send in another account or mode than the approved one."""
    if account.number != proposal.account:
        message = f"it was made for account …{proposal.account[-4:]}, and this one is {account.masked_number}"
        yield violation("account", message, account.masked_number, f"…{proposal.account[-4:]}")
    for mode in dict.fromkeys((account.mode, settings.mode)):
        if mode is not proposal.mode:
            yield violation(
                "mode", f"it was made in mode {proposal.mode}, and this is {mode}", f"{mode}", proposal.mode
            )


def _check_known_figures(account: Account, exposure: Exposure, max_loss: Decimal) -> Iterator[Finding]:
    """Yield a finding for each required figure that is missing or not finite. Without it no limit can be checked."""
    figures = {
        "the account's net liquidation": account.net_liquidation,
        "the account's buying power": account.buying_power,
        "the risk of open trades": exposure.open_risk,
        "this week's loss": exposure.week_loss,
        "the max loss": max_loss,
    }
    for name, figure in figures.items():
        if not figure.is_finite():
            yield violation("unknown", f"{name} is not known ({figure})", f"{figure}", "a number")
    if account.mode is not Mode.PAPER and account.permits_spreads is None:
        yield violation(
            "unknown", "the account's options level is not known", "missing", "a level that carries spreads"
        )


def _check_entry_limits(legs: Sequence[Leg], account: Account, exposure: Exposure, limits: Limits) -> Iterator[Finding]:
    for restriction in account.restrictions:
        yield violation(
            "restriction", f"the broker restricts the account: {restriction}", restriction, "no restriction"
        )
    if exposure.assigned_trades:
        held = f"{exposure.assigned_trades} of our trades hold shares or contracts of an assignment"
        message = f"{held}; nothing is opened until they are gone"
        yield violation("assigned", message, f"{exposure.assigned_trades}", "0")
    for words in exposure.unmeasured:
        message = f"the account holds {words}, not of our book, and what it may lose cannot be computed"
        yield violation("foreign", message, words, "a known maximum loss")
    not_ours = f", {exposure.foreign_trades} of them not of our book" if exposure.foreign_trades else ""
    for rule, description, count, maximum in (
        ("open_trades", f"trades are open{not_ours}", exposure.open_trades, limits.open_trades),
        ("submits_of_run", "opening orders of this run were sent", exposure.submits_of_run, limits.submits_per_run),
        ("submits_today", "opening orders were sent today", exposure.submits_today, limits.submits_per_day),
    ):
        if not count + 1 <= maximum:
            yield violation(rule, f"{count} {description}; {maximum} is the most", f"{count}", f"{maximum}")
    stop = limits.week_loss * account.net_liquidation
    if not exposure.week_loss < stop:
        lost_text = f"{exposure.week_loss:,.2f}"
        marked = -exposure.week_unrealized
        message = (
            f"this week lost {lost_text} ({exposure.week_loss - marked:,.2f} realised, {marked:,.2f} by the marks of "
            f"open trades); from {stop:,.2f} ({limits.week_loss:.1%} of the account) on nothing is opened"
        )
        yield violation("week_loss", message, lost_text, f"{stop:,.2f}")
    held_symbols = exposure.open_symbols | {position.symbol for position in account.positions if position.quantity != 0}
    for leg in legs:
        if leg.symbol in held_symbols:
            yield violation("duplicate", f"{_leg_text(leg)} is held or on order already", leg.symbol, "no leg twice")
    if account.permits_spreads is False:
        level = account.options_level
        yield violation(
            "options_level", f"the account's options level is {level}: it carries no spread", level, "spreads"
        )


def _leg_text(leg: Leg) -> str:
    return f"{leg.strike} {leg.right} of {leg.expiration}"


def _check_quantity_limits(
    proposal: ProposalTerms, account: Account, exposure: Exposure, limits: Limits
) -> Iterator[Finding]:
    """Check maximum loss, open risk, buying power and contracts of the whole quantity."""
    net_liquidation, loss = account.net_liquidation, proposal.max_loss
    count, maximum = proposal.quantity, limits.contracts
    if not 1 <= count <= maximum:
        yield violation("contracts", f"{count} contracts; {maximum} is the most", f"{count}", f"{maximum}")
    together, used = loss + exposure.open_risk, loss + buying_power_used(account)
    for rule, description, figure, allowed in (
        ("max_loss", "the max loss", loss, min(limits.max_loss, HARD_CAP) * net_liquidation),
        ("open_risk", "the max loss of all open spreads with it", together, limits.open_risk * net_liquidation),
        ("buying_power", "the buying power in use with it", used, limits.buying_power * net_liquidation),
        ("buying_power", "the buying power that it needs", loss, account.buying_power),
    ):
        if not figure <= allowed:
            message = f"{description} is {figure:,.2f}; {allowed:,.2f} is the most"
            yield violation(rule, message, f"{figure:,.2f}", f"{allowed:,.2f}")
