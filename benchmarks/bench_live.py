"""The weekly run as a whole process against local servers: healthy, and with each source broken in its ways.

Figures, not tests: seconds, resident memory, requests made to each service; for the broken ones outcome, exit code and
seconds until given up. The bound that matters is collect's: `market.deadline_seconds`.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from tests.servers import web
from tests.support.live_monday import LiveMonday, live_monday

SLOW = 8.0
"""Seconds that a slow source takes for each answer."""


def _dead(monday: LiveMonday, name: str) -> None:
    monday.env[f"SPY32_{name.upper()}_URL"] = "http://127.0.0.1:9"


def _fault(fault: web.Fault) -> Callable[[LiveMonday, str], None]:
    def act(monday: LiveMonday, name: str) -> None:
        getattr(monday, name).always["/"] = fault

    return act


def _lying(monday: LiveMonday, name: str) -> None:
    getattr(monday, name).lie = 0.03


def _moved(monday: LiveMonday, name: str) -> None:
    getattr(monday, name).shift = 0.03


def _stale(monday: LiveMonday, name: str) -> None:
    getattr(monday, name).at -= timedelta(hours=3)


BROKEN: Mapping[str, Callable[[LiveMonday, str], None]] = {
    "dead": _dead,
    "hanging": _fault(web.hang),
    "dripping": _fault(web.drip),
    "slow": _fault(web.late(SLOW)),
    "limited": _fault(web.status(429, "Too Many Requests\r\n", {"Retry-After": "30"})),
    "lying": _lying,
    "moved": _moved,
    "stale": _stale,
}


def process(monday: LiveMonday, *words: str) -> tuple[int, float, float]:
    """Exit code, seconds and megabytes of one whole process."""
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        env = {"PATH": "/usr/bin:/bin", "HOME": str(monday.home), **monday.env}
        os.execve(sys.executable, [sys.executable, "-m", "spy32", *words], env)
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), time.perf_counter() - begun, used.ru_maxrss / 1024


def outcome(monday: LiveMonday) -> str:
    """How the latest run ended, and what its collect step took."""
    import json

    run = json.loads(monday.spy32("show", "--json").stdout)
    collect = next(step for step in run["run"]["steps"] if step["name"] == "collect")
    source = run["market"]["source"] if run["market"] else "-"
    cause = f" ({run['run']['cause']})" if run["run"]["cause"] else ""
    why = f": {run['run']['reasons'][0][:90]}" if run["run"]["outcome"] == "failed" else ""
    return (
        f"{run['run']['outcome']}{cause}, from {source}, collect {collect['state']} {collect['ms'] / 1000:.1f} s{why}"
    )


def healthy() -> None:
    with tempfile.TemporaryDirectory() as folder, live_monday(Path(folder) / "home") as monday:
        code, seconds, size = process(monday, "analyze")
        made = {name: len(getattr(monday, name).requests) for name in ("cboe", "yahoo", "xai")}
        print(f"healthy: exit {code}, {seconds:.2f} s, {size:.0f} MB, requests {made}; {outcome(monday)}")


def broken() -> None:
    for how, act in BROKEN.items():
        for names in (("cboe",), ("yahoo",), ("cboe", "yahoo")):
            with tempfile.TemporaryDirectory() as folder, live_monday(Path(folder) / "home") as monday:
                for name in names:
                    act(monday, name)
                code, seconds, _ = process(monday, "analyze", "--analyst", "rules")
                print(f"{how} {' and '.join(names)}: exit {code}, {seconds:.1f} s; {outcome(monday)}", flush=True)


def main() -> None:
    healthy()
    broken()


if __name__ == "__main__":
    main()
