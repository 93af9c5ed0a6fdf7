"""What is really sent through apprise: which form, whole or cut, and what an address that cannot be used says."""

import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from spy32.domain.notices import SHORT_LENGTH
from spy32.errors import BadSettings, Unavailable
from spy32.notifiers.apprise import MAIL_SCHEMES, AppriseNotifier
from spy32.settings.knob import Secret
from tests.servers.mail import MailServer
from tests.servers.push import PushServer
from tests.support.sample_notices import SAMPLES, stored
from tests.support.sample_report import sample_page, sample_report

NOTICE = stored(SAMPLES["proposed"])
TWILIO = "twilio://AC735c307c62944b5a9f15b6c5c2f4d1b2:e29dfbcebf390dee9a9c8e9b9a8d7c6b@+15551234567/+15557654321"
LONG = replace(NOTICE, body="Größe −5 漢字 \U0001f600 <b>not bold</b>\n" * 150, subject="[PAPER] Größe −5 漢字")
"""More than 5,000 characters of every kind."""


class Sent(list[dict[str, Any]]):
    """What a service of apprise is asked to send."""

    def notify(self, **words: Any) -> bool:
        self.append(words)
        return True


def test_a_mail_is_plain_text_with_the_whole_long_form() -> None:
    with MailServer().running() as server:
        AppriseNotifier(Secret(server.address)).send(NOTICE)
        AppriseNotifier(Secret(server.address)).send(LONG)
    assert [mail.get_content_type() for mail in server.mails] == ["text/plain"] * 2
    assert [str(mail["Subject"]) for mail in server.mails] == [NOTICE.subject, LONG.subject]
    assert [text.strip().splitlines() for text in server.texts] == [
        notice.long_text.splitlines() for notice in (NOTICE, LONG)
    ]


def test_a_webhook_and_ntfy_get_subject_and_text_whole() -> None:
    server = PushServer()
    with server.running():
        AppriseNotifier(Secret(server.webhook)).send(LONG)
        AppriseNotifier(Secret(server.ntfy)).send(NOTICE)
    assert server.titles() == [LONG.subject, NOTICE.subject]
    assert [request.json["message"] for request in server.requests] == [LONG.long_text, NOTICE.long_text]
    assert b"github.com" not in b"".join(request.body for request in server.requests)
    assert "x-icon" not in server.requests[1].headers


def test_a_handful_of_notices_goes_to_one_address_without_a_pause() -> None:
    began = time.monotonic()
    with MailServer().running() as server:
        notifier = AppriseNotifier(Secret(server.address))
        for _ in range(5):
            notifier.send(NOTICE)
    # Apprise's own pause would be 5.5 s before each but the first.
    assert len(server.mails) == 5 and time.monotonic() - began < 4 * 5.5


PAGE = "<!doctype html><title>report</title><p>−$1,382 für 52</p>"
WEEKLY = replace(stored(SAMPLES["week"]), page=PAGE)


def test_a_mail_has_the_page_attached_beside_the_whole_text() -> None:
    with MailServer().running() as server:
        AppriseNotifier(Secret(server.address)).send(WEEKLY)
    (mail,) = server.mails
    body, attachment = mail.get_body(("plain",)), next(mail.iter_attachments())
    assert body is not None and body.get_content().strip().splitlines() == WEEKLY.long_text.splitlines()
    assert attachment.get_content_type() == "text/html"
    assert attachment.get_filename() == f"spy32-report-{WEEKLY.created_at:%Y-%m-%d}.html"
    assert attachment.get_payload(decode=True) == PAGE.encode()


def test_a_whole_report_goes_through_a_mail_server_unchanged() -> None:
    page = sample_page(sample_report(260))
    with MailServer().running() as server:
        AppriseNotifier(Secret(server.address)).send(replace(WEEKLY, page=page))
    (attachment,) = server.mails[0].iter_attachments()
    assert attachment.get_payload(decode=True) == page.encode()


def test_a_page_that_cannot_be_attached_loses_no_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.attachment.memory import AttachMemory

    def fail(*words: Any, **more: Any) -> bool:
        raise OSError("no memory")

    monkeypatch.setattr(AttachMemory, "open", fail)
    monkeypatch.setattr(AttachMemory, "exists", lambda *words, **more: False)
    with MailServer().running() as server:
        AppriseNotifier(Secret(server.address)).send(WEEKLY)
    (mail,) = server.mails
    assert mail.get_content_type() == "text/plain" and str(mail["Subject"]) == WEEKLY.subject
    text = mail.get_content()
    assert WEEKLY.body.splitlines()[0] in text and "The report's page could not be attached: " in text


def test_a_mail_that_is_refused_with_its_page_and_without_fails_as_any_other() -> None:
    server = MailServer()
    server.refusal = "550 no"
    with server.running(), pytest.raises(Unavailable, match="cannot be reached, or did not take it"):
        AppriseNotifier(Secret(server.address)).send(WEEKLY)
    assert server.mails == []


def test_a_webhook_ntfy_and_sms_get_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    server = PushServer()
    with server.running():
        AppriseNotifier(Secret(server.webhook)).send(WEEKLY)
        AppriseNotifier(Secret(server.ntfy)).send(WEEKLY)
    assert [request.json["message"] for request in server.requests] == [WEEKLY.long_text] * 2
    assert b"doctype" not in b"".join(request.body for request in server.requests)
    notifier, sent = AppriseNotifier(Secret(TWILIO)), Sent()
    monkeypatch.setattr(notifier._service, "notify", sent.notify)
    notifier.send(WEEKLY)
    assert sent == [{"title": "", "body": WEEKLY.short_text, "body_format": "text"}]


def test_every_mail_service_takes_files() -> None:
    from apprise.manager_plugins import NotificationManager

    services = NotificationManager()
    assert all(services[scheme].attachment_support for scheme in MAIL_SCHEMES)


def test_a_service_of_sms_gets_the_one_line_form(monkeypatch: pytest.MonkeyPatch) -> None:
    notifier, sent = AppriseNotifier(Secret(TWILIO)), Sent()
    monkeypatch.setattr(notifier._service, "notify", sent.notify)
    notifier.send(NOTICE)
    assert sent == [{"title": "", "body": NOTICE.short_text, "body_format": "text"}]
    assert len(sent[0]["body"]) <= SHORT_LENGTH


def test_a_text_that_is_too_long_for_its_service_is_cut_at_the_end() -> None:
    service = AppriseNotifier(Secret("tgram://123456789:AABBCCDDEEFFGGHHIIJJ/12345"))._service
    (piece,) = service._apply_overflow(LONG.long_text, title=LONG.subject)
    assert LONG.body[:40] in piece["body"] and len(piece["body"]) <= 4096


@pytest.mark.parametrize("url", ["nosuch://x", "mailto://", "https://", "twilio://a:b@c/d"])
def test_an_address_that_apprise_does_not_know_is_a_setting_to_mend(url: str) -> None:
    with pytest.raises(BadSettings, match="apprise cannot use this address"):
        AppriseNotifier(Secret(url))


def test_limits_of_time_are_put_on_every_address_and_a_form_that_was_chosen_stays() -> None:
    plain = AppriseNotifier(Secret("json://127.0.0.1/x"))._service
    assert (plain.socket_connect_timeout, plain.socket_read_timeout) == (3.0, 4.0)
    chosen = AppriseNotifier(Secret("mailto://h.example?to=a@b.example&from=c@d.example&format=html"))._service
    assert "html" in str(chosen.notify_format) and chosen.socket_connect_timeout == 3.0


def test_without_apprise_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(Unavailable, match=r"pip install 'spy32\[notify\]'"):
        AppriseNotifier(Secret("json://127.0.0.1/x"))


def test_a_service_that_stumbles_tells_its_kind_and_not_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(**words: Any) -> bool:
        raise ValueError("https://secret.example")

    notifier = AppriseNotifier(Secret(TWILIO))
    monkeypatch.setattr(notifier._service, "notify", stumble)
    with pytest.raises(Unavailable) as caught:
        notifier.send(NOTICE)
    assert caught.value.message == "apprise stumbled (ValueError)" and caught.value.__suppress_context__
