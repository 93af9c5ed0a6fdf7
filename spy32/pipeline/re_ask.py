"""Asks the model again about a finished run, with another prompt. The answer is for comparison, never for an order."""

from spy32.domain.answer_role import AnswerRole
from spy32.domain.briefing import Briefing
from spy32.domain.market import MarketSnapshot
from spy32.domain.proposals import Recommendation
from spy32.domain.spreads import Menu
from spy32.domain.value import value
from spy32.errors import BadUsage
from spy32.ports import Analyst, Clock
from spy32.settings import Settings
from spy32.settings.deciding import restore_settings
from spy32.store import Store


@value
class StoredQuestion:
    """The analyst's input in a finished run, and its answer."""

    run_id: int
    snapshot: MarketSnapshot
    menu: Menu
    briefing: Briefing
    settings: Settings
    """The settings of that run."""
    then: Recommendation | None
    """The analyst's answer in that run."""

    @classmethod
    def load(cls, store: Store, run_id: int) -> "StoredQuestion":
        """Load the question of a run. Raises `BadUsage` when the run had no menu."""
        run = store.runs.get(run_id)
        menu = store.decisions.menu(run_id)
        briefing = store.decisions.briefing(run_id)
        if menu is None or not menu.candidates or briefing is None:
            raise BadUsage(
                f"R{run_id} had no menu to choose from ({run.cause or run.outcome}); there is nothing to ask"
            )
        chosen = [answer for role, answer in store.decisions.answers(run_id) if role is AnswerRole.CHOSEN]
        return cls(
            run_id=run_id,
            snapshot=store.decisions.snapshot(run_id),
            menu=menu,
            briefing=briefing,
            settings=restore_settings(store.decisions.settings(run_id)),
            then=chosen[-1] if chosen else None,
        )


def ask_model_again(
    store: Store, run_id: int, question: StoredQuestion, analyst: Analyst, clock: Clock
) -> Recommendation:
    """Ask, store and return the answer, with the role `again` beside the run's own answers."""
    answer = analyst.choose(question.snapshot, question.menu, question.briefing)
    store.decisions.save_answer(run_id, answer, role=AnswerRole.AGAIN, at=clock())
    return answer
