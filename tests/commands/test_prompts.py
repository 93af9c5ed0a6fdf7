"""`prompts list`, `show` and `compare` as a person and a script see them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from spy32.analysts import prompt
from spy32.cli import AnsweringCommand
from spy32.commands import prompts
from spy32.domain.answer_role import AnswerRole
from spy32.domain.model_calls import ModelCall, ModelRequest
from spy32.errors import BadSettings, BadUsage
from spy32.settings import Environment, Settings
from tests.support import builders as b
from tests.support import stores
from tests.support.reader import ReadingApp
from tests.support.schemas import check as fits_schema

FULL, SHORT = tuple(prompt.LAYOUTS)[-2:]
GROUP = typer.Typer()
GROUP.command("list", cls=AnsweringCommand)(prompts.versions)
GROUP.command("show", cls=AnsweringCommand)(prompts.show)
GROUP.command("compare", cls=AnsweringCommand)(prompts.compare)


class Reading:
    """A store that knows the requests of R7 and nothing else."""

    def __init__(self, *asked: ModelCall) -> None:
        self.asked = asked
        self.model_calls = self

    def select_by_run(self, run_id: int) -> tuple[ModelCall, ...]:
        if run_id != 7:
            raise BadUsage(f"there is no run R{run_id}")
        return self.asked


class PromptDesk(ReadingApp):
    """A desk over `Reading`."""

    def __init__(
        self, home: Path, *asked: ModelCall, width: int | None = None, settings: Settings | None = None
    ) -> None:
        super().__init__(home, width=width)
        self.settings = settings or Settings()
        self.store = Reading(*asked)

    def open_for_reading(self) -> Any:
        return self.store


def ask(desk: ReadingApp, *words: str) -> str:
    result = CliRunner().invoke(GROUP, list(words), obj=desk)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return desk.said


def document(desk: ReadingApp, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(desk, *words, "--json"))
    fits_schema(found)
    return found


def asked(number: int = 1, *, version: str = FULL, request: str | None = None) -> ModelCall:
    body = {
        "model": "grok-4.7",
        "input": [{"role": "system", "content": "Choose."}, {"role": "user", "content": "AS_OF now\nMENU"}],
        "text": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    }
    attempt = ModelRequest(
        role=AnswerRole.CHOSEN,
        sample=1,
        attempt=number,
        prompt=version,
        prompt_hash="a" * 64,
        input_hash="b" * 64,
        model="grok-4.7",
        effort="high",
        request=request if request is not None else json.dumps(body),
        estimate_ticks=1,
    )
    return ModelCall(id=number, at=b.NOW, attempt=attempt, heard=None)


def with_(**over: Any) -> Settings:
    return replace(Settings(), **over)


# list


def test_without_a_terminal_each_version_is_a_line(tmp_path: Path) -> None:
    said = ask(PromptDesk(tmp_path), "list").splitlines()
    place = list(prompt.LAYOUTS).index(FULL)
    assert said[place] == (
        f"prompt {FULL}: variant comprehensive; hash {prompt.read_template(FULL).hash[:8]}; "
        f"tokens, about {prompt.LAYOUTS[FULL].typical_tokens}; used by these settings"
    )
    assert said[place + 1].startswith(f"prompt {SHORT}: ")
    assert said[place + 1].endswith("used no")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_on_a_terminal_no_version_and_hash_is_cut(tmp_path: Path, width: int) -> None:
    said = ask(PromptDesk(tmp_path, width=width), "list")
    assert "…" not in said
    assert FULL in said
    assert SHORT in said


@pytest.mark.parametrize(
    ("settings", "used"),
    [
        (with_(), FULL),
        (with_(environment=Environment.DEVELOPMENT), SHORT),
        (with_(analyst=replace(Settings().analyst, prompt=SHORT)), SHORT),
    ],
)
def test_the_settings_decide_which_is_used(tmp_path: Path, settings: Settings, used: str) -> None:
    found = document(PromptDesk(tmp_path, settings=settings), "list")
    assert [row["version"] for row in found["prompts"] if row["used"]] == [used]
    assert [row["hash"] for row in found["prompts"]] == [prompt.read_template(each).hash for each in prompt.LAYOUTS]
    shown = ask(PromptDesk(tmp_path, settings=settings), "show")
    assert shown.startswith(f"prompt {used}, hash {prompt.read_template(used).hash}\n")


def test_a_setting_that_names_no_version_is_a_wrong_setting(tmp_path: Path) -> None:
    wrong = with_(analyst=replace(Settings().analyst, prompt="v9"))
    with pytest.raises(BadSettings, match="known are v1-comprehensive, v1-simplified, v2-comprehensive, v2-simplified"):
        ask(PromptDesk(tmp_path, settings=wrong), "list")


# show


def test_show_prints_the_three_files_whole_and_says_that_they_have_blanks(tmp_path: Path) -> None:
    said = ask(PromptDesk(tmp_path), "show", SHORT)
    made = prompt.read_template(SHORT)
    assert "This is the template" in said
    assert made.system.rstrip() in said
    assert made.user.rstrip() in said
    assert "AS_OF $as_of" in said
    assert json.loads(said.split("--- schema.json\n")[1]) == made.schema


def test_show_as_a_document(tmp_path: Path) -> None:
    found = document(PromptDesk(tmp_path), "show", FULL)
    assert found["template"]["user"] == prompt.read_template(FULL).user
    assert found["sent"] is None


@pytest.mark.parametrize("words", [("show", "v9"), ("compare", "v9", FULL), ("compare", FULL, "../x")])
def test_an_unknown_version_that_was_typed_is_a_usage_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(BadUsage, match="known are"):
        ask(PromptDesk(tmp_path), *words)


def test_with_a_run_show_prints_what_was_sent(tmp_path: Path) -> None:
    said = ask(PromptDesk(tmp_path, asked(), asked(2)), "show", "--run", "R7")
    assert said.count("--- system\nChoose.\n") == 2
    assert said.count("--- user\nAS_OF now\nMENU\n") == 2
    assert "json_schema" in said
    assert f"attempt 2, prompt {FULL}, hash {'a' * 64}, input {'b' * 64}, model grok-4.7, effort high" in said


def test_as_a_document_it_is_the_body_exactly(tmp_path: Path) -> None:
    one = asked()
    found = document(PromptDesk(tmp_path, one, asked(2, version=SHORT)), "show", FULL, "--run", "r7")
    assert [each["request"] for each in found["sent"]] == [one.attempt.request]


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"input": 1}', '{"input": [{"role": "user"}]}', "null"])
def test_a_body_of_another_shape_is_shown_as_it_is(tmp_path: Path, body: str) -> None:
    said = ask(PromptDesk(tmp_path, asked(request=body)), "show", "--run", "7")
    assert f"--- body\n{body}\n" in said


def test_content_in_parts_is_joined(tmp_path: Path) -> None:
    body = json.dumps({"input": [{"role": "user", "content": [{"type": "input_text", "text": "MENU"}]}]})
    assert "--- user\nMENU\n" in ask(PromptDesk(tmp_path, asked(request=body)), "show", "--run", "7")


def test_what_was_sent_cannot_move_the_cursor(tmp_path: Path) -> None:
    body = json.dumps({"input": [{"role": "user", "content": "\x1b[2Jgone\u202e"}]})
    said = ask(PromptDesk(tmp_path, asked(request=body)), "show", "--run", "7")
    assert "[2Jgone" in said
    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("words", [("--run", "R7"), (SHORT, "--run", "R7"), ("--run", "R8"), ("--run", "P7")])
def test_a_run_that_asked_nobody_is_said(tmp_path: Path, words: tuple[str, ...]) -> None:
    desk = PromptDesk(tmp_path, *([asked()] if SHORT in words else []))
    with pytest.raises(BadUsage, match=r"R7|R8|P7"):
        ask(desk, "show", *words)


# compare


def test_compare_is_a_unified_difference_with_both_hashes(tmp_path: Path) -> None:
    said = ask(PromptDesk(tmp_path), "compare", FULL, SHORT)
    for version in (FULL, SHORT):
        assert f"{version}: hash {prompt.read_template(version).hash}\n" in said
    assert f"--- {FULL}/user.txt\n+++ {SHORT}/user.txt\n" in said
    assert "\n-$market\n" in said
    assert "schema.json" not in said


def test_a_version_is_like_itself(tmp_path: Path) -> None:
    assert "the templates are alike\n" in ask(PromptDesk(tmp_path), "compare", FULL, FULL)
    assert document(PromptDesk(tmp_path), "compare", FULL, FULL)["compared"]["difference"] == ""


@pytest.mark.parametrize("width", [None, 80])
def test_what_both_said_stands_below_the_difference(tmp_path: Path, width: int | None) -> None:
    with stores.opened(tmp_path / "paper.db") as store:
        run = stores.begun(store)
        store.decisions.save_menu(run.id, b.menu(), b.NOW)
        for version, role in ((FULL, AnswerRole.CHOSEN), (SHORT, AnswerRole.SHADOW)):
            answer = b.recommendation(prompt=version, reason=f"because of {b.candidate().id}")
            store.decisions.save_answer(run.id, answer, role=role, at=b.NOW)
        terms = b.experiment_terms(champion=f"grok {FULL}", challenger=f"grok {SHORT}")
        store.experiments.register(terms, b.later(60))
    desk = ReadingApp(tmp_path, width=width)
    said = ask(desk, "compare", FULL, SHORT, "--run", "R1")
    desk.close()
    assert f"--- {FULL}/user.txt\n+++ {SHORT}/user.txt\n" in said
    words = " ".join(said.partition("1 run answered with both")[2].split())
    assert "the same spread" in words and "1 of 1" in words
    assert "trade put 640/635: because of put 640/635" in words
    assert "E1: collecting: 0 outcomes of about 444 needed to see 0.3 standard deviations" in words
    assert "none yet" in words
    found = document(ReadingApp(tmp_path), "compare", FULL, SHORT)["compared"]["said"]
    assert (found["runs"], found["agreement"]["the same spread"], found["choices"]) == (["R1"], 1, [])


def test_two_that_no_run_was_answered_with_say_so(tmp_path: Path) -> None:
    stores.opened(tmp_path / "paper.db").close()
    assert ask(ReadingApp(tmp_path), "compare", FULL, SHORT).endswith("no run was answered with both\n")


def test_compare_as_a_document(tmp_path: Path) -> None:
    found = document(PromptDesk(tmp_path), "compare", FULL, SHORT)
    assert found["compared"]["versions"] == [FULL, SHORT]
    assert found["compared"]["difference"].startswith(f"--- {FULL}/system.txt")


def test_compare_wants_two_versions_and_says_where_they_are_listed(tmp_path: Path) -> None:
    result = CliRunner().invoke(GROUP, ["compare", FULL], obj=PromptDesk(tmp_path))
    assert isinstance(result.exception, BadUsage)
    assert result.exception.message == "two versions are compared; `spy32 prompts list` names them"
