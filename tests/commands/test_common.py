"""What commands share: a signal that comes while notices are being sent."""

from typing import cast

import pytest

from spy32.commands.common import notices_sent
from spy32.errors import NotFilled, TerminationSignal
from spy32.wiring import App


class StoppedApp:
    """An App that a signal stops while it sends notices."""

    def __init__(self, stop: BaseException) -> None:
        self.stop = stop
        self.warnings: list[str] = []

    def send_notices(self) -> None:
        raise self.stop

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
