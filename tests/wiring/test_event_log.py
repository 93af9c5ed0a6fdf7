"""What a process writes into its log, and when it stays silent."""

from pathlib import Path

import pytest

from spy32.domain.runs import Step, StepState
from spy32.ops.logs import LogEntry, LogFilter, load_entries
from spy32.wiring.event_log import EventLog


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path / "logs", {"XAI_API_KEY": "xai-planted"}, lambda: None)


def written(tmp_path: Path) -> tuple[LogEntry, ...]:
    return load_entries(tmp_path / "logs", LogFilter(), 100)


@pytest.mark.parametrize(
    ("code", "level"),
    [
        (10, "warning"), (11, "error"), (12, "warning"), (13, "warning"), (20, "warning"),
        (65, "error"), (69, "error"), (70, "error"), (74, "error"), (75, "warning"), (77, "error"), (78, "error"),
        (130, "warning"), (143, "warning"),
    ],
)  # fmt: skip
def test_an_end_that_is_not_well_is_always_written(log: EventLog, tmp_path: Path, code: int, level: str) -> None:
    log.write_end(code, "why", has_changed_store=False)
    (entry,) = written(tmp_path)
    assert (entry.event, entry.code, entry.level, entry.message) == ("ended", code, level, "why")
    assert entry.ms is not None and entry.mode is None


@pytest.mark.parametrize("code", [0, 2])
def test_a_look_that_goes_well_and_a_mistyped_command_leave_nothing(log: EventLog, tmp_path: Path, code: int) -> None:
    log.write_end(code, "", has_changed_store=False)
    assert not (tmp_path / "logs").exists()


def test_a_change_and_a_warning_are_followed_by_their_end(log: EventLog, tmp_path: Path) -> None:
    log.write_end(0, "", has_changed_store=True)
    log.write("warning", "look with xai-planted", level="warning")
    log.write_end(0, "", has_changed_store=False)
    assert [(entry.event, entry.level, entry.message) for entry in written(tmp_path)] == [
        ("ended", "info", ""), ("warning", "warning", "look with ****"), ("ended", "info", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (StepState.OK, "info"), (StepState.DEGRADED, "warning"), (StepState.REFUSED, "warning"),
        (StepState.FAILED, "error"),
    ],
)  # fmt: skip
def test_a_step_is_written_with_its_run_and_its_time(
    log: EventLog, tmp_path: Path, state: StepState, level: str
) -> None:
    log.begin_run(31)
    log.write_step(Step(name="collect", state=state, ms=149, detail="SPY 645.05"))
    begun, step = written(tmp_path)
    assert (begun.event, begun.run) == ("run", 31)
    assert (step.run, step.step, step.ms, step.level, step.message) == (31, "collect", 149, level, "SPY 645.05")
