"""A call with a limit on the wall clock, for libraries that bound only the wait between two bytes."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")


class DeadlineExceeded(Exception):
    """The call was not over in time; its thread is left behind and its result is dropped."""


def call_within(seconds: float, call: Callable[[], T], *, name: str) -> T:
    """The result of `call`, or its exception; `DeadlineExceeded` when there is none within `seconds`.

    The call runs on a daemon thread called `name`, so that a server which drips cannot hold the process.
    """
    future = Future[T]()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name=name).start()
    wait([future], timeout=max(seconds, 0.0))
    if not future.done():
        raise DeadlineExceeded
    return future.result()
