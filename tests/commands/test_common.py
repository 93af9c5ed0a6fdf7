"""What commands share: a signal that comes while notices are being sent."""

from typing import cast

import pytest

from spy32.commands.common import notices_sent
from spy32.errors import NotFilled, StoreError, TerminationSignal
from spy32.wiring import App


class StoppedApp:
    """An App that a signal stops while it sends notices."""

    def __init__(self, stop: BaseException) -> None:
        self.stop = stop
        self.warnings: list[str] = []

    def send_notices(self) -> None:
        raise self.stop

    def send_store_error(self, trouble: StoreError) -> None:
        self.warnings.append(f"told: {trouble.message}")

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), TerminationSignal(15)], ids=["ctrl-c", "sigterm"])
def test_a_signal_while_notices_are_sent_changes_nothing_of_what_was_done(stop: BaseException) -> None:
    app = StoppedApp(stop)
    with notices_sent(cast("App", app)):
        pass
    with pytest.raises(NotFilled), notices_sent(cast("App", app)):
        raise NotFilled("nothing was filled")
    assert len(app.warnings) == 2


def test_a_signal_that_ends_the_command_ends_it() -> None:
    app = StoppedApp(AssertionError("notices were sent"))
    with pytest.raises(KeyboardInterrupt), notices_sent(cast("App", app)):
        raise KeyboardInterrupt


def test_a_database_that_cannot_be_used_is_told_past_its_outbox_and_stays_the_error() -> None:
    app = StoppedApp(AssertionError("the outbox was opened"))
    with pytest.raises(StoreError, match="is full"), notices_sent(cast("App", app)):
        raise StoreError("the disk is full")
    assert app.warnings == ["told: the disk is full"]
