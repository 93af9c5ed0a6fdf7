"""A home is for one user: what is made there, what live mode refuses, and where a secret is sent."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.settings import Settings
from spy32.settings.addresses import foreign_tastytrade, foreign_xai
from spy32.settings.model import Tastytrade, Xai
from tests.servers.web import StandIn
from tests.support.live_home import LiveHome, live_home
from tests.support.live_monday import live_monday
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


def run(home: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The program in a shell that would leave everything open to everybody; `code` is run before it."""
    return subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nfrom spy32.cli import main\nmain()", *words],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "SPY32_HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        umask=0,
    )


def open_to_others(folder: Path) -> list[str]:
    paths = (folder, *folder.rglob("*"))
    return [f"{path.name} {path.stat().st_mode & 0o777:o}" for path in paths if path.stat().st_mode & 0o077]


@pytest.mark.parametrize(
    "words",
    [
        ("analyze", "--market", "recorded", "--analyst", "rules"),
        ("halt",),
        ("pause",),
        ("config", "init"),
    ],
    ids=" ".join,
)
def test_a_home_made_in_an_open_shell_is_for_its_user_alone(tmp_path: Path, words: tuple[str, ...]) -> None:
    home = tmp_path / "above" / "home"
    done = run(home, "", *words)
    assert done.returncode == 0, done.stderr
    assert open_to_others(tmp_path / "above") == []


def test_the_report_of_a_defect_is_for_its_user_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = run(home, "import spy32.commands.status as s\ns._load_status = None\n", "status")
    assert done.returncode == 70
    (report,) = (home / "logs").glob("bug-*")
    assert "TypeError" in report.read_text()
    assert open_to_others(home) == []


# What live mode refuses.


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[LiveHome, StandIn]]:
    with live_home(tmp_path) as found:
        found[0].approved()
        (found[0].home / "config.toml").write_text('mode = "live"\n')
        (found[0].home / ".env").write_text("")
        (found[0].home / "locks").mkdir(exist_ok=True)
        yield found


@pytest.mark.parametrize("bits", [0o020, 0o002])
@pytest.mark.parametrize("name", [".", "config.toml", ".env", "live.db", "locks"])
def test_what_others_may_write_to_is_refused_live(place: tuple[LiveHome, StandIn], name: str, bits: int) -> None:
    home, server = place
    path = home.home / name
    path.chmod(path.stat().st_mode | bits)
    for words in (("execute", "P1", "--live", "--confirm", "1234:SPY:2"), ("approve", "P1", "--decline"), ("status",)):
        done = home.spy32(*words)
        assert (done.returncode, f"{path} can be written by others" in done.stderr) == (77, True), done.stderr
    assert server.requests == []
    advice = done.stderr.partition("; ")[2].partition(";")[0]
    assert advice == f"chmod go-w {path}"
    subprocess.run(advice.split(), check=True)
    assert home.spy32("status").returncode == 0


def test_a_folder_above_the_home_or_above_what_it_links_to_counts(place: tuple[LiveHome, StandIn]) -> None:
    home, _ = place
    elsewhere = home.home.parent / "elsewhere"
    elsewhere.mkdir()
    (home.home / "config.toml").rename(elsewhere / "config.toml")
    (home.home / "config.toml").symlink_to(elsewhere / "config.toml")
    assert home.spy32("status").returncode == 0
    for folder in (elsewhere, home.home.parent):
        bits = folder.stat().st_mode
        folder.chmod(0o777)
        done = home.spy32("status")
        assert (done.returncode, f"chmod go-w {folder}" in done.stderr) == (77, True), done.stderr
        folder.chmod(bits)


def test_an_open_home_can_still_be_halted(place: tuple[LiveHome, StandIn]) -> None:
    home, _ = place
    home.home.chmod(0o777)
    assert home.spy32("halt").returncode == 0
    assert (home.home / "halt").exists()


@pytest.mark.parametrize("mode", ["paper", "sandbox"])
def test_practice_takes_an_open_home(place: tuple[LiveHome, StandIn], mode: str) -> None:
    home, _ = place
    home.home.chmod(0o777)
    assert home.spy32("status", mode=mode).returncode == 0


# Where a secret goes.


@pytest.mark.parametrize(
    ("mode", "url", "foreign"),
    [
        (Mode.LIVE, "", False),
        (Mode.LIVE, "https://api.tastyworks.com", False),
        (Mode.LIVE, "https://api.tastytrade.com", False),
        (Mode.LIVE, "https://api.tastyworks.com.example.org", True),
        (Mode.LIVE, "http://127.0.0.1:8080", True),
        (Mode.PAPER, "https://api.cert.tastyworks.com", True),
        (Mode.SANDBOX, "", False),
        (Mode.SANDBOX, "https://api.cert.tastyworks.com", False),
        (Mode.SANDBOX, "https://proxy.example.org", True),
    ],
)
def test_credentials_that_go_elsewhere_are_told_of(mode: Mode, url: str, foreign: bool) -> None:
    line = foreign_tastytrade(Settings(mode=mode, tastytrade=Tastytrade(url=url)))
    assert (line is not None) is foreign
    assert line is None or url in line


@pytest.mark.parametrize(
    ("url", "foreign"),
    [
        ("https://api.x.ai/v1", False),
        ("https://us-east-1.api.x.ai/v1", False),
        ("https://api.x.ai.example.org/v1", True),
        ("https://evilapi.x.ai/v1", True),
        ("http://localhost:1/v1", True),
    ],
)
def test_a_key_that_goes_elsewhere_is_told_of(url: str, foreign: bool) -> None:
    assert (foreign_xai(Settings(xai=Xai(url=url))) is not None) is foreign


def test_every_command_that_sends_a_secret_elsewhere_says_so(tmp_path: Path) -> None:
    with live_monday(tmp_path / "home", with_broker=True) as monday:
        assert monday.tastytrade is not None
        broker, model = monday.tastytrade.url, monday.xai.url
        done = monday.spy32("analyze", "--market", "tastytrade")
        assert done.stderr.count(f"tastytrade.url is {broker}, not api.tastyworks.com") == 1, done.stderr
        assert done.stderr.count(f"xai.url is {model}/v1, not api.x.ai: the key is sent there") == 1
        for words in (("market", "--market", "tastytrade"), ("auth", "status")):
            assert f"tastytrade.url is {broker}" in monday.spy32(*words).stderr
        assert "tastytrade.url" not in monday.spy32("show").stderr + monday.spy32("status").stderr
