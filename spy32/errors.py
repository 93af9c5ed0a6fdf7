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
      Unavailable        75   try later; also: another process is at work on it
      NotPermitted       77   credentials, or the halt file
      BadSettings        78   fix the configuration, or the program is older than the store

A bug ends with 70. The numbers are sysexits.h above 64 and our own below.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class TerminationSignal(BaseException):
    """SIGTERM or SIGHUP, which end the program with `code`, 128 + their number.

    Not a KeyboardInterrupt: Typer turns one that comes while the words are read or the command closes into 130.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


TERMINATIONS = (KeyboardInterrupt, TerminationSignal)


class Spy32Error(Exception):
    """One clear line for a person, and the exit code for a shell."""

    code = 70

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadUsage(Spy32Error):
    code = 2


class Refused(Spy32Error):
    """`reasons` holds every reason, the first one leads the message."""

    code = 10

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons or (message,)


class Unresolved(Spy32Error):
    code = 11


class BrokerRefused(Spy32Error):
    code = 12


class NotFilled(Spy32Error):
    code = 13


class AttentionRequired(Spy32Error):
    code = 20


class Unusable(Spy32Error):
    """`gate` names the quality gate that stopped the data, if one did."""

    code = 65

    def __init__(self, message: str, gate: str | None = None) -> None:
        super().__init__(message)
        self.gate = gate


class ServiceGone(Spy32Error):
    code = 69


class CannotCreate(Spy32Error):
    code = 73


class StoreError(Spy32Error):
    code = 74


class StoreDamaged(StoreError):
    """A database, or a part of it, is not as it was written. `path` is None where only a row of it is known.

    The boundary that prints it adds the way back, since looking for a good backup takes opening the backups.
    """

    def __init__(self, fault: str, path: "Path | None" = None) -> None:
        super().__init__(f"{path} is damaged: {fault}" if path is not None else fault)
        self.fault = fault
        self.path = path


class Unavailable(Spy32Error):
    code = 75


class NotPermitted(Spy32Error):
    code = 77


class BadSettings(Spy32Error):
    code = 78
