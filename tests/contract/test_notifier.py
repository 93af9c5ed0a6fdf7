"""What every notifier must do, whatever service is behind it: the port `Notifier`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from spy32.domain.notices import Notice
from spy32.errors import Unavailable
from spy32.notifiers.apprise import AppriseNotifier
from spy32.notifiers.ping import PingNotifier
from spy32.ports import Notifier
from spy32.settings.knob import Secret
from spy32.settings.services import Ping
from spy32.wiring.notifiers import build_client
from tests.servers.mail import MailServer, free_port
from tests.servers.push import PushServer
from tests.servers.web import status
from tests.support.sample_notices import SAMPLES, stored

MARK = "PLANTEDmarker"
NOTICE = stored(SAMPLES["proposed"])


class NotifierContract:
    """Subclassed once a service; `serve` runs one that takes everything, or refuses everything."""

    notice: Notice = NOTICE

    @contextmanager
    def serve(self, *, refuses: bool = False) -> Iterator[Notifier]:
        raise NotImplementedError

    def unreachable(self) -> Notifier:
        """A notifier whose service is not there, with a secret in its address."""
        raise NotImplementedError

    def test_it_takes_a_notice_and_another(self) -> None:
        with self.serve() as notifier:
            notifier.send(self.notice)
            notifier.send(self.notice)

    def test_what_is_refused_is_unavailable(self) -> None:
        with self.serve(refuses=True) as notifier, pytest.raises(Unavailable):
            notifier.send(self.notice)

    def test_a_service_that_is_not_there_is_unavailable_and_its_secret_is_not_told(
        self, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(Unavailable) as caught:
            self.unreachable().send(self.notice)
        assert MARK not in caught.value.message and caught.value.__cause__ is None
        written = "".join(capfd.readouterr()) + caplog.text
        assert MARK not in written and written == ""


class TestMail(NotifierContract):
    @contextmanager
    def serve(self, *, refuses: bool = False) -> Iterator[Notifier]:
        server = MailServer()
        server.refusal = "550 no such mailbox" if refuses else ""
        with server.running():
            yield AppriseNotifier(Secret(server.address))

    def unreachable(self) -> Notifier:
        return AppriseNotifier(
            Secret(f"mailto://me:{MARK}@127.0.0.1:{free_port()}?to=me@example.com&from=desk@example.com")
        )


class PushContract(NotifierContract):
    """A service over HTTP; 429 is what busy ones answer."""

    def address(self, server: PushServer) -> str:
        raise NotImplementedError

    @contextmanager
    def serve(self, *, refuses: bool = False) -> Iterator[Notifier]:
        with ExitStack() as stack:
            server = PushServer()
            stack.enter_context(server.running())
            if refuses:
                server.always["/"] = status(429)
            yield AppriseNotifier(Secret(self.address(server)))

    def test_the_status_of_a_refusal_is_told(self) -> None:
        with self.serve(refuses=True) as notifier, pytest.raises(Unavailable, match="status 429"):
            notifier.send(self.notice)


class TestWebhook(PushContract):
    def address(self, server: PushServer) -> str:
        return server.webhook

    def unreachable(self) -> Notifier:
        return AppriseNotifier(Secret(f"json://me:{MARK}@127.0.0.1:{free_port()}/{MARK}"))


class TestNtfy(PushContract):
    def address(self, server: PushServer) -> str:
        return server.ntfy

    def unreachable(self) -> Notifier:
        return AppriseNotifier(Secret(f"ntfy://me:{MARK}@127.0.0.1:{free_port()}/{MARK}"))


class TestPing(NotifierContract):
    notice = stored(SAMPLES["ping"])

    @contextmanager
    def serve(self, *, refuses: bool = False) -> Iterator[Notifier]:
        with ExitStack() as stack:
            server = PushServer()
            stack.enter_context(server.running())
            if refuses:
                server.always["/"] = status(404)
            yield PingNotifier(Ping(url=Secret(server.ping)), build_client)

    def unreachable(self) -> Notifier:
        return PingNotifier(Ping(url=Secret(f"http://127.0.0.1:{free_port()}/{MARK}")), build_client)


del NotifierContract, PushContract
