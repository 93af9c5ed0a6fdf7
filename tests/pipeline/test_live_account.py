"""The weekly run of sandbox and live mode: account trouble makes no proposal, and neither does a doubtful dry run."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.orders import DryRun
from spy32.domain.runs import Outcome, Run, StepState
from spy32.domain.spreads import Account, Mode
from spy32.errors import BadSettings, NotPermitted, ServiceGone, Unavailable, Unusable
from spy32.markets.tastytrade import TastytradeMarket
from spy32.settings import Settings
from spy32.settings.model import MarketSources, Secret, Tastytrade
from spy32.store import Store
from spy32.wiring.markets import MarketRegistry
from spy32.wiring.tastytrade import TastytradeConnection
from tests.support import builders
from tests.support.fakes import FakeAccount, FakeAnalyst, FakeOrders, ManualClock
from tests.support.pipeline_run import Monday

pytestmark = pytest.mark.slow

NUMBER = "5WX01234"


class Trouble(FakeAccount):
    """An account desk that does not answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def facts(self) -> Account:
        raise self.error


@pytest.fixture(params=[Mode.LIVE, Mode.SANDBOX])
def monday(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Monday]:
    mode: Mode = request.param
    store = Store.open(tmp_path / f"{mode}.db", mode=mode, account=NUMBER, at=builders.NOW)
    made = Monday(store=store, settings=Settings(mode=mode))
    made.account.account = builders.account(mode=mode, number=NUMBER)
    yield made
    store.close()


def ended(monday: Monday) -> tuple[Run, tuple[str | None, str | None]]:
    done = monday.run()
    return done, (done.outcome, done.cause)


@pytest.mark.parametrize("error", [Unavailable("busy"), NotPermitted("revoked"), ServiceGone("406"), Unusable("page")])
def test_a_broker_that_does_not_answer_leaves_menu_and_choice_and_no_proposal(monday: Monday, error: Exception) -> None:
    monday.account = Trouble(error)
    done, what = ended(monday)
    assert what == (Outcome.NO_TRADE, "account")
    assert (done.reasons, done.exit_code) == ((str(error),), 0)
    assert {step.name: step.state for step in done.steps}["authenticate"] is StepState.FAILED
    assert monday.menu(done).candidates
    view = monday.store.history.view(done.id)
    assert view.recommendation is not None
    assert view.proposal is None


def test_an_account_that_may_open_nothing_makes_no_proposal(monday: Monday) -> None:
    account = monday.account.account
    monday.account.account = replace(account, restrictions=("closing only", "margin call"))
    done, what = ended(monday)
    assert what == (Outcome.NO_TRADE, "account")
    assert [reason.rpartition(": ")[2] for reason in done.reasons] == ["closing only", "margin call"]
    assert all(NUMBER not in reason for reason in done.reasons)
    assert monday.store.proposals.latest() is None


def test_wrong_settings_fail_loudly(monday: Monday) -> None:
    monday.account = Trouble(BadSettings("several accounts"))
    done, what = ended(monday)
    assert (what, done.exit_code) == ((Outcome.FAILED, "account"), 78)


# The dry run.


class Echo(FakeOrders):
    """Answers every dry run as the test says."""

    def __init__(self, **over: object) -> None:
        super().__init__()
        self.overdue_proposals = over

    def dry_run(self, body: str) -> DryRun:
        return replace(super().dry_run(body), **self.overdue_proposals)  # type: ignore[arg-type]


def test_a_dry_run_that_means_another_order_makes_no_proposal(monday: Monday) -> None:
    monday.orders = Echo(limit=Decimal("-0.50"))
    done, what = ended(monday)
    assert what == (Outcome.NO_TRADE, "broker")
    assert any("debit" in reason for reason in done.reasons), done.reasons
    ruling = monday.store.history.view(done.id).ruling
    assert ruling is not None
    assert "echo_limit" in {finding.rule for finding in ruling.findings if finding.blocks}
    assert monday.store.proposals.latest() is None


# Whose choice it is.


class Simplified(FakeAnalyst):
    """Grok, asked with the simplified prompt."""

    def choose(self, snapshot, menu, briefing):  # type: ignore[no-untyped-def]
        return replace(super().choose(snapshot, menu, briefing), prompt="v1-simplified")


def test_an_answer_to_a_simplified_prompt_makes_no_live_order_unless_it_is_allowed(monday: Monday) -> None:
    monday.analyst = Simplified()
    done, what = ended(monday)
    if monday.settings.mode is Mode.SANDBOX:
        assert what[1] != "vetoed"
        return
    assert what == (Outcome.NO_TRADE, "vetoed")
    assert "analyst.live_simplified" in done.reasons[0]
    analyst = replace(monday.settings.analyst, live_simplified=True)
    monday.settings = replace(monday.settings, analyst=analyst)
    assert ended(monday)[1][1] != "vetoed"


# Whose quotes.


def shelf(mode: Mode, folder: Path, *chain: str) -> MarketRegistry:
    tastytrade = Tastytrade(client_secret=Secret("s"), refresh_token=Secret("r"), url="http://127.0.0.1:9")
    market = MarketSources(chain=chain or ("cboe", "tastytrade", "yahoo"))
    settings = Settings(mode=mode, tastytrade=tastytrade, market=market)
    clock = ManualClock()
    return MarketRegistry(settings, clock, TastytradeConnection(settings, clock, lambda line: None))


def test_live_quotes_come_from_the_broker_alone_whatever_the_proposal_was_made_on(tmp_path: Path) -> None:
    for first in ("cboe", "yahoo", "tastytrade"):
        assert isinstance(shelf(Mode.LIVE, tmp_path).quote_market(first), TastytradeMarket)


def test_the_sandbox_is_quoted_by_the_other_sources(tmp_path: Path) -> None:
    here = shelf(Mode.SANDBOX, tmp_path)
    sources = here.sources(None)
    assert [source.name for source in sources.chain] == ["cboe", "yahoo"]
    assert [tried.source for tried in sources.unavailable] == ["tastytrade"]
    quoting = here.quote_market("tastytrade")
    assert quoting.name == "cboe"
    with pytest.raises(BadSettings, match="sandbox has no market data"):
        here.sources("tastytrade")
