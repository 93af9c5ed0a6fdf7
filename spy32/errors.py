"""Why a command could not go on, named by what the person or the shell should do next.

    Spy32Error
      BadUsage            2   the call's words are off: unknown id, missing flag
      Refused            10   a rule, a limit or the state table said no
      Unresolved         11   an order may or may not exist: reconcile first
      BrokerRefused      12   the broker said no, in its own words
      NotFilled          13   nothing filled at the floor, or the order is absent
      AttentionRequired  20   `status --check` found something a person must look at
      Unusable           65   data or an answer cannot be used
      ServiceGone        69   a service is gone for good
      CannotCreate       73   a file or folder cannot be made
      StoreError         74   input or output failed, a damaged store, an edited history
        StoreDamaged     74   something in the store cannot be read; the boundary adds the way back
      Unavailable        75   try later
        LockHeld         75   another process is at work on it
      NotPermitted       77   credentials, or the halt file
      BadSettings        78   fix the configuration, or the program is older than the store

A bug ends with 70. The numbers are sysexits.h above 64 and our own below.
"""

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ExitCode(IntEnum):
    """What the program ends with; sysexits.h above 64, our own below."""

    OK = 0
    USAGE = 2
    REFUSED = 10
    UNRESOLVED = 11
    BROKER_REFUSED = 12
    NOT_FILLED = 13
    ATTENTION = 20
    UNUSABLE = 65
    GONE = 69
    BUG = 70
    CANNOT_CREATE = 73
    STORE_ERROR = 74
    UNAVAILABLE = 75
    NOT_PERMITTED = 77
    BAD_SETTINGS = 78
    INTERRUPTED = 130
    """Ctrl-C: 128 and the number of SIGINT, as a shell counts."""


HOPELESS = frozenset({ExitCode.REFUSED, ExitCode.GONE, ExitCode.BUG, ExitCode.NOT_PERMITTED, ExitCode.BAD_SETTINGS})
"""Codes of a question after which the next one would end alike, until a person does something."""
SIGNALLED = 128
"""A shell adds the number of the signal."""


class TerminationSignal(BaseException):
    """SIGTERM or SIGHUP, which end the program with `code`, 128 + their number.

    Not a KeyboardInterrupt: Typer turns one that comes while the words are read or the command closes into 130.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = SIGNALLED + number


TERMINATIONS = (KeyboardInterrupt, TerminationSignal)


class Spy32Error(Exception):
    """One clear line for a person, and the exit code for a shell."""

    code: ExitCode = ExitCode.BUG

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadUsage(Spy32Error):
    code = ExitCode.USAGE


class Refused(Spy32Error):
    """`reasons` holds every reason, the first one leads the message."""

    code = ExitCode.REFUSED

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons or (message,)


class Unresolved(Spy32Error):
    code = ExitCode.UNRESOLVED


class BrokerRefused(Spy32Error):
    code = ExitCode.BROKER_REFUSED


class NotFilled(Spy32Error):
    code = ExitCode.NOT_FILLED


class AttentionRequired(Spy32Error):
    code = ExitCode.ATTENTION


class Unusable(Spy32Error):
    """`gate` names the quality gate that stopped the data, if one did."""

    code = ExitCode.UNUSABLE

    def __init__(self, message: str, gate: str | None = None) -> None:
        super().__init__(message)
        self.gate = gate


class ServiceGone(Spy32Error):
    code = ExitCode.GONE


class CannotCreate(Spy32Error):
    code = ExitCode.CANNOT_CREATE


class StoreError(Spy32Error):
    code = ExitCode.STORE_ERROR


class StoreDamaged(StoreError):
    """A database, or a part of it, is not as it was written. `path` is None where only a row of it is known.

    The boundary that prints it adds the way back, since looking for a good backup takes opening the backups.
    """

    def __init__(self, fault: str, path: "Path | None" = None) -> None:
        super().__init__(f"{path} is damaged: {fault}" if path is not None else fault)
        self.fault = fault
        self.path = path


class Unavailable(Spy32Error):
    code = ExitCode.UNAVAILABLE


class LockHeld(Unavailable):
    """Another process works on the same thing and has its lock."""


class NotPermitted(Spy32Error):
    code = ExitCode.NOT_PERMITTED


class BadSettings(Spy32Error):
    code = ExitCode.BAD_SETTINGS


def worst_error(errors: "Sequence[Spy32Error]") -> Spy32Error:
    """The error that a command over several things ends with: an unknown order outcome, else the lowest code."""
    return min(errors, key=lambda error: (error.code is not ExitCode.UNRESOLVED, error.code))
