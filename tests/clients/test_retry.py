"""Reads that are repeated, and calls with a limit on the wall clock."""

import threading

import pytest

from spy32.clients.deadline import DeadlineExceeded, call_within
from spy32.clients.retry import FIRST_WAIT, Retry, retry_read
from tests.support.timeouts import NEVER


class Read:
    """Gives these results one by one; its clock stands still but for the sleeps."""

    def __init__(self, *results: str | Retry[str]) -> None:
        self.results = list(results)
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def run(self, *, until: float = 100.0, tries: int = 3) -> str:
        return retry_read(
            lambda: self.results.pop(0), until=until, monotonic=lambda: self.now, sleep=self.sleep, tries=tries
        )


def test_the_first_good_result_ends_it() -> None:
    read = Read(Retry(outcome="bad"), "good", "unread")
    assert (read.run(), read.results) == ("good", ["unread"])
    assert len(read.slept) == 1 and 0 <= read.slept[0] <= FIRST_WAIT


def test_after_the_last_try_its_own_outcome_counts() -> None:
    read = Read(Retry(outcome="first"), Retry(outcome="second"), "unread")
    assert (read.run(tries=2), read.results) == ("second", ["unread"])


@pytest.mark.parametrize(("until", "tries"), [(7.0, 1), (7.1, 2)])
def test_no_try_begins_after_the_deadline(until: float, tries: int) -> None:
    read = Read(*[Retry[str](outcome=f"{number}", wait=7.0) for number in range(1, 4)])
    assert (read.run(until=until), len(read.slept)) == (f"{tries}", tries - 1)


def test_a_service_that_is_not_busy_is_asked_again_at_once() -> None:
    read = Read(Retry(outcome="bad form", is_busy=False), "good")
    assert (read.run(), read.slept) == ("good", [0.0])


def test_an_exception_is_no_reason_to_repeat() -> None:
    with pytest.raises(IndexError):
        Read(Retry(outcome="bad")).run()


def test_a_call_gives_its_result_or_its_exception() -> None:
    assert call_within(NEVER, lambda: 7, name="seven") == 7
    with pytest.raises(ZeroDivisionError):
        call_within(NEVER, lambda: 1 // 0, name="bug")


@pytest.mark.parametrize("seconds", [0.05, 0.0, -1.0])
def test_a_call_that_does_not_end_is_left_behind(seconds: float) -> None:
    held = threading.Event()
    try:
        with pytest.raises(DeadlineExceeded):
            call_within(seconds, lambda: held.wait(NEVER), name="held")
    finally:
        held.set()
