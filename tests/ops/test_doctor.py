"""Every check of `doctor` passes in a good home, and is provoked by its own fault."""

import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from spy32.cli import COMMANDS
from spy32.cli import GROUPS as COMMAND_GROUPS
from spy32.domain.events import EventCalendar
from spy32.domain.notices import NoticeKind, NoticeText
from spy32.domain.runs import Outcome
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, NotPermitted, StoreDamaged, StoreError, Unavailable
from spy32.lifecycle import OrderState, TradeState
from spy32.ops.cron import MachineZone
from spy32.ops.doctor import CHECKS, GROUPS, ONLINE_GROUPS, run_checks, select_checks
from spy32.ops.doctor.base import Answers, BrokerAnswer, CheckStatus, HomeStore, Package, group_of
from spy32.ops.switches import pause
from spy32.rules.schedule import RUN_LOCK
from spy32.settings.keys import Source
from spy32.settings.model import Environment
from spy32.settings.notifiers import PING_LABEL
from spy32.settings.paths import AccessFault
from spy32.store import Store
from tests.support import builders, checkups, stores
from tests.support.checkups import CHECK_LINE, LINE, answers, context, diagnose, machine
from tests.support.reader import HeldLocks
from tests.support.stores import move_trade

PASS, WARN, FAIL, SKIP = CheckStatus
Change = Callable[[Store], dict[str, Any]]
"""What a fault changes in the home, and in the context of a good one."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The database of a home of last Friday, with a run; it is of mode paper, and the context says live."""
    with stores.opened(tmp_path / "paper.db", at=builders.later(days=-3)) as opened:
        run = stores.begun(opened)
        number = opened.notices.add(
            NoticeText(kind=NoticeKind.PING_OK, subject="ping", short="ping", body=""), builders.later(days=-1)
        )
        opened.notices.record_delivery(number, PING_LABEL, builders.NOW)
        opened.notices.mark_sent(number, builders.NOW)
        opened.runs.finish(run.id, outcome=Outcome.NO_TRADE, cause="abstained", reasons=("no",), at=builders.NOW)
        yield opened


# Faults.


def on_machine(**over: Any) -> Change:
    return lambda _store: {"machine": machine(**over)}


def set_to(**over: Any) -> Change:
    return lambda _store: over


def answered(**over: Any) -> Change:
    return lambda _store: {"answers": answers(**over)}


def by_broker(**over: Any) -> Change:
    base: dict[str, Any] = {"account": builders.account(mode=Mode.LIVE), "clock_ahead": 0.0, "orders": ()}
    return answered(broker=BrokerAnswer(**{**base, **over}))


def with_settings(**over: Any) -> Change:
    return lambda _store: {"settings": replace(checkups.SETTINGS, mode=Mode.LIVE, **over)}


def at_home(**over: Any) -> Change:
    return lambda store: {"home": HomeStore(path=store.core.path, **over)}


def paused(store: Store) -> dict[str, Any]:
    pause(store.flags, "holiday", builders.NOW, store.core.path.parent)
    return {}


def old_backup(store: Store) -> dict[str, Any]:
    folder = store.core.path.parent / "backups"
    folder.mkdir()
    file = folder / "paper-20250801T000000Z.db"
    file.write_bytes(b"")
    made = datetime(2025, 8, 1, tzinfo=UTC).timestamp()
    os.utime(file, (made, made))
    return {}


def damaged(store: Store) -> dict[str, Any]:
    return {"home": HomeStore(path=store.core.path, store=store, fault="row 3 differs")}


def moved(store: Store) -> dict[str, Any]:
    other = store.core.path.parent / "elsewhere"
    other.mkdir()
    copy = store.backup.create(other / "paper.db")
    opened = stores.opened(copy, read_only=True)
    return {"home": HomeStore(path=copy, store=opened)}


def run_ended(outcome: Outcome | None) -> Change:
    def change(store: Store) -> dict[str, Any]:
        run = stores.begun(store, at=builders.later(1))
        if outcome is not None:
            store.runs.finish(run.id, outcome=outcome, cause="data", reasons=("no",), at=builders.later(2))
        return {}

    return change


def unknown_order(store: Store) -> dict[str, Any]:
    made, yes = stores.approved(store)
    store.orders.begin(builders.order(made, yes), at=builders.later(minutes=6))
    return {}


def trade(days: int, state: TradeState | None = None) -> Change:
    """A trade that expires after so many days."""

    def change(store: Store) -> dict[str, Any]:
        _, held = stores.filled(store)
        if state is not None:
            move_trade(store, held.id, now=state, at=builders.later(minutes=9))
        return {"now": datetime.combine(builders.EXPIRATION, builders.NOW.timetz()) - timedelta(days=days)}

    return change


def notice(kind: NoticeKind, *, at: datetime = builders.NOW, error: str = "refused") -> Change:
    """A notice that was tried, and that nobody has taken."""

    def change(store: Store) -> dict[str, Any]:
        number = store.notices.add(NoticeText(kind=kind, subject="subject", short="short", body="body"), at)
        store.notices.record_failure(number, error, at)
        return {}

    return change


def stranger(store: Store) -> dict[str, Any]:
    order = builders.broker_order(builders.stored_order(builders.proposal(), None), state=OrderState.WORKING)
    return by_broker(orders=(order,))(store)


SHELL = {"mode": Source(kind="environment", where="SPY32_MODE")}
REFUSED = NotPermitted("tastytrade log-in: HTTP 400")
GONE = Unavailable("no answer within 3 s")
NO_KEY = replace(checkups.SETTINGS.xai, api_key=None)
LATE = "0 14 * * 1"
"""In New York it is 10:00 in summer, and 09:00, before the slot, in winter."""

FAULTS: dict[str, list[tuple[CheckStatus, Change]]] = {
    "install.packages": [
        (FAIL, on_machine(packages=(Package(name="numpy", needs=">=1.26", installed=None),))),
        (FAIL, on_machine(packages=(Package(name="typer", needs=">=0.24,<0.29", installed="0.29.0"),))),
        (FAIL, on_machine(packages=(Package(name="numpy", needs=">=1.26", installed="1.9.3"),))),
    ],
    "install.zone_data": [
        (FAIL, on_machine(clock_changes=(date(2025, 4, 6), date(2025, 10, 26)))),
        (FAIL, on_machine(clock_changes=())),
    ],
    "config.settings": [(FAIL, set_to(settings_error=BadSettings("config.toml:3: unknown key")))],
    "config.environment": [(WARN, set_to(sources=SHELL))],
    "config.credentials": [
        (FAIL, with_settings(xai=NO_KEY)),
        (FAIL, with_settings(tastytrade=replace(checkups.SETTINGS.tastytrade, refresh_token=None))),
        (WARN, set_to(mode=Mode.PAPER, settings=replace(checkups.SETTINGS, xai=NO_KEY))),
    ],
    "config.automation": [
        (WARN, with_settings(enable_automation=False)),
        (WARN, with_settings(environment=Environment.DEVELOPMENT)),
    ],
    "files.access": [
        (FAIL, on_machine(access_fault=AccessFault("/h can be written by others", "chmod go-w /h"))),
        (FAIL, on_machine(secrets_fault=AccessFault("/h/.env is open to others", "chmod 600 /h/.env"))),
        (WARN, set_to(mode=Mode.PAPER, machine=machine(access_fault=AccessFault("/h", "chmod go-w /h")))),
    ],
    "files.writable": [(FAIL, on_machine(read_only=Path("/h")))],
    "files.space": [(FAIL, on_machine(free_bytes=2**20)), (WARN, on_machine(free_bytes=100 * 2**20))],
    "files.system": [(WARN, on_machine(file_system="nfs4"))],
    "tables.calendar": [(FAIL, set_to(now=datetime(2099, 12, 1, tzinfo=UTC)))],
    "tables.events": [
        (WARN, set_to(calendar=EventCalendar(known_to={"fomc": date(2025, 11, 1)}, asked=("fomc",)))),
        (WARN, set_to(calendar=EventCalendar(asked=("jobs",)))),
        (FAIL, set_to(calendar=BadSettings("events.toml: not TOML"))),
    ],
    "tables.dividends": [(WARN, set_to(last_dividend=date(2025, 6, 20)))],
    "db.open": [
        (FAIL, at_home(error=StoreDamaged("the file is empty", Path("/h/live.db")))),
        (FAIL, at_home(error=BadSettings("version 99, this spy32 knows 6"))),
    ],
    "db.integrity": [(FAIL, damaged)],
    "db.backup": [(WARN, old_backup), (WARN, set_to(now=builders.later(days=30)))],
    "db.place": [(FAIL, moved)],
    "state.halt": [(WARN, set_to(halted="storm"))],
    "state.pause": [(WARN, paused)],
    "state.runs": [(WARN, run_ended(None)), (WARN, run_ended(Outcome.FAILED))],
    "state.orders": [(FAIL, unknown_order)],
    "state.trades": [(WARN, trade(0)), (WARN, trade(2)), (FAIL, trade(-1)), (FAIL, trade(9, TradeState.ASSIGNED))],
    "notify.addresses": [
        (FAIL, set_to(notifiers={"phone": None, "mail": BadSettings("notify.addresses: mail: no such form")})),
        (FAIL, set_to(notifiers={"mail": Unavailable("apprise is not installed")})),
    ],
    "notify.ping": [(WARN, notice(NoticeKind.PING_OK))],
    "notify.outbox": [
        (WARN, notice(NoticeKind.FAILED)),
        (WARN, notice(NoticeKind.FAILED, at=builders.later(days=-2))),
    ],
    "cron.line": [
        (WARN, on_machine(crontab="", timers=())),
        (WARN, on_machine(crontab=None, timers=())),
        (FAIL, on_machine(crontab=StoreError("the crontab cannot be read: you are not allowed"))),
        (WARN, on_machine(crontab=f"{LINE}\n")),
        (WARN, on_machine(crontab=f"{LINE} --profile qqq\n{CHECK_LINE}\n")),
    ],
    "cron.starts": [
        (FAIL, on_machine(crontab=LINE.replace("*/15 * * * *", LATE))),
        (WARN, on_machine(crontab=LINE.replace("*/15 * * * *", "0 16 * * 1"))),
    ],
    "cron.program": [
        (FAIL, on_machine(crontab="*/15 * * * * /gone/spy32 analyze --scheduled")),
        (FAIL, on_machine(crontab="*/15 * * * * flock -n /tmp /gone/spy32 analyze --scheduled")),
        (FAIL, on_machine(crontab="*/15 * * * * cd /;/gone/python -I -m spy32 -v analyze --scheduled")),
        (WARN, on_machine(crontab="*/15 * * * * /bin/ls -m spy32 analyze --scheduled")),
        (WARN, on_machine(crontab="*/15 * * * * spy32 analyze --scheduled")),
    ],
    "cron.traps": [
        (WARN, on_machine(crontab=f"TZ=America/New_York\n{LINE}\n")),
        (WARN, on_machine(crontab=f"CRON_TZ=America/New_York\n{LINE}\n")),
        (WARN, on_machine(zone=MachineZone(name="UTC", zone=UTC, warning="TZ is UTC in this shell"))),
    ],
    "cron.daemon": [(FAIL, on_machine(is_cron_running=False))],
    "cron.linger": [(WARN, on_machine(lingers=False))],
    "broker.login": [(FAIL, answered(broker=REFUSED)), (FAIL, answered(broker=GONE))],
    "broker.level": [
        (FAIL, by_broker(account=builders.account(permits_spreads=False, options_level="Covered"))),
        (FAIL, by_broker(account=builders.account(restrictions=("closing only",)))),
        (WARN, by_broker(account=builders.account(permits_spreads=None))),
    ],
    "broker.clock": [
        (FAIL, by_broker(clock_ahead=121.0)),
        (FAIL, by_broker(clock_ahead=-3600.0)),
        (FAIL, by_broker(clock_ahead=float("nan"))),
        (WARN, by_broker(clock_ahead=-11.0)),
        (WARN, by_broker(clock_ahead=None)),
    ],
    "broker.orders": [(WARN, stranger)],
    "service.xai": [(FAIL, answered(models=NotPermitted("xAI (HTTP 400)"))), (FAIL, answered(models=GONE))],
    "service.model": [(WARN, answered(models=frozenset({"grok-9"})))],
    "service.tastytrade": [(FAIL, answered(markets={"tastytrade": GONE}))],
    "service.cboe": [(FAIL, answered(markets={"cboe": GONE}))],
    "service.yahoo": [(FAIL, answered(markets={"yahoo": GONE}))],
}  # fmt: skip


def test_a_good_home_passes_every_check(store: Store) -> None:
    found = run_checks(CHECKS, context(store))
    assert [result.id for result in found.results if result.diagnosis.status is not PASS] == []
    assert found.is_ok


def test_every_check_has_its_faults() -> None:
    assert list(FAULTS) == list(CHECKS)


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name, faults in FAULTS.items() for number in range(len(faults))]
)
def test_a_fault_is_found_with_what_repairs_it(store: Store, name: str, number: int) -> None:
    status, change = FAULTS[name][number]
    found = diagnose(name, context(store, **change(store)))
    assert (found.status, bool(found.detail)) == (status, True), found
    assert found.fix
    assert is_runnable(found.fix), found.fix


def is_runnable(fix: str) -> bool:
    """A command of ours that exists, or another program's."""
    words = shlex.split(fix)
    if words[0] != "spy32":
        return True
    return words[1] in COMMANDS or words[2] in COMMAND_GROUPS[words[1]][1]


def test_ids_are_of_known_groups_and_stand_together() -> None:
    groups = [group_of(check_id) for check_id in CHECKS]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=list(GROUPS).index)
    assert set(GROUPS) >= ONLINE_GROUPS


# What is not checked.


def test_offline_leaves_out_the_services_with_a_reason(store: Store) -> None:
    found = run_checks(CHECKS, context(store, answers=Answers(reason="left out by --offline")))
    skipped = {result.id: result.diagnosis for result in found.results if result.diagnosis.status is SKIP}
    assert {name.partition(".")[0] for name in skipped} == ONLINE_GROUPS
    assert {diagnosis.detail for diagnosis in skipped.values()} == {"left out by --offline"}


def test_without_a_sound_database_its_rows_are_not_judged(store: Store) -> None:
    for home in (
        HomeStore(path=store.core.path),
        HomeStore(path=store.core.path, store=store, fault="damaged"),
        HomeStore(path=store.core.path, error=BadSettings("newer")),
    ):
        found = run_checks(select_checks(["db", "state"]), context(store, home=home))
        skipped = {result.id for result in found.results if result.diagnosis.status is SKIP}
        assert skipped >= {"db.backup", "db.place", "state.pause", "state.runs", "state.orders", "state.trades"}


def test_a_broker_that_does_not_answer_fails_once(store: Store) -> None:
    found = run_checks(select_checks(["broker"]), context(store, answers=answers(broker=REFUSED)))
    assert [result.diagnosis.status for result in found.results] == [FAIL, SKIP, SKIP, SKIP]


def test_paper_needs_no_grant_and_no_model(store: Store) -> None:
    found = run_checks(select_checks(["broker", "service"]), context(store, answers=Answers()))
    assert {result.diagnosis.status for result in found.results} == {SKIP}


def test_timers_stand_in_for_cron(store: Store) -> None:
    given = context(store, machine=machine(crontab=None))
    assert diagnose("cron.line", given).status is PASS
    assert diagnose("cron.starts", given).status is SKIP


def test_a_crontab_that_cannot_be_read_fails_once_and_is_named(store: Store) -> None:
    given = context(store, machine=machine(crontab=StoreError("the crontab cannot be read: you are not allowed")))
    found = {result.id: result.diagnosis for result in run_checks(select_checks(["cron"]), given).results}
    assert found.pop("cron.line").detail == "the crontab cannot be read: you are not allowed"
    assert found.pop("cron.linger").status is PASS
    assert {(one.status, one.detail) for one in found.values()} == {(SKIP, "the crontab cannot be read")}


def test_a_run_at_work_and_an_order_that_is_followed_are_well(store: Store) -> None:
    run_ended(None)(store)
    unknown_order(store)
    given = context(store, locks=HeldLocks(RUN_LOCK, "proposal-1"))
    assert diagnose("state.runs", given).status is PASS
    assert diagnose("state.orders", given).status is PASS


def test_a_trade_on_a_recorded_market_is_not_judged_by_the_calendar(store: Store) -> None:
    stores.filled(store, market="recorded:demo")
    assert diagnose("state.trades", context(store, now=builders.later(days=400))).status is PASS


def test_an_order_with_a_row_is_no_stranger(store: Store) -> None:
    unknown_order(store)
    (order,) = store.orders.select(OrderState.SUBMITTING)
    seen = builders.broker_order(order, state=OrderState.WORKING)
    assert diagnose("broker.orders", context(store, **by_broker(orders=(seen,))(store))).status is PASS


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("flock -n /tmp/l /gone/spy32 --home /srv/spy32 --mode live -q analyze --scheduled", "/gone/spy32"),
        ("flock -n /run/spy32 /gone/spy32 analyze --scheduled", "/gone/spy32"),
        ("cd /srv/spy32&&'/my tools/spy32' --home=/srv/spy32 analyze", "/my tools/spy32"),
        ("PYTHONPATH=/srv/spy32 /gone/python -I -m spy32 analyze", "/gone/python"),
    ],
)
def test_the_program_of_a_line_is_found_among_its_words(store: Store, command: str, program: str) -> None:
    found = diagnose("cron.program", context(store, machine=machine(crontab=f"*/15 * * * * {command}\n")))
    assert (found.status, found.detail) == (FAIL, f"{program} of the crontab is not there")


def test_a_check_that_stops_fails_alone(store: Store) -> None:
    quote = machine(crontab=f"*/15 * * * * '{checkups.PROGRAM} spy32 analyze --scheduled")
    found = run_checks(select_checks(["cron"]), context(store, machine=quote))
    states = {result.id: result.diagnosis.status for result in found.results}
    assert states["cron.program"] is FAIL
    assert states["cron.daemon"] is PASS


# Which ones.


def test_ids_and_groups_select() -> None:
    assert list(select_checks(["db.place", "files"])) == [
        "files.access", "files.writable", "files.space", "files.system", "db.place",
    ]  # fmt: skip
    assert select_checks([]) == CHECKS


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(BadUsage, match=r"db\.backup"):
        select_checks(["db.backups"])


def test_a_warning_is_no_failure(store: Store) -> None:
    found = run_checks(select_checks(["state"]), context(store, halted="storm"))
    assert found.is_ok
    assert (found.count(WARN), found.count(FAIL)) == (1, 0)
