"""Mail, push services, messengers, SMS and webhooks, by the apprise library.

Its first `add` loads over 200 modules (0.4 s of processor time), so it is imported when a notice is really sent.
"""

import logging
import re
import threading
from typing import Any

from spy32.domain.notices import SHORT_LENGTH, Notice
from spy32.errors import BadSettings, Unavailable
from spy32.settings.knob import Secret

CONNECT_SECONDS, READ_SECONDS = 3, 4
"""Of each wait; apprise's own are up to 15 s for mail. Whoever calls bounds the whole."""
MAIL_SCHEMES = frozenset(
    {"mailto", "mailtos", "ses", "mailgun", "o365", "azure", "smtp2go", "sparkpost", "brevo", "resend", "sendgrid"}
)
"""Mail and the services that send it: text and file arrive as one message. A messenger would show two."""
NOT_TAKEN = "the service cannot be reached, or did not take it"


class AppriseNotifier:
    """One address in the form of apprise.

    `BadSettings` when apprise cannot use the address, `Unavailable` when it is not installed.
    """

    def __init__(self, url: Secret) -> None:
        try:
            import apprise
        except ImportError:
            raise Unavailable("apprise is not installed; pip install 'spy32[notify]'") from None
        logging.getLogger("apprise").addFilter(_keep_status)
        asset = apprise.AppriseAsset(async_mode=False, app_id="spy32", image_url_mask="")
        self._service: Any = apprise.Apprise.instantiate(_add_time_limits(url.reveal()), asset=asset)
        if self._service is None:
            raise BadSettings(
                "apprise cannot use this address (notify.addresses); apprise's wiki has the form of each service"
            )
        # Apprise would wait 5.5 s between two notices to one service; a handful a week offends nobody.
        self._service.request_rate_per_sec = 0

    def send(self, notice: Notice) -> None:
        """Send one notice: one line to a service that takes no more than an SMS, the long form to any other.

        A mail takes the notice's page along. When it is not taken with the page it is sent once more without.
        """
        if self._service.body_maxlen <= SHORT_LENGTH:
            self._notify("", notice.short_text)
            return
        text = notice.long_text
        if notice.page and self._service.schemas() & MAIL_SCHEMES:
            try:
                self._notify(notice.subject, text, attach=_attachment(notice))
                return
            except Unavailable as error:
                text = f"{text}\nThe report's page could not be attached: {error.message}."
        self._notify(notice.subject, text)

    def _notify(self, title: str, body: str, **attachment: Any) -> None:
        _last.status = None
        try:
            is_taken = bool(self._service.notify(title=title, body=body, body_format="text", **attachment))
        except Exception as error:  # noqa: BLE001 - a service of apprise may raise anything, and its text names the address
            raise Unavailable(f"apprise stumbled ({type(error).__name__})") from None
        if not is_taken:
            status = getattr(_last, "status", None)
            raise Unavailable(f"the service answered with status {status}" if status is not None else NOT_TAKEN)


def _attachment(notice: Notice) -> Any:
    """The page as a file in memory, named by its day."""
    from apprise import AppriseAttachment
    from apprise.attachment import memory

    make_file: Any = memory.AttachMemory
    name = f"spy32-report-{notice.created_at:%Y-%m-%d}.html"
    return AppriseAttachment(make_file(content=notice.page, name=name, mimetype="text/html"))


def _add_time_limits(url: str) -> str:
    """The address with our limits of time, and plain text that is cut where the service takes no more."""
    joint = "&" if "?" in url else "?"
    chosen = "" if "format=" in url else "&format=text"
    return f"{url}{joint}cto={CONNECT_SECONDS}&rto={READ_SECONDS}&overflow=truncate{chosen}"


_last = threading.local()
"""`status`: what the service of this thread's last notice answered, for the record."""


def _keep_status(record: logging.LogRecord) -> bool:
    """Drop what apprise logs, since it holds parts of the address; keep the HTTP status, told nowhere else."""
    found = re.search(r"\berror=([1-5][0-9]{2})\b", record.getMessage())
    if found is not None:
        _last.status = found[1]
    return False
