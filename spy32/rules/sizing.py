"""Position size: the smallest number of contracts that any bound allows. Amounts are dollars."""

from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from functools import partial
from math import isfinite, sqrt

from spy32.domain.exposure import Exposure
from spy32.domain.findings import Finding, Sizing, remark, violation
from spy32.domain.market import MarketSnapshot
from spy32.domain.spreads import CENT, MULTIPLIER, ZERO, Account, Candidate
from spy32.domain.value import value
from spy32.settings import Settings
from spy32.settings.profiles import multiplier

HARD_CAP = Decimal("0.02")
"""Largest maximum loss of a trade, a fraction of net liquidation, whatever the settings say: twice the default of 1 %,
as a second barrier against a mistyped setting."""
SESSIONS_A_YEAR = 252
"""Trading days a year, to convert a yearly vol to a daily one."""


@value
class Bound:
    """Dollars available, dollars per contract, and the net liquidation at which one contract fits (None: never)."""

    available: Decimal
    per_contract: Decimal
    required_account: Decimal | None

    @classmethod
    def share_of_account(cls, account: Account, share: Decimal, per_contract: Decimal, used: Decimal = ZERO) -> "Bound":
        """Return the bound of a share of net liquidation of which so much is used."""
        need = ((per_contract + used) / share).to_integral_value(ROUND_CEILING) if share > 0 else None
        return cls(available=share * account.net_liquidation - used, per_contract=per_contract, required_account=need)

    @property
    def contracts(self) -> int:
        """Number of contracts that the bound allows."""
        return int(self.available // self.per_contract) if self.available > 0 and self.per_contract > 0 else 0


def size_position(
    candidate: Candidate,
    account: Account,
    exposure: Exposure,
    settings: Settings,
    *,
    halve: bool,
    snapshot: MarketSnapshot,
) -> Sizing:
    """Return the quantity that all bounds allow, with each bound's own. For 0 it includes the account size needed.

    `halve` halves the budget for the maximum loss.
    """
    swing = one_sigma_loss(candidate, snapshot.spot)
    scale = Decimal(str(multiplier(settings.dte, snapshot.dte)))
    bounds = _bounds(candidate, account, exposure, settings, halve)
    daily = settings.limits.daily_swing * scale
    bounds["daily_swing"] = Bound.share_of_account(account, daily, swing)
    allowed = {name: bound.contracts for name, bound in bounds.items()} | {"contracts": settings.limits.contracts}
    binding = min(allowed, key=lambda name: allowed[name])
    needs = [bound.required_account for bound in bounds.values()]
    known = [need for need in needs if need is not None]
    return Sizing(
        quantity=allowed[binding],
        bounds=allowed,
        binding=binding,
        halved=halve,
        account_needed=max(known) if allowed[binding] < 1 and len(known) == len(needs) else None,
        swing_loss=swing,
        swing_budget=(daily * account.net_liquidation).quantize(CENT),
    )


def _bounds(
    candidate: Candidate, account: Account, exposure: Exposure, settings: Settings, halve: bool
) -> dict[str, Bound]:
    """Return the bounds on the maximum loss. Of equal bounds the first one is named as binding."""
    limits = settings.limits
    of_loss = partial(Bound.share_of_account, account, per_contract=candidate.max_loss)
    power = of_loss(limits.buying_power, used=buying_power_used(account))
    return {
        # Halve the budget, not the quantity: three contracts become one or two by their risk, not by rounding.
        "max_loss": of_loss(limits.max_loss / 2 if halve else limits.max_loss),
        "hard_cap": of_loss(HARD_CAP),
        "open_risk": of_loss(limits.open_risk, used=exposure.open_risk),
        "buying_power": replace(power, available=min(power.available, account.buying_power)),
    }


def buying_power_used(account: Account) -> Decimal:
    """Return the buying power that open positions use, dollars.

    It is never negative: a margin account may have more buying power than net liquidation.
    """
    return max(account.net_liquidation - account.buying_power, Decimal(0))


def one_sigma_loss(candidate: Candidate, spot: float) -> Decimal:
    """Return the loss of one contract when the underlying moves against it by one daily standard deviation, dollars.

    To second order it is (|delta| h + |gamma| h^2 / 2) x 100, with h = spot x iv / sqrt(252) and the short leg's
    implied vol, of two the higher (Hull, Options, Futures, and Other Derivatives, section 19.7, without the day's
    theta). Both terms count as losses. The result is at least a cent and at most the maximum loss.
    """
    vol = max(view.iv for view in (candidate.short, *candidate.calls[:1]))
    step = spot * vol / sqrt(SESSIONS_A_YEAR)
    loss = (abs(candidate.greeks.delta) * step + abs(candidate.greeks.gamma) * step * step / 2) * MULTIPLIER
    if not isfinite(loss):
        return candidate.max_loss
    return max(min(Decimal(str(loss)), candidate.max_loss).quantize(CENT, ROUND_CEILING), CENT)


def sizing_findings(sizing: Sizing) -> tuple[Finding, ...]:
    """Return a refusal with the account size needed when no contract fits, or a note when the daily swing reduced the
    quantity."""
    if sizing.quantity < 1:
        need = f"{sizing.account_needed:,.0f}" if sizing.account_needed is not None else "none"
        name = f"{sizing.binding.replace('_', ' ')}{', halved' if sizing.halved else ''}"
        message = f"not one contract fits the account ({name}); an account of {need} would do"
        return (violation("size", message, "0 contracts", f"{need} would do"),)
    if sizing.binding == "daily_swing":
        without_swing = min(count for bound, count in sizing.bounds.items() if bound != "daily_swing")
        message = (
            f"the daily swing leaves {sizing.quantity} of {without_swing} contracts: {sizing.swing_loss} a contract on "
            f"a one-sigma day, {sizing.swing_budget} in all"
        )
        return (remark("daily_swing", message, without_swing, sizing.quantity),)
    return ()
