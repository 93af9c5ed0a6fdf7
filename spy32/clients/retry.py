"""Repeats a read that failed, within a number of tries and a deadline. A write is never repeated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import tenacity

T = TypeVar("T")

TRIES = 2
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds; a random wait in between keeps clients of one service from asking in step."""


@dataclass(frozen=True)
class Retry(Generic[T]):
    """A try that failed and may be repeated; `outcome` is the result when it is not repeated."""

    outcome: T
    wait: float | None = None
    """Seconds that the service asks for; a wait of our own is never shorter."""
    is_busy: bool = True
    """The service is in trouble, so the next try does not follow at once."""


def retry_read(  # noqa: PLR0913 - the limits of a read, and what it needs from the world
    read: Callable[[], T | Retry[T]],
    *,
    until: float,
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
    tries: int = TRIES,
    first_wait: float = FIRST_WAIT,
    longest_wait: float = LONGEST_WAIT,
) -> T:
    """The first result of `read` that is no `Retry`, else the outcome of the last one.

    No try begins after `until`, on the monotonic clock. Exceptions of `read` end it.
    """
    jitter = tenacity.wait_random_exponential(multiplier=first_wait, max=longest_wait)

    def wait(state: tenacity.RetryCallState) -> float:
        failed = _result(state)
        assert isinstance(failed, Retry)
        return max(failed.wait or 0.0, jitter(state) if failed.is_busy else 0.0)

    last = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda result: isinstance(result, Retry)),
        wait=wait,
        stop=lambda state: state.attempt_number >= tries or monotonic() + state.upcoming_sleep >= until,
        sleep=sleep,
        retry_error_callback=_result,
    )(read)
    return last.outcome if isinstance(last, Retry) else last


def _result(state: tenacity.RetryCallState) -> object:
    assert state.outcome is not None
    return state.outcome.result()
