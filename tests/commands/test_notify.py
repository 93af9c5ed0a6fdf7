"""Notices by the real program to real servers: what a broken address may and may not do."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers.mail import MailServer, free_port, silent_port
from tests.servers.push import PushServer
from tests.servers.web import Handler, Reply, drip_head, hang, status
from tests.support.program import ANALYZE, one_line, spy32
from tests.support.timeouts import PATIENCE, SOON

pytestmark = pytest.mark.slow

ADDRESSES = "SPY32_NOTIFY_ADDRESSES"
MONDAY, TUESDAY, FRIDAY = "2025-10-06T14:05:00Z", "2025-10-07T18:00:00Z", "2025-10-10T20:30:00Z"
MARK = "PLANTEDmarker0123456789"


@pytest.fixture
def push() -> Iterator[PushServer]:
    server = PushServer()
    with server.running():
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer().running() as server:
        yield server


def listed(home: Path, env: dict[str, str]) -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads(spy32(home, "notify", "list", "--json", env=env).stdout)
    found: list[dict[str, Any]] = document["notices"]
    return found


def outcome(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    """Code, outcome and state of the proposal of an `analyze --json`."""
    document = json.loads(done.stdout)
    return done.returncode, document["run"]["outcome"], document["proposal"]["state"]


def test_the_weekly_summary_brings_the_reports_page_by_mail(tmp_path: Path, mail: MailServer) -> None:
    env = {ADDRESSES: f"mail/weekly={mail.address}"}
    assert spy32(tmp_path, *ANALYZE, env={**env, "SPY32_CLOCK": MONDAY}).returncode == 0
    assert mail.mails == []
    friday = {**env, "SPY32_CLOCK": FRIDAY}
    assert spy32(tmp_path, "notify", "flush", env=friday).returncode == 0
    (weekly,) = mail.mails
    (attachment,) = weekly.iter_attachments()
    page = attachment.get_payload(decode=True)
    assert isinstance(page, bytes) and attachment.get_filename() == "spy32-report-2025-10-10.html"
    written = tmp_path / "report.html"
    assert spy32(tmp_path, "report", "--html", str(written), env=friday).returncode == 0
    assert written.read_bytes() == page and b"<p>No trade has ended yet.</p>" in page


def test_a_proposal_is_told_by_mail_and_webhook_and_the_fill_follows(
    tmp_path: Path, mail: MailServer, push: PushServer
) -> None:
    env = {ADDRESSES: f"mail={mail.address},hook/trade={push.webhook}"}
    assert spy32(tmp_path, *ANALYZE, env=env).returncode == 0
    (message,) = mail.mails
    assert message["Subject"].startswith("[PAPER] P1: sell 2 SPY 30 Sep 621/616 put spread for 0.56")
    assert "spy32 approve P1" in mail.texts[0] and "Notice N1" in mail.texts[0]
    assert re.search(r"^win +\d+% ", mail.texts[0], re.MULTILINE)
    assert spy32(tmp_path, "approve", "--yes", env=env).returncode == 0
    assert spy32(tmp_path, "execute", env=env).returncode == 0
    assert push.titles() == [str(each["Subject"]) for each in mail.mails]
    assert push.titles()[1].startswith("[PAPER] T1: sold 2 of 2 SPY 30 Sep 621/616 put spread at 0.")
    assert [row["state"] for row in listed(tmp_path, env)] == ["sent", "sent"]


@pytest.mark.parametrize(
    "words", [("close", "T1"), ("cancel", "P1"), ("reconcile",), ("approve", "P1", "--decline")], ids=" ".join
)
def test_every_command_that_trades_sends_what_waits_however_it_ends(
    trade_home: Path, push: PushServer, words: tuple[str, ...]
) -> None:
    spy32(trade_home, *words, env={ADDRESSES: f"hook={push.webhook}"})
    assert any("T1: sold" in title for title in push.titles())


def test_without_an_address_the_list_says_what_sets_one_and_points_at_no_flush(tmp_path: Path) -> None:
    assert spy32(tmp_path, *ANALYZE).returncode == 0
    said = spy32(tmp_path, "notify", "list").stdout
    assert "1 notice unsent; set an address (notify.addresses) to be told" in said
    assert "notify flush" not in said
    assert "spy32 notify flush" in spy32(tmp_path, "notify", "list", env={ADDRESSES: "me=nosuch://x/y"}).stdout


class Faults:
    """One address that is broken, and what mends it."""

    def __init__(self, stack: ExitStack) -> None:
        self.mail, self.push = MailServer(), PushServer()
        self.stack = stack
        stack.enter_context(self.push.running())

    def break_(self, name: str) -> str:
        """The address, broken."""
        if name == "dead":
            self.mail.port = free_port()
            return self.mail.address
        if name == "silent mail":
            port = self.stack.enter_context(silent_port())
            return f"mailto://127.0.0.1:{port}?to=me@example.com&from=desk@example.com"
        if name == "refusing":
            self.mail.refusal = "550 no such mailbox"
            self.stack.enter_context(self.mail.running())
            return self.mail.address
        if name == "wrong address":
            return "nosuchservice://somewhere/x"
        self.push.always["/"] = {"429": status(429), "500": status(500), "hanging": hang, "dripping": drip_head}[name]
        return self.push.ntfy if name == "429" else self.push.webhook

    def mend(self, name: str, address: str) -> str:
        """An address of the same label that works."""
        self.push.always.clear()
        self.mail.refusal = ""
        if name == "dead":
            self.stack.enter_context(self.mail.running(self.mail.port))
        return self.push.webhook if name in ("silent mail", "wrong address") else address

    def arrived(self) -> int:
        """Mails and requests so far, refused requests too."""
        return len(self.mail.mails) + len(self.push.requests)


FAULTS = ("dead", "silent mail", "refusing", "wrong address", "429", "500", "hanging", "dripping")


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_address_changes_no_run_and_gets_its_notice_later(tmp_path: Path, name: str) -> None:
    whole = outcome(spy32(tmp_path / "whole", *ANALYZE, "--json"))
    with ExitStack() as stack:
        faults = Faults(stack)
        address = faults.break_(name)
        began = time.monotonic()
        done = spy32(tmp_path / "home", *ANALYZE, "--json", env={ADDRESSES: f"me={address}"})
        seconds = time.monotonic() - began
        assert outcome(done) == whole == (0, "proposed", "proposed")
        assert seconds < SOON
        env = {ADDRESSES: f"me={faults.mend(name, address)}"}
        (row,) = listed(tmp_path / "home", env)
        assert (row["state"], row["tries"]) == ("waiting", 1) and row["error"].startswith("me: ")
        before = faults.arrived()
        assert spy32(tmp_path / "home", "notify", "flush", env=env).returncode == 0
        assert faults.arrived() == before + 1
        assert [row["state"] for row in listed(tmp_path / "home", env)] == ["sent"]


def test_what_no_address_asks_for_is_put_away_and_not_waited_for(tmp_path: Path, push: PushServer) -> None:
    env = {ADDRESSES: f"hook/weekly={push.webhook}"}
    spy32(tmp_path, *ANALYZE)
    assert "notices: 1 unsent; no address is set (notify.addresses)" in spy32(tmp_path, "status").stdout
    assert "nothing is sent" in spy32(tmp_path, "notify", "flush").stdout
    spy32(tmp_path, *ANALYZE, "--scheduled", env=env)
    assert [row["state"] for row in listed(tmp_path, env)] == ["unwanted"] and push.requests == []
    assert spy32(tmp_path, "notify", "flush", env=env).returncode == 0


def test_two_processes_send_each_notice_once(tmp_path: Path, push: PushServer) -> None:
    for _ in range(3):
        spy32(tmp_path, *ANALYZE, "--force")
    env = {**os.environ, "SPY32_HOME": str(tmp_path), ADDRESSES: f"hook={push.webhook}"}
    command = [sys.executable, "-m", "spy32", "notify", "flush"]
    crowd = [subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) for _ in range(4)]
    # 75 says that another one was still sending.
    assert {each.wait(PATIENCE) for each in crowd} <= {0, 75}
    assert len(push.titles()) == len(set(map(message_id, push.requests))) == 3


def message_id(request: Any) -> str:
    found = re.search(r"Notice (N\d+)", request.json["message"])
    assert found is not None
    return found[1]


def test_a_kill_between_sending_and_marking_sends_the_same_id_again(tmp_path: Path, push: PushServer) -> None:
    spy32(tmp_path, *ANALYZE)
    env = {**os.environ, "SPY32_HOME": str(tmp_path), ADDRESSES: f"hook={push.webhook}"}
    started: list[subprocess.Popen[bytes]] = []

    def kill_client(handler: Handler, reply: Reply) -> None:
        while not started:
            time.sleep(0.01)
        started[0].send_signal(signal.SIGKILL)

    push.faults["/hook"] = [kill_client]
    started.append(subprocess.Popen([sys.executable, "-m", "spy32", "notify", "flush"], env=env))
    assert started[0].wait(PATIENCE) == -signal.SIGKILL
    assert spy32(tmp_path, "notify", "flush", env={ADDRESSES: env[ADDRESSES]}).returncode == 0
    assert [message_id(request) for request in push.requests] == ["N1", "N1"]


def test_a_start_with_nothing_to_do_loads_no_apprise_and_tells_nobody(tmp_path: Path, push: PushServer) -> None:
    env = {ADDRESSES: f"hook={push.webhook}", "SPY32_PING_URL": push.ping}
    scheduled = (*ANALYZE, "--scheduled")
    spy32(tmp_path, *scheduled, env={**env, "SPY32_CLOCK": MONDAY})
    sent = len(push.requests)
    bare = {"SPY32_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SPY32_CLOCK": TUESDAY}
    command = [sys.executable, "-X", "importtime", "-m", "spy32", *scheduled]
    done = subprocess.run(command, env={**bare, **env}, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "")
    assert "spy32.ops.outbox" in done.stderr and "apprise" not in done.stderr and "requests" not in done.stderr
    assert len(push.requests) == sent


def test_a_slot_that_has_its_run_pings_start_and_end_with_one_id(tmp_path: Path, push: PushServer) -> None:
    env = {"SPY32_PING_URL": push.ping, "SPY32_CLOCK": MONDAY}
    spy32(tmp_path, *ANALYZE, "--scheduled", env=env)
    start, end = push.requests
    assert (start.path, end.path) == ("/ping/5f0c/start", "/ping/5f0c")
    assert start.query["rid"] == end.query["rid"] and (start.body, end.body) == (b"", b"proposed, code 0, R1")


def test_a_lost_slot_pings_its_failure_and_is_told(tmp_path: Path, push: PushServer) -> None:
    env = {"SPY32_PING_OK": f"{push.url}/ping/ok?a=1", "SPY32_PING_FAIL": f"{push.url}/ping/bad"}
    env[ADDRESSES] = f"hook={push.webhook}"
    assert spy32(tmp_path, "config", "init", env={"SPY32_CLOCK": "2025-10-05T12:00:00Z"}).returncode == 0
    done = spy32(tmp_path, *ANALYZE, "--scheduled", env={**env, "SPY32_CLOCK": TUESDAY})
    assert done.returncode == 0 and "was missed" in done.stderr
    paths = sorted(request.path for request in push.requests)
    assert paths == ["/hook", "/ping/bad"]
    assert push.titles() == ["[PAPER] R1: the weekly run was missed"]


def test_a_failed_run_that_may_be_repeated_pings_no_end(tmp_path: Path, push: PushServer) -> None:
    env = {"SPY32_PING_URL": push.ping, "SPY32_CLOCK": MONDAY}
    done = spy32(tmp_path, "analyze", "--scheduled", "--market", "recorded:/nowhere.csv", "--analyst", "rules", env=env)
    assert done.returncode != 0
    assert "/ping/5f0c" not in [request.path for request in push.requests]
    assert push.requests[0].path == "/ping/5f0c/start"


def test_a_monitor_that_hangs_holds_no_run_and_is_told_later(tmp_path: Path, push: PushServer) -> None:
    push.always["/"] = hang
    env = {"SPY32_PING_URL": push.ping, "SPY32_CLOCK": MONDAY}
    assert spy32(tmp_path, *ANALYZE, "--scheduled", env=env).returncode == 0
    push.always.clear()
    before = len(push.requests)
    assert spy32(tmp_path, "notify", "flush", env=env).returncode == 0
    assert [request.path for request in push.requests[before:]] == ["/ping/5f0c"]


def test_what_was_given_up_is_one_line_of_status_until_somebody_has_looked(tmp_path: Path) -> None:
    env = {ADDRESSES: f"me=json://127.0.0.1:{free_port()}/x"}
    spy32(tmp_path, *ANALYZE, env={**env, "SPY32_CLOCK": MONDAY})
    later = {**env, "SPY32_CLOCK": "2025-10-07T14:06:00Z"}
    done = spy32(tmp_path, "status", "--check", env=later)
    assert done.returncode == 20 and "N1 was given up after a day" in done.stderr
    assert [row["state"] for row in listed(tmp_path, later)] == ["given_up"]
    assert spy32(tmp_path, "notify", "flush", env=later).stdout == "nothing waits to be sent\n"
    spy32(tmp_path, "status", "--ack", "N1", env=later)
    assert "given up" not in spy32(tmp_path, "status", "--check", env=later).stderr


def test_a_test_says_which_address_took_it(tmp_path: Path, mail: MailServer) -> None:
    env = {ADDRESSES: f"mail={mail.address},phone=ntfy://127.0.0.1:{free_port()}/t"}
    done = spy32(tmp_path, "notify", "test", env=env)
    assert done.returncode == 75 and "mail: took it" in done.stdout and "phone: not reached" in done.stdout
    assert spy32(tmp_path, "notify", "test", "mail", env=env).returncode == 0
    assert len(mail.mails) == 2 and not (tmp_path / "paper.db").exists()
    one_line(spy32(tmp_path, "notify", "test", "fax", env=env), 2, "fax", "mail, phone")
    one_line(spy32(tmp_path, "notify", "test"), 78, "notify.addresses")
    document = json.loads(spy32(tmp_path, "notify", "test", "phone", "--json", env=env).stdout)
    assert [result["label"] for result in document["results"]] == ["phone"] and document["results"][0]["error"]


def test_a_ping_test_prints_the_check_and_changes_no_state(tmp_path: Path, push: PushServer) -> None:
    done = spy32(tmp_path, "notify", "test", "--ping", env={"SPY32_PING_URL": push.ping})
    assert done.returncode == 0 and [request.path for request in push.requests] == ["/ping/5f0c/log"]
    for words in ("0 10 * * 1", "America/New_York", "3 h 15 min"):
        assert words in done.stdout
    one_line(spy32(tmp_path, "notify", "test", "--ping"), 78, "SPY32_PING_URL")


def test_no_password_of_an_address_is_written_anywhere(tmp_path: Path) -> None:
    port = free_port()
    env = {
        ADDRESSES: f"mail=mailto://me:{MARK}@127.0.0.1:{port}?to=a@b.example,bad=nosuch://{MARK}",
        "SPY32_PING_URL": f"http://127.0.0.1:{port}/{MARK}",
    }
    written = ""
    words = ("notify", "test"), ("notify", "list"), ("notify", "flush"), ("config", "show"), ("status",)
    for command in (("-v", *ANALYZE, "--scheduled"), *words, ("notify", "test", "--ping"), ("show", "--full")):
        done = spy32(tmp_path, *command, env={**env, "SPY32_CLOCK": MONDAY})
        written += done.stdout + done.stderr
    with closing(sqlite3.connect(tmp_path / "paper.db")) as db:
        written += "\n".join(db.iterdump())
    written += "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    assert MARK not in written and "mail" in written
