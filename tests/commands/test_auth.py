"""`auth login` and `auth status` on a real terminal and without one: one log-in, and no secret anywhere but in .env."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spy32.wiring.dotenv import save_secrets, set_dotenv_values
from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN, TOKEN
from tests.servers.web import html, status
from tests.support.live_home import NUMBER, AccountServer, LiveHome, leaks
from tests.support.terminal import CTRL_C, CTRL_D, Terminal

MARKERS = (CLIENT_SECRET, REFRESH_TOKEN, TOKEN, NUMBER)
NOTHING = {"TASTYTRADE_CLIENT_SECRET": "", "TASTYTRADE_REFRESH_TOKEN": ""}


@pytest.fixture
def server() -> Iterator[AccountServer]:
    made = AccountServer()
    with made.running():
        yield made


@pytest.fixture
def home(tmp_path: Path, server: AccountServer) -> LiveHome:
    folder = tmp_path / "home"
    folder.mkdir()
    return LiveHome(home=folder, url=server.url, env=NOTHING)


def log_in(home: LiveHome, mode: str = "live", **more: str) -> Terminal:
    terminal = Terminal(home.home, "auth", "login", **home.around(mode, **more))
    terminal.wait_for("client secret: ")
    return terminal


def answered(terminal: Terminal, *answers: tuple[str, str]) -> int:
    """The exit code, after each answer was typed and the next question has come."""
    for typed, question in answers:
        terminal.ask(f"{typed}\n", question) if question else terminal.type(f"{typed}\n")
    code = terminal.code()
    assert all(marker not in terminal.checked for marker in MARKERS), terminal.checked
    return code


BOTH = ((CLIENT_SECRET, "refresh token: "), (REFRESH_TOKEN, ""))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["paper", "sandbox", "live"])
def test_a_good_log_in_is_stored_for_its_owner_alone(home: LiveHome, server: AccountServer, mode: str) -> None:
    server.is_sandbox = mode == "sandbox"
    kept = "# mine\nXAI_API_KEY=planted-xai-key\n"
    (home.home / ".env").write_text(kept)
    (home.home / ".env").chmod(0o600)
    with log_in(home, mode) as terminal:
        assert answered(terminal, *BOTH) == 0, terminal.checked
        assert {"paper": "PAPER", "sandbox": "SANDBOX", "live": "LIVE"}[mode] in terminal.checked
        assert "account …1234" in terminal.checked
    dotenv = home.home / ".env"
    wanted = f"TASTYTRADE_CLIENT_SECRET={CLIENT_SECRET}\nTASTYTRADE_REFRESH_TOKEN={REFRESH_TOKEN}\n"
    assert dotenv.read_text() == kept + wanted
    assert dotenv.stat().st_mode & 0o777 == 0o600
    assert server.log_ins == 1
    assert [path.name for path in home.home.glob("*.new")] == []
    assert leaks(home, *MARKERS, "planted-xai-key") == []
    assert home.spy32("auth", "status", mode=mode).returncode == 0


@pytest.mark.slow
def test_a_refused_log_in_stores_nothing_and_is_not_repeated(home: LiveHome, server: AccountServer) -> None:
    with log_in(home) as terminal:
        assert answered(terminal, (CLIENT_SECRET, "refresh token: "), ("another-token", "")) == 77
        assert "another-token" not in terminal.checked
        assert "Grant revoked" in terminal.checked
    assert not (home.home / ".env").exists()
    assert server.log_ins == 1


@pytest.mark.slow
def test_a_service_out_of_reach_stores_nothing(home: LiveHome, server: AccountServer) -> None:
    server.always["/oauth/token"] = status(503)
    with log_in(home) as terminal:
        assert answered(terminal, *BOTH) == 75
    assert not (home.home / ".env").exists()
    assert server.calls("/oauth/token") == 1


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["\n", CTRL_D, "two words\n", '"quoted"\n'])
def test_nothing_usable_typed_stores_nothing(home: LiveHome, server: AccountServer, typed: str | bytes) -> None:
    with log_in(home) as terminal:
        terminal.type(typed)
        assert terminal.code() == 2
        assert "nothing was stored" in terminal.checked
        assert "two words" not in terminal.checked
        assert "quoted" not in terminal.checked
    assert server.requests == []
    assert not (home.home / ".env").exists()


@pytest.mark.slow
def test_ctrl_c_leaves_the_terminal_as_it_was(home: LiveHome, server: AccountServer) -> None:
    with log_in(home) as terminal:
        terminal.type(CTRL_C)
        assert terminal.code() == 130
        assert terminal.modes == terminal.before
    assert server.requests == []


@pytest.mark.slow
def test_of_several_accounts_one_is_asked_for_and_none_is_guessed(home: LiveHome, server: AccountServer) -> None:
    server.accounts = ["5WX05678", NUMBER]
    with log_in(home) as terminal:
        terminal.type(f"{CLIENT_SECRET}\n")
        terminal.wait_for("refresh token: ")
        terminal.type(f"{REFRESH_TOKEN}\n")
        told = terminal.wait_for("account number")
        assert "5678" in told and "1234" in told and "5WX05678" not in told
        assert answered(terminal, (NUMBER, "")) == 0
    assert f"TASTYTRADE_ACCOUNT={NUMBER}\n" in (home.home / ".env").read_text()
    assert server.log_ins == 1


@pytest.mark.slow
def test_the_account_may_be_left_for_later(home: LiveHome, server: AccountServer) -> None:
    server.accounts = ["5WX05678", NUMBER]
    with log_in(home) as terminal:
        terminal.type(f"{CLIENT_SECRET}\n")
        terminal.wait_for("refresh token: ")
        terminal.type(f"{REFRESH_TOKEN}\n")
        terminal.wait_for("account number")
        assert answered(terminal, ("", "")) == 0
        assert "no account is chosen" in terminal.checked
    assert "TASTYTRADE_ACCOUNT" not in (home.home / ".env").read_text()


def test_without_a_terminal_it_says_what_to_edit(home: LiveHome, server: AccountServer) -> None:
    done = home.spy32("auth", "login", stdin=f"{CLIENT_SECRET}\n{REFRESH_TOKEN}\n")
    assert done.returncode == 2
    assert f"into {home.home / '.env'}" in done.stderr
    assert (server.requests, list(home.home.iterdir())) == ([], [])


def test_a_variable_that_would_win_over_what_is_stored_is_named(home: LiveHome, server: AccountServer) -> None:
    done = home.spy32("auth", "login", TASTYTRADE_CLIENT_SECRET=CLIENT_SECRET)
    assert (done.returncode, "would win over .env" in done.stderr) == (78, True)
    assert leaks(home, *MARKERS) == []


# The file.


def test_a_line_is_replaced_where_it_stood_and_its_other_name_goes() -> None:
    text = "A=1\nexport TASTYTRADE_CLIENT_SECRET=old\n# TASTYTRADE_CLIENT_SECRET=note\n"
    text += "SPY32_TASTYTRADE_CLIENT_SECRET=x\nB=2"
    after = set_dotenv_values(text, {"TASTYTRADE_CLIENT_SECRET": "new", "TASTYTRADE_REFRESH_TOKEN": "r#$\\"})
    assert after == (
        "A=1\nTASTYTRADE_CLIENT_SECRET=new\n# TASTYTRADE_CLIENT_SECRET=note\nB=2\nTASTYTRADE_REFRESH_TOKEN=r#$\\\n"
    )


def test_every_sign_that_a_secret_may_have_is_read_back(home: LiveHome) -> None:
    from spy32.wiring.process import load_dotenv

    signs = "".join(chr(code) for code in range(33, 127) if chr(code) not in "\"'`")
    path = home.home / ".env"
    save_secrets(path, {"TASTYTRADE_CLIENT_SECRET": signs, "TASTYTRADE_REFRESH_TOKEN": f"#{signs}"})
    assert load_dotenv(path).values == {"TASTYTRADE_CLIENT_SECRET": signs, "TASTYTRADE_REFRESH_TOKEN": f"#{signs}"}


def test_a_file_open_to_others_is_closed_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real.env"
    real.write_text("A=1\n")
    real.chmod(0o644)
    (tmp_path / ".env").symlink_to(real)
    save_secrets(tmp_path / ".env", {"TASTYTRADE_CLIENT_SECRET": "s"})
    assert (tmp_path / ".env").is_symlink()
    assert real.read_text() == "A=1\nTASTYTRADE_CLIENT_SECRET=s\n"
    assert real.stat().st_mode & 0o777 == 0o600


# Status.


def standing(home: LiveHome, *words: str, mode: str = "live", **more: str) -> tuple[int, dict[str, Any]]:
    credentials = {"TASTYTRADE_CLIENT_SECRET": CLIENT_SECRET, "TASTYTRADE_REFRESH_TOKEN": REFRESH_TOKEN}
    done = home.spy32("auth", "status", "--json", *words, mode=mode, **{**credentials, **more})
    assert leaks(home, *MARKERS) == []
    return done.returncode, json.loads(done.stdout)


def test_status_tells_account_level_and_clock_after_one_log_in(home: LiveHome, server: AccountServer) -> None:
    code, found = standing(home)
    assert (code, found["token"], found["account"]) == (0, True, "…1234")
    assert (found["options_level"], found["restrictions"], found["trouble"]) == ("No Restrictions", [], None)
    assert (found["client_secret"], found["refresh_token"]) == ("TASTYTRADE_CLIENT_SECRET", "TASTYTRADE_REFRESH_TOKEN")
    assert isinstance(found["clock_ahead_seconds"], int | float)
    assert server.log_ins == 1


def test_status_tells_a_restriction(home: LiveHome, server: AccountServer) -> None:
    server.status = {"options-level": "No Restrictions", "is-closing-only": True}
    assert standing(home)[1]["restrictions"] == ["closing only"]


def test_status_without_credentials_asks_nobody(home: LiveHome, server: AccountServer) -> None:
    code, found = standing(home, **NOTHING)
    assert (code, found["token"], found["client_secret"]) == (77, None, None)
    assert "spy32 auth login" in found["trouble"]
    assert server.requests == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "code"), [(status(400, {"error": "invalid_grant"}), 77), (status(503), 75), (html, 65)]
)
def test_status_names_what_the_log_in_ran_into(home: LiveHome, server: AccountServer, fault: Any, code: int) -> None:
    server.always["/oauth/token"] = fault
    ended, found = standing(home)
    assert (ended, found["code"], found["token"], found["account"]) == (code, code, False, None)
    assert server.calls("/oauth/token") == 1


def test_status_in_words(home: LiveHome, server: AccountServer) -> None:
    credentials = {"TASTYTRADE_CLIENT_SECRET": CLIENT_SECRET, "TASTYTRADE_REFRESH_TOKEN": REFRESH_TOKEN}
    said = home.spy32("auth", "status", mode="live", **credentials).stdout
    assert said.startswith("LIVE: real money\n")
    for line in ("log-in: works", "account: …1234, options level No Restrictions", "restrictions: none"):
        assert line in said
