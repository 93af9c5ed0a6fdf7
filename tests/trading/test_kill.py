"""kill -9 at the commits of the cycle, and a crowd of executes: the small counts of `make proofs`."""

import pytest

from proofs import kill


@pytest.mark.parametrize("command", kill.CYCLE, ids=lambda command: str(command[0]))
def test_a_kill_at_any_commit_loses_nothing_and_doubles_nothing(command: tuple[str, ...]) -> None:
    tally = kill.prove(1, [command])[command[0]]
    assert tally.killed == tally.rounds >= 1
    assert tally.lost == []
    assert tally.beyond == []


def test_many_concurrent_executes_submit_once() -> None:
    submits, codes = kill.concurrent(12)
    assert submits == 1
    assert set(codes) <= {0, 10, 75}
    assert codes[0] >= 1
