"""Whole chains that are not SPY's: the strike grids of shares, and an expiration dated on a closed day."""

import json
from pathlib import Path

import pytest

from tests.support import synthetic_chain
from tests.support.paths import DATA
from tests.support.program import one_line, spy32

pytestmark = pytest.mark.slow

ANALYZE = ("analyze", "--analyst", "rules", "--json", "--market")
GRIDS = [
    ("AAPL", 270.0, 2.5, 0.28),
    ("MSFT", 500.0, 5.0, 0.25),
    ("TLT", 87.0, 0.5, 0.14),
    ("SOFI", 18.0, 0.5, 0.55),
    ("IBM", 101.2, 2.5, 0.25),
]


def analyzed(home: Path, file: Path, profile: str = "default") -> tuple[int, str, str]:
    done = spy32(home, *ANALYZE, f"recorded:{file}", "--profile", profile)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    text = "".join(f'[profile.{ticker}]\nunderlying = "{ticker}"\n' for ticker, *_ in GRIDS)
    (tmp_path / "config.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(("ticker", "spot", "step", "vol"), GRIDS, ids=[f"{row[0]} {row[2]:g}" for row in GRIDS])
def test_a_clean_chain_on_a_usual_grid_of_shares_is_whole(
    home: Path, ticker: str, spot: float, step: float, vol: float
) -> None:
    file = synthetic_chain.write(home / "chain.csv", ticker, spot, step, vol=vol)
    code, _, err = analyzed(home, file, ticker)
    assert code == 0, err
    gates = {gate["name"]: gate for gate in json.loads(spy32(home, "show", "--json").stdout)["quality"]["gates"]}
    assert gates["coverage"]["verdict"] in ("pass", "warn"), gates["coverage"]
    assert gates["parity"]["verdict"] in ("pass", "warn"), gates["parity"]


@pytest.mark.parametrize("without", [(252.5, 255.0, 257.5), (275.0, 277.5, 280.0)], ids=["puts", "calls"])
def test_a_hole_in_a_coarse_grid_is_still_a_hole(home: Path, without: tuple[float, ...]) -> None:
    file = synthetic_chain.write(home / "chain.csv", "AAPL", 270.0, 2.5, vol=0.28, without=without)
    code, _, err = analyzed(home, file, "AAPL")
    assert code == 65
    assert "gate coverage" in err
    assert "full of holes" in err


def test_a_coarse_grid_cut_near_the_money_is_truncated(home: Path) -> None:
    far = tuple(2.5 * i for i in range(60, 160) if abs(2.5 * i - 270) > 5)
    file = synthetic_chain.write(home / "chain.csv", "AAPL", 270.0, 2.5, vol=0.28, without=far)
    code, _, err = analyzed(home, file, "AAPL")
    assert (code, "gate coverage" in err) == (65, True)


def test_a_spread_of_one_step_of_a_coarse_grid_is_not_too_wide(home: Path) -> None:
    file = synthetic_chain.write(home / "chain.csv", "IBM", 101.2, 2.5, vol=0.25)
    assert analyzed(home, file, "IBM")[0] == 0
    dropped = json.loads(spy32(home, "show", "--rejected", "--json").stdout)["rejected"]["spreads"]
    of_one_step = [row for row in dropped if abs(float(row["short_strike"]) - float(row["long_strike"])) == 2.5]
    assert not any(row["rule"] == "width" for row in of_one_step)


def test_options_dated_on_good_friday_are_left_by_the_session_before_their_last(tmp_path: Path) -> None:
    code, out, err = analyzed(tmp_path, DATA / "chains" / "made_GoodFriday.csv.gz")
    assert code == 0, err
    document = json.loads(out)
    assert (document["market"]["expiration"], document["market"]["dte"]) == ("2027-03-26", 31)
    # They stop trading on Thursday 25, so Wednesday 24 is the session before the last.
    assert document["proposal"]["exit"]["last_exit"] == "2027-03-24"
    assert document["proposal"]["exit"]["time_exit"] == "2027-03-04"


@pytest.mark.parametrize("clock", ["2026-11-28T20:00:00Z", "2026-11-26T15:00:00Z", "2026-11-30T15:00:00Z"])
def test_what_is_no_chain_file_is_refused_on_every_day(tmp_path: Path, clock: str) -> None:
    for file in ("/dev/zero", str(tmp_path), "/dev/stdin"):
        done = spy32(
            tmp_path, "analyze", "--analyst", "rules", "--market", f"recorded:{file}", env={"SPY32_CLOCK": clock}
        )
        one_line(done, 65, "is not a file")


def test_a_daily_with_holes_does_not_win_over_the_friday_beside_it(tmp_path: Path) -> None:
    holes = tuple(float(strike) for strike in range(560, 660) if strike % 10)
    days = {"2027-01-04": (), "2027-01-08": (), "2027-01-11": holes, "2027-01-19": ()}
    file = synthetic_chain.write_days(
        tmp_path / "chain.csv", "SPY", 680.0, 1.0, vol=0.16, now="2026-12-10T10:00:00-05:00", days=days
    )
    listed = json.loads(spy32(tmp_path, "expirations", "--market", f"recorded:{file}", "--json").stdout)
    notes = {row["expiration"]: row["note"] for row in listed["expirations"]}
    assert listed["chosen"] == "2027-01-08"
    assert notes["2027-01-11"].startswith("the nearest; ") and "of 24 spreads well quoted" in notes["2027-01-11"]
    assert notes["2027-01-08"].startswith("can be traded best; ")
    code, out, err = analyzed(tmp_path, file)
    assert code == 0, err
    run = json.loads(out)
    assert run["market"]["expiration"] == "2027-01-08"
    assert "2027-01-08 (29 days) and not 2027-01-11 (32 days; " in spy32(tmp_path, "show", "R1", "--full").stdout
    assert "no difference from the record" in spy32(tmp_path, "replay", "R1").stdout
