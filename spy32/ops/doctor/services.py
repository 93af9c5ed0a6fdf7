"""Checks of the services, by what they said to read-only questions."""

from collections.abc import Callable
from typing import TypeVar

from spy32.domain.proposals import CLOCK_TOLERANCE
from spy32.domain.spreads import Mode
from spy32.errors import NotPermitted, Spy32Error
from spy32.lifecycle import FINAL
from spy32.ops.doctor.base import BrokerAnswer, Diagnosis, DoctorContext, NotChecked, failure, skip, success, warning

T = TypeVar("T")

CLOCK_WARN_SECONDS = 10.0
"""Difference of the clocks that is told: the broker's header has whole seconds, and an answer takes some."""
SET_CLOCK = "sudo timedatectl set-ntp true"


def check_login(context: DoctorContext) -> Diagnosis:
    """A token is given, and the account can be read with it."""
    broker = context.answers.broker
    if isinstance(broker, Spy32Error):
        return failure(broker.message, f"spy32 auth {'login' if isinstance(broker, NotPermitted) else 'status'}")
    return success(f"the log-in works, account {_broker_answer(context).account.masked_number}")


def check_level(context: DoctorContext) -> Diagnosis:
    """The options level carries spreads, and nothing restricts the account."""
    account, fix = _broker_answer(context).account, "spy32 auth status"
    if account.permits_spreads is False:
        return failure(f"the options level is {account.options_level}: it carries no spread", fix)
    if account.restrictions:
        return failure(f"the broker restricts the account: {', '.join(account.restrictions)}", fix)
    if account.permits_spreads is None:
        return warning("the broker tells no options level", fix)
    return success(f"options level {account.options_level}")


def check_clock(context: DoctorContext) -> Diagnosis:
    """By the broker's clock, as `execute` judges it."""
    ahead = _broker_answer(context).clock_ahead
    if ahead is None:
        return warning("the broker told no time", SET_CLOCK)
    text = f"the broker's clock is {ahead:+.0f} s ahead of ours"
    if not abs(ahead) <= CLOCK_TOLERANCE.seconds:
        return failure(f"{text}; beyond {CLOCK_TOLERANCE.seconds} s nothing is sent", SET_CLOCK)
    return warning(text, SET_CLOCK) if abs(ahead) > CLOCK_WARN_SECONDS else success(text)


def check_broker_orders(context: DoctorContext) -> Diagnosis:
    """Every living order at the broker, a resting target too, has its row."""
    answer, store = _broker_answer(context), context.home.sound
    if context.mode is Mode.PAPER:
        return skip("on paper the broker's orders are no concern of this home")
    unknown = [
        order.broker_id
        for order in answer.orders
        if order.state not in FINAL
        and (store is None or store.orders.find(broker_id=order.broker_id, reference=order.reference) is None)
    ]
    if unknown:
        return warning(f"orders at the broker without a row here: {', '.join(unknown)}", "spy32 positions")
    return success("every living order at the broker has its row")


def _broker_answer(context: DoctorContext) -> BrokerAnswer:
    unasked = context.answers.reason or "there is no grant at tastytrade, and mode paper needs none"
    return _require_answer(context.answers.broker, "the broker did not answer (broker.login)", unasked)


def _require_answer(answer: T | Spy32Error | None, failed: str, unasked: str) -> T:
    """Return what a service answered; `NotChecked` says whether it failed or was not asked."""
    if answer is None or isinstance(answer, Spy32Error):
        raise NotChecked(unasked if answer is None else failed)
    return answer


def check_model_service(context: DoctorContext) -> Diagnosis:
    models = context.answers.models
    if isinstance(models, NotPermitted):
        return failure(models.message, f"echo 'XAI_API_KEY=...' >> {context.locations.dotenv}")
    if isinstance(models, Spy32Error):
        return failure(models.message, "spy32 doctor --only service.xai")
    return success(f"xAI takes the key and offers {len(_offered_models(context))} names of models")


def check_model(context: DoctorContext) -> Diagnosis:
    """The list may lack a name that still works, so this never fails (docs.x.ai, Models)."""
    models, name = _offered_models(context), context.settings.xai.model
    if name not in models:
        offered = ", ".join(sorted(models))
        return warning(f"xAI does not list {name}; it offers {offered}", f"export SPY32_XAI_MODEL={min(models)}")
    return success(f"{name} is offered")


def _offered_models(context: DoctorContext) -> frozenset[str]:
    unasked = context.answers.reason or "no model is asked, or its key is not set"
    return _require_answer(context.answers.models, "xAI did not answer (service.xai)", unasked)


def market_check(name: str) -> Callable[[DoctorContext], Diagnosis]:
    """The check of a source of market data."""

    def check_market(context: DoctorContext) -> Diagnosis:
        answers = context.answers.markets
        if answers is None or name not in answers:
            return skip(context.answers.reason or f"{name} is no source of this home, or is not set up")
        error = answers[name]
        return success(f"{name} answers") if error is None else failure(error.message, f"spy32 market --market {name}")

    return check_market
