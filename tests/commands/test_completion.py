"""Completion at a prompt: the scripts of bash, zsh and fish, and the ids that they get from the store."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spy32.cli import completion_words
from tests.support.program import ANALYZE, spy32
from tests.support.timeouts import PATIENCE

SHELLS = ("bash", "zsh", "fish")


def start_program(home: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The program under its own name, as it is installed: completion goes by it."""
    program = home / "bin" / "spy32"
    if not program.exists():
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\nfrom spy32.__main__ import main\n\nmain()\n")
        program.chmod(0o755)
    bare = {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": str(home), "SPY32_HOME": str(home)}
    return subprocess.run([program], env=bare | env, capture_output=True, text=True, timeout=PATIENCE)


def ask(home: Path, line: str, shell: str) -> list[str]:
    """What the program answers to the script of `shell` for the line up to the cursor."""
    words = line.split(" ")
    env = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    if shell != "bash":
        env = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = start_program(home, env | {"_SPY32_COMPLETE": f"complete_{shell}"})
    assert done.stderr == ""
    return done.stdout.strip().splitlines()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with R1 and P1, which waits."""
    made = tmp_path_factory.mktemp("home")
    assert spy32(made, *ANALYZE, env={"SPY32_CLOCK": "2025-08-29T20:15:00Z"}).returncode == 0
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("spy32 show ", ["R1", "P1"]),
        ("spy32 show P", ["P1"]),
        ("spy32 show --full R", ["R1"]),
        ("spy32 approve ", ["P1"]),
        ("spy32 execute ", []),
        ("spy32 cancel ", []),
        ("spy32 replay ", ["R1"]),
        ("spy32 logs --run ", ["R1"]),
        ("spy32 status --ack ", ["P1", "R1", "N1"]),
        ("spy32 prompts show --run ", ["R1"]),
        ("spy32 --mode live show ", []),
        ("spy32 --mode nonsense show ", []),
    ],
)
def test_ids_come_from_the_store_in_the_states_that_the_command_takes(home: Path, line: str, ids: list[str]) -> None:
    assert ask(home, line, "bash") == ids


@pytest.mark.slow
def test_zsh_and_fish_also_get_what_each_id_is(home: Path) -> None:
    assert ask(home, "spy32 show ", "zsh") == ["""_arguments '*: :(("R1":"proposed\"""", """"P1":"proposed"))'"""]
    assert ask(home, "spy32 show ", "fish") == ["R1\tproposed", "P1\tproposed"]


@pytest.mark.slow
def test_commands_and_options_are_completed(home: Path) -> None:
    assert ask(home, "spy32 sta", "bash") == ["status"]
    assert ask(home, "spy32 db ba", "bash") == ["backup"]
    assert "--run" in ask(home, "spy32 logs --", "bash")


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_that_it_can_read(tmp_path: Path, shell: str) -> None:
    script = start_program(tmp_path, {"_SPY32_COMPLETE": f"source_{shell}"}).stdout
    assert f"_SPY32_COMPLETE=complete_{shell}" in script
    if path := shutil.which(shell):
        file = tmp_path / "script"
        file.write_text(script)
        subprocess.run([path, "-n", str(file)], check=True, timeout=PATIENCE)


def _run_in_shell(home: Path, shell: str, commands: str) -> list[str]:
    """The lines that `commands` print behind the completion script, with this spy32 as the one of the PATH."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"there is no {shell} on this machine")
    script = home / f"script.{shell}"
    script.write_text(start_program(home, {"_SPY32_COMPLETE": f"source_{shell}"}).stdout)
    env = {"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(home), "SPY32_HOME": str(home)}
    done = subprocess.run(
        [path, "-c", commands.format(script=script)], env=env, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_bash_completes_an_id(home: Path) -> None:
    commands = (
        'source {script}; COMP_WORDS=(spy32 show P); COMP_CWORD=2; _spy32_completion spy32; echo "${{COMPREPLY[@]}}"'
    )
    assert _run_in_shell(home, "bash", commands) == ["P1"]


@pytest.mark.slow
def test_fish_completes_an_id(home: Path) -> None:
    assert _run_in_shell(home, "fish", "source {script}; complete -C 'spy32 show P'") == ["P1", "proposed"]


@pytest.mark.slow
def test_zsh_hands_the_ids_to_its_own_completion(home: Path) -> None:
    commands = """
        compdef() {{ :; }}; _arguments() {{ print -r -- "$@"; }}
        words=(spy32 show P); CURRENT=3; source {script}; _spy32_completion
    """
    assert _run_in_shell(home, "zsh", commands) == ["*:", """:(("P1":"proposed"))"""]


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, []),
        ({"COMP_WORDS": "spy32\nshow\n", "COMP_CWORD": "2"}, []),
        ({"COMP_WORDS": "spy32\nshow\n", "COMP_CWORD": "2", "_SPY32_COMPLETE": "complete_bash"}, ["show"]),
        ({"COMP_WORDS": "spy32\nsho", "COMP_CWORD": "1", "_SPY32_COMPLETE": "complete_bash"}, []),
        ({"_TYPER_COMPLETE_ARGS": "spy32 show ", "_SPY32_COMPLETE": "complete_zsh"}, ["show"]),
        ({"_TYPER_COMPLETE_ARGS": "spy32 show", "_SPY32_COMPLETE": "complete_fish"}, []),
    ],
)
def test_only_the_words_before_the_cursor_say_which_command_it_is(env: dict[str, str], words: list[str]) -> None:
    assert completion_words(env) == words


LOADED = ("numpy", "pandas", "rich", "spy32.store", "spy32.commands.analyze", "pydantic")


@pytest.mark.slow
def test_completing_an_id_loads_neither_the_store_nor_other_commands(home: Path) -> None:
    script = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print([name for name in {LOADED} if name in sys.modules], file=sys.stderr))\n"
        "from spy32.__main__ import main\nsys.argv[0] = 'spy32'\nmain()\n"
    )
    env = {"HOME": str(home), "SPY32_HOME": str(home), "_SPY32_COMPLETE": "complete_bash"}
    env |= {"COMP_WORDS": "spy32\nshow\n", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout.split(), done.stderr.strip()) == (["R1", "P1"], "[]")
