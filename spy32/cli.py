"""The Typer app: the commands, the global options, and the one boundary where errors become lines and exit codes."""

import json as jsonlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from spy32 import __version__
from spy32.errors import TERMINATIONS, BadUsage, ExitCode, Spy32Error, TerminationSignal

# Typer 0.24 to 0.28 run on click and 0.29 on a copy of it, so its usage error is reached through Typer's own subclass.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

EXPECTED_ERRORS = (typer.Exit, typer.Abort, UsageError, OSError)
"""With `Spy32Error`, but for `StoreDamaged`: what says by itself how the program ends."""

VALUE_OPTIONS = ("--home", "--mode")
FLAG_OPTIONS = ("-v", "--verbose", "-q", "--quiet")
OTHER_WORDS = ("-h", "--help", "--version", "--json", "--")
"""Words that ask the program itself for something else than its short status."""


class Interrupted(Exception):
    """Ctrl-C on its way out; Typer would turn a KeyboardInterrupt into 130 without a word."""


class ErrorBoundary(TyperGroup):
    """Every way out of the program: the real one and the test runner's alike."""

    # Click's other parameters are set here or passed on as they are.
    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        arguments = move_global_options_first(list(sys.argv[1:] if args is None else args))
        extra["standalone_mode"] = False
        code = run_command(lambda: super(ErrorBoundary, self).main(arguments, **extra), arguments)
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:
        stop: BaseException | None = None
        try:
            return super().invoke(ctx)
        except BaseException as error:
            stop = find_cause(ctx, error)
            if stop is error:
                raise
            raise stop from error
        finally:
            log_end(ctx, stop)


class AnswersInJson:
    """A command that may answer with one JSON document."""

    params: list[Any]

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        words = "One JSON document on stdout instead of text."
        option = TyperOption(
            param_decls=["--json"], is_flag=True, default=False, expose_value=False, callback=_note_json, help=words
        )
        self.params.append(option)


class AnsweringCommand(AnswersInJson, TyperCommand):
    pass


class AnsweringGroup(AnswersInJson, TyperGroup):
    """A group that is a command by itself too."""


def _note_json(ctx: Any, _option: Any, is_wanted: bool) -> None:
    app = ctx.find_root().obj
    if app is not None:  # there is none while a shell asks for completions
        app.wants_json = is_wanted


def find_cause(ctx: Any, error: BaseException) -> BaseException:
    """What really ended the command: damage of the database may come up as any error."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted()
    app = ctx.find_root().obj
    if app is None or isinstance(error, EXPECTED_ERRORS) or not isinstance(error, Exception):
        return error
    return app.find_damage(error) or error


def log_end(ctx: Any, stop: BaseException | None) -> None:
    """Write into the log how the command ended; nothing where its words or its home were off."""
    app = ctx.find_root().obj
    if app is not None:
        code = ExitCode.OK if stop is None else exit_code(stop)
        message = stop.message if isinstance(stop, Spy32Error) else ""
        app.log_end(code, type(stop).__name__ if code == ExitCode.BUG else message)


def exit_code(stop: BaseException) -> int:
    """What the program ends with when `stop` leaves it.

    Python 3.11 turns a signal that comes while a class is being made into a RuntimeError that has it as its cause.
    """
    if isinstance(stop.__cause__, TERMINATIONS):
        return exit_code(stop.__cause__)
    if isinstance(stop, BrokenPipeError):
        return ExitCode.OK
    if isinstance(stop, typer.Exit):
        return stop.exit_code
    if isinstance(stop, UsageError):
        return ExitCode.USAGE
    if isinstance(stop, Interrupted | KeyboardInterrupt | typer.Abort):
        return ExitCode.INTERRUPTED
    return stop.code if isinstance(stop, Spy32Error | TerminationSignal) else ExitCode.BUG


def move_global_options_first(arguments: list[str]) -> list[str]:
    """The same words with the global options in front, so that they may stand before or after the command."""
    front: list[str] = []
    others: list[str] = []
    remaining = iter(arguments)
    tail: list[str] = []
    for argument in remaining:
        if argument == "--":
            tail = [argument, *remaining]
        elif argument in VALUE_OPTIONS:
            front += [argument, *([value] if (value := next(remaining, None)) is not None else [])]
        elif argument in FLAG_OPTIONS or argument.startswith(tuple(f"{name}=" for name in VALUE_OPTIONS)):
            front.append(argument)
        else:
            others.append(argument)
    if "--json" in others:
        # Every answering command has it, so it may stand in front of the command as well.
        others = [*(argument for argument in others if argument != "--json"), "--json"]
    return front + others + tail


def run_command(command: Callable[[], Any], arguments: Sequence[str]) -> int:
    """The exit code of `command`, after one clear line about whatever stopped it."""
    try:
        result = command()
    except (Exception, *TERMINATIONS) as stop:  # noqa: BLE001 - the outermost frame records what it cannot know
        print_stop(stop, arguments)
        return exit_code(stop)
    return result if isinstance(result, int) else ExitCode.OK


def print_stop(stop: BaseException, arguments: Sequence[str]) -> None:
    """Print what stopped a command: an error, wrong words, a signal, an answered Ctrl-C, or a defect."""
    code, wants_json = exit_code(stop), "--json" in arguments
    if isinstance(stop, BrokenPipeError):
        discard_buffered_output()
    elif isinstance(stop, Spy32Error):
        print_error(code, stop.message, wants_json=wants_json)
    elif isinstance(stop, UsageError):
        print_usage_error(stop, wants_json=wants_json)
    elif code == ExitCode.BUG:
        print_error(code, describe_bug(stop, arguments), wants_json=wants_json)
    elif not isinstance(stop, typer.Exit):
        # The terminal has just echoed ^C, so the line begins anew.
        prefix = "\n" if sys.stderr.isatty() else ""
        print_error(code, "stopped; what was committed is kept", wants_json=wants_json, prefix=prefix)


def print_usage_error(error: Exception, *, wants_json: bool) -> None:
    """What is wrong with the words, and where help is; for a bare `spy32` the help, which is its message."""
    message = str(getattr(error, "message", ""))
    if "\n" not in message:
        message = getattr(error, "format_message", lambda: str(error))()
        path = getattr(getattr(error, "ctx", None), "command_path", "spy32")
        line = f"{message.rstrip('.')}; `{path} --help` shows what it takes"
        print_error(ExitCode.USAGE, line, wants_json=wants_json)
        return
    try:
        print(message, flush=True)  # noqa: T201
    except OSError:
        discard_buffered_output()


def print_error(code: int, message: str, *, wants_json: bool, prefix: str = "") -> None:
    """Print `message` on stderr, and as a document on stdout when JSON was asked for."""
    try:
        print(f"{prefix}spy32: {message}", file=sys.stderr, flush=True)  # noqa: T201 - the console may be what failed
        if wants_json:
            from spy32.render.documents import error_document

            print(jsonlib.dumps(error_document(code, message), ensure_ascii=False), flush=True)  # noqa: T201
    except OSError:
        # The reader, or the whole terminal, is gone; the exit code still tells.
        discard_buffered_output()


def describe_bug(bug: BaseException, arguments: Sequence[str]) -> str:
    """A defect of spy32 itself: one line with a report id; the traceback goes to the log."""
    from spy32.wiring.versions import log_traceback

    home = arguments[arguments.index("--home") + 1] if "--home" in arguments[:-1] else None
    report_path = log_traceback(bug, home)
    return f"this is a defect in spy32 ({type(bug).__name__}); nothing was sent after it; {report_path}"


def discard_buffered_output() -> None:
    """Whatever is still buffered goes nowhere: the terminal, or the reader, is gone."""
    from spy32.console import discard_output

    for stream in (sys.stdout, sys.stderr):
        discard_output(stream)


def _print_version(ctx: typer.Context, is_wanted: bool) -> None:
    """Print the version; with -v also those of what it runs on."""
    if not is_wanted:
        return
    lines = [f"spy32 {__version__}"]
    if ctx.params.get("verbose"):
        from spy32.wiring.versions import describe_versions

        lines += describe_versions(ctx.params.get("home"), ctx.params.get("mode"))
    print("\n".join(lines))  # noqa: T201
    raise typer.Exit


def root(
    ctx: typer.Context,
    home: Annotated[
        str | None, typer.Option(is_eager=True, help="Folder for config, databases, locks and logs.")
    ] = None,
    mode: Annotated[str | None, typer.Option(is_eager=True, help="paper, sandbox or live.")] = None,
    # Eager as well, so that they are known when the version is printed.
    verbose: Annotated[bool, typer.Option("--verbose", "-v", is_eager=True, help="Say more on stderr.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong on stderr.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version (-v: of all that matters) and exit.",
        ),
    ] = False,
) -> None:
    from spy32.commands.common import make_report_page
    from spy32.wiring import App

    if verbose and quiet:
        raise BadUsage("--verbose and --quiet exclude each other")
    ctx.obj = App.create(home=home, mode=mode, verbosity=1 if verbose else -1 if quiet else 0)
    ctx.obj.make_page = partial(make_report_page, ctx.obj)
    ctx.obj.log.command = ctx.invoked_subcommand or ""
    ctx.call_on_close(ctx.obj.close)
    if ctx.invoked_subcommand is None:
        from spy32.commands.status import print_brief

        print_brief(ctx.obj)


DOC = "Sells defined-risk option spreads once a week: analysed by cron, approved by a person, sent exactly once."

COMMANDS: Mapping[str, str] = {
    "analyze": "analyze", "demo": "demo", "show": "show", "status": "status", "approve": "approve",
    "execute": "execute", "cancel": "execute", "manage": "manage", "close": "manage", "exits": "manage",
    "reconcile": "reconcile", "positions": "positions", "replay": "replay", "risk": "risk", "report": "report",
    "market": "market", "expirations": "market", "pause": "switches", "resume": "switches", "halt": "switches",
    "doctor": "doctor", "logs": "logs",
}  # fmt: skip
"""Command -> the module of `commands` that holds its function, in the order of the help."""

GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "schedule": ("The crontab lines and the next starts.", ("show", "check", "install", "remove")),
    "auth": ("The log-in at tastytrade.", ("login", "status")),
    "config": ("Every setting and where it came from.", ("show", "init")),
    "db": ("Check, back up, restore and adopt the database.", ("check", "backup", "restore", "adopt")),
    "experiments": ("Registered comparisons of who chooses, and how they stand.", ("register",)),
    "prompts": ("The prompts that the model may be asked with.", ("list", "show", "compare")),
    "notify": ("What a person is told by mail, push or SMS.", ("test", "list", "flush")),
    "outcomes": ("What came of every candidate of every menu.", ("refresh",)),
    "audit": ("The hash-chained history.", ("verify", "export")),
}
"""Group -> its meaning and its commands; the module has the group's name."""


COMMAND_FUNCTIONS: Mapping[tuple[str, str], str] = {("prompts", "list"): "versions", ("notify", "list"): "notices"}
"""The function of a command that cannot be called as the built-in is."""
WITHOUT_JSON = ("demo", "login", "init")
"""Commands that do something and have no answer."""


def build_app(only: str | None = None, *, may_be_bare: bool = False) -> typer.Typer:
    """The app: of one command or group when `only` names it, so that a start pays for no other; else of all.

    One that `may_be_bare` shows a short status when no command is typed, instead of the help.
    """
    app = typer.Typer(
        cls=ErrorBoundary,
        help=DOC,
        no_args_is_help=not may_be_bare,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=may_be_bare)(root)
    is_known = only in COMMANDS or only in GROUPS
    for name, module in COMMANDS.items():
        if not is_known or name == only:
            function = getattr(import_module(f"spy32.commands.{module}"), name)
            app.command(name, cls=command_class(name))(function)
    for name, (doc, commands) in GROUPS.items():
        if not is_known or name == only:
            app.add_typer(_build_group(name, doc, commands), name=name)
    return app


def command_class(name: str) -> type[TyperCommand]:
    return TyperCommand if name in WITHOUT_JSON else AnsweringCommand


def _build_group(name: str, doc: str, commands: Sequence[str]) -> typer.Typer:
    module = import_module(f"spy32.commands.{name}")
    own = getattr(module, name, None)
    group = typer.Typer(
        cls=TyperGroup if own is None else AnsweringGroup, help=doc, no_args_is_help=own is None, rich_markup_mode=None
    )
    if own is not None:
        # The group is a command by itself too.
        group.callback(invoke_without_command=True)(own)
    for command in commands:
        function = getattr(module, COMMAND_FUNCTIONS.get((name, command), command))
        group.command(command, cls=command_class(command))(function)
    return group


def find_command(arguments: Sequence[str]) -> str | None:
    """The command that was typed, if one was: the first word that is no option and no option's value."""
    remaining = iter(move_global_options_first(list(arguments)))
    for argument in remaining:
        if argument in VALUE_OPTIONS:
            next(remaining, None)
        elif not argument.startswith("-"):
            return argument
    return None


def completion_words(env: Mapping[str, str]) -> list[str]:
    """The words before the one that a shell asks to complete, as Typer's scripts hand them over; none without one.

    bash gives all words of the line and the number of that one, zsh and fish the line up to it.
    """
    if "_SPY32_COMPLETE" not in env:
        return []
    if "COMP_WORDS" in env:
        return env["COMP_WORDS"].split()[1 : int(env.get("COMP_CWORD", "0"))]
    line = env.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:] if line.endswith(" ") else line.split()[1:-1]


def is_bare(arguments: Sequence[str]) -> bool:
    """Whether nothing but global options was typed, by a person at a terminal."""
    has_words = find_command(arguments) is not None or any(word in OTHER_WORDS for word in arguments)
    return not has_words and sys.stdin.isatty() and sys.stdout.isatty()


def __getattr__(name: str) -> Any:
    """`app`, the whole of it, for whoever imports it; a start of the program builds what it needs."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = build_app()
    return globals()["app"]


def _raise_stopped(number: int, _frame: FrameType | None) -> None:
    raise TerminationSignal(number)


def main() -> None:
    """Put the command that was typed together, run it, and exit with its code."""
    # Whatever is made from here on, folders above a home too, is for this user alone.
    os.umask(os.umask(0o077) | 0o077)
    from spy32.console import open_closed_streams

    open_closed_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What was told to be ignored (nohup) stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise_stopped)
    arguments = sys.argv[1:]

    def start() -> None:
        # Inside the boundary, since a signal may come while the command is still being put together.
        bare = is_bare(arguments)
        command = find_command(completion_words(os.environ) or arguments)
        build_app("status" if bare else command, may_be_bare=bare)()

    sys.exit(run_command(start, arguments))
