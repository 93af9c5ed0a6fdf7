"""How many contracts: the least of what every bound allows. A bound may only take away. Dollars."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from math import isfinite, sqrt

from spy32.domain.market import MarketSnapshot
from spy32.domain.proposals import Finding, Sizing
from spy32.domain.spreads import CENT, MULTIPLIER, Account, Candidate, Exposure
from spy32.domain.value import value
from spy32.settings import Settings
from spy32.settings.profiles import multiplier

HARD_CAP = Decimal("0.02")
"""Most loss of a trade, of net liquidation, whatever the settings say."""
SESSIONS_A_YEAR = 252


@value
class Bound:
    """Dollars that are free, dollars that a contract takes, and the net liquidation at which one contract fits."""

    available: Decimal
    per_contract: Decimal
    required_account: Decimal | None

    @property
    def contracts(self) -> int:
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
    """The quantity that every bound allows, and each bound's own; 0 comes with the account that one contract needs."""
    swing = one_sigma_loss(candidate, snapshot.spot)
    scale = Decimal(str(multiplier(settings.dte, snapshot.dte)))
    bounds = _bounds(candidate, account, exposure, settings, halve)
    daily = settings.limits.daily_swing * scale
    bounds["daily_swing"] = Bound(
        available=daily * account.net_liquidation, per_contract=swing, required_account=_required_account(swing, daily)
    )
    allowed = {name: bound.contracts for name, bound in bounds.items()} | {"contracts": settings.limits.contracts}
    binding = min(allowed, key=lambda name: allowed[name])
    return Sizing(
        quantity=allowed[binding],
        bounds=allowed,
        binding=binding,
        halved=halve,
        account_needed=_account_needed(bounds) if allowed[binding] < 1 else None,
        swing_loss=swing,
        swing_budget=(daily * account.net_liquidation).quantize(CENT),
    )


def _bounds(
    candidate: Candidate, account: Account, exposure: Exposure, settings: Settings, halve: bool
) -> dict[str, Bound]:
    """The bounds on maximum loss, in the order in which an equal one is named."""
    limits, net_liquidation, loss = settings.limits, account.net_liquidation, candidate.max_loss
    # Halving takes the budget, not the quantity: three contracts become one or two by what they cost, not by rounding.
    risk = limits.max_loss / 2 if halve else limits.max_loss
    used = buying_power_used(account)
    power = min(limits.buying_power * net_liquidation - used, account.buying_power)
    return {
        "max_loss": Bound(
            available=risk * net_liquidation, per_contract=loss, required_account=_required_account(loss, risk)
        ),
        "hard_cap": Bound(
            available=HARD_CAP * net_liquidation, per_contract=loss, required_account=_required_account(loss, HARD_CAP)
        ),
        "open_risk": Bound(
            available=limits.open_risk * net_liquidation - exposure.open_risk,
            per_contract=loss,
            required_account=_required_account(loss + exposure.open_risk, limits.open_risk),
        ),
        "buying_power": Bound(
            available=power, per_contract=loss, required_account=_required_account(loss + used, limits.buying_power)
        ),
    }


def buying_power_used(account: Account) -> Decimal:
    """What open positions hold of the account; a margin account may show more buying power than net liquidation."""
    return max(account.net_liquidation - account.buying_power, Decimal(0))


def one_sigma_loss(candidate: Candidate, spot: float) -> Decimal:
    """Dollars that a contract loses when the underlying goes against it by one daily standard deviation.

    To the second order: (|delta| h + |gamma| h^2 / 2) x 100, with h = spot x iv / sqrt(252) and the short leg's
    implied vol (Hull, Options, Futures, and Other Derivatives, section 19.7, without the theta of the day). Both terms
    are taken as losses, and the sum never exceeds the maximum loss.
    """
    step = spot * candidate.short.iv / sqrt(SESSIONS_A_YEAR)
    loss = (abs(candidate.greeks.delta) * step + abs(candidate.greeks.gamma) * step * step / 2) * MULTIPLIER
    if not isfinite(loss):
        return candidate.max_loss
    return max(min(Decimal(str(loss)), candidate.max_loss).quantize(CENT, ROUND_CEILING), CENT)


def _required_account(amount: Decimal, share: Decimal) -> Decimal | None:
    """The net liquidation, in whole dollars, of which `each` is this share; None when no account would do."""
    return (amount / share).to_integral_value(ROUND_CEILING) if share > 0 else None


def _account_needed(bounds: Mapping[str, Bound]) -> Decimal | None:
    requirements = [bound.required_account for bound in bounds.values()]
    finite_requirements = [need for need in requirements if need is not None]
    return max(finite_requirements) if len(finite_requirements) == len(requirements) else None


def sizing_findings(sizing: Sizing) -> tuple[Finding, ...]:
    """No contract fits: refused, with the account that would do. A swing that took contracts away: a note."""
    name = sizing.binding.replace("_", " ")
    if sizing.quantity < 1:
        account_text = (
            f"{sizing.account_needed:,.0f} would do" if sizing.account_needed is not None else "none would do"
        )
        message = (
            f"not one contract fits the account ({name}{', halved' if sizing.halved else ''}); an account of "
            f"{account_text}"
        )
        return (Finding(rule="size", message=message, figure="0 contracts", limit=account_text),)
    if sizing.binding == "daily_swing":
        without_swing = min(count for bound, count in sizing.bounds.items() if bound != "daily_swing")
        message = (
            f"the daily swing leaves {sizing.quantity} of {without_swing} contracts: {sizing.swing_loss} a "
            "contract on a "
            f"one-sigma day, {sizing.swing_budget} in all"
        )
        return (
            Finding(
                rule="daily_swing", message=message, figure=f"{without_swing}", limit=f"{sizing.quantity}", blocks=False
            ),
        )
    return ()
