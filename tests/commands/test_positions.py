"""What `positions` and `reconcile` answer: lines, documents, words, exit codes, and the question before taking over."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from spy32.cli import AnsweringCommand
from spy32.commands import positions as positions_command
from spy32.commands import reconcile as reconcile_command
from spy32.console import PlainConsole
from spy32.domain.orders import OrderKind
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.domain.transactions import TransactionKind
from spy32.errors import Spy32Error, Unavailable
from spy32.lifecycle import OrderState, TradeState
from spy32.render.trading import format_fees
from spy32.rules import plan
from spy32.store import Store
from spy32.trading.context import TradingContext
from spy32.trading.profit_target import place_target
from tests.support import builders
from tests.support.open_trades import SHORT, D, bought_back, entered, held, late_target, line, live_desk, number
from tests.support.reader import shown
from tests.support.schemas import check
from tests.support.stores import move_trade, profit_targets
from tests.support.trading import TradingDesk

program = typer.Typer()
program.command(cls=AnsweringCommand)(reconcile_command.reconcile)
program.command(cls=AnsweringCommand)(positions_command.positions)


class FakeApp:
    """The little of an App that these commands use."""

    def __init__(self, desk: TradingDesk, *, is_interactive: bool = False) -> None:
        self.desk = desk
        self.is_interactive = is_interactive
        self.wants_json = False
        self.out = PlainConsole(StringIO())

    def open_for_reading(self) -> Store:
        return self.desk.store

    def store(self) -> Store:
        return self.desk.store

    def send_notices(self) -> None:
        """Nobody is to be told."""

    def trading_context(self, _store: Store, _proposal: Proposal | None) -> TradingContext:
        return self.desk.trading_context


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    made = live_desk(tmp_path)
    yield made
    made.store.close()


def run(desk: TradingDesk, *words: str, typed: str | None = None, code: int = 0) -> str:
    """What is written on stdout; the call must end with `code`. Without `typed` there is no terminal."""
    app = FakeApp(desk, is_interactive=typed is not None)
    result = CliRunner().invoke(program, list(words), obj=app, input=typed)
    error = result.exception
    if error is not None and not isinstance(error, Spy32Error | SystemExit):
        raise error
    assert (error.code if isinstance(error, Spy32Error) else result.exit_code) == code
    return shown(app.out)


def document(desk: TradingDesk, *words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(desk, *words, "--json", code=code))
    check(found)
    return found


def by_hand(desk: TradingDesk) -> None:
    body = plan.order_body(builders.spread().legs, 1, D("0.60"), "mine", kind=OrderKind.ENTRY)
    placed = desk.orders.submit(body)
    desk.orders.book[placed.broker_id] = replace(placed, reference="")


# Positions.


def test_positions_shows_both_views_the_target_and_the_fees(desk: TradingDesk) -> None:
    trade = entered(desk)
    held(desk, short=-2, long=2)
    place_target(desk.trading_context, trade.proposal_id)
    text = run(desk, "positions")
    assert "  SPY   251107P00635000  ours +2  broker +2  agree\n" in text
    assert "T1 open: 2 opened for 0.58, max loss $888.52, fees $4.52 (an estimate)\n" in text
    assert "T1: target spy32-P1-A1-abcdef-t1 working at 0.29 for 2\n" in text
    assert "DIFFERENT" not in text


def test_positions_explains_each_difference_and_what_can_be_done(desk: TradingDesk) -> None:
    entered(desk)
    bought_back(desk)
    by_hand(desk)
    desk.account.account = replace(desk.account.account, restrictions=("margin call",))
    text = run(desk, "positions")
    assert f"  {SHORT}  ours -2  broker +0  DIFFERENT: T1: 2 x {SHORT} gone: closed by hand" in text
    assert "at the broker, not ours, left alone: Live, Sell to Open 1 x SPY" in text
    assert "`spy32 reconcile --adopt` takes it over" in text
    assert "T1: no target works, though its exit plan leaves one" in text
    assert "  the broker says: margin call\n" in text


def test_positions_tells_what_was_not_seen_and_of_a_part_what_is_left(desk: TradingDesk) -> None:
    entered(desk)
    held(desk, short=-1, long=1)
    bought_back(desk, 1)
    run(desk, "reconcile", "--adopt", "--yes")
    desk.orders.unreadable = True
    text = run(desk, "positions")
    assert "max loss $888.52, 1 left, fees" in text
    assert "NOT SEEN: the fake broker does not answer\n" in text


def test_positions_of_an_empty_account(desk: TradingDesk) -> None:
    held(desk)
    assert run(desk, "positions").endswith("no positions\n")
    found = document(desk, "positions")
    assert (found["positions"], found["trades"], found["agrees"]) == ([], [], True)


def test_a_trade_that_ended_is_in_the_document_only(desk: TradingDesk) -> None:
    trade = entered(desk)
    held(desk)
    move_trade(desk.store, number(trade), now=TradeState.EXPIRED, at=desk.clock())
    assert "T1" not in run(desk, "positions")
    (found,) = document(desk, "positions")["trades"]
    assert (found["id"], found["state"], found["quantity"]) == ("T1", "expired", 2)


def test_positions_sums_up_what_trades_earned(desk: TradingDesk) -> None:
    for result, days in (("-500.00", -1), ("120.00", -4), ("33.00", -40)):
        over = entered(desk, rests=False)
        at = builders.later(days=days)
        move_trade(desk.store, over.id, now=TradeState.CLOSED, at=at, result=D(result))
    marked, unmarked = entered(desk, rests=False), entered(desk, rests=False)
    desk.store.marks.add(builders.mark(marked.id, unrealized=D("-12.34")))
    desk.clock.at = builders.later(days=-1, hours=1)
    text = run(desk, "positions")
    assert f"open trades: -$12.34 unrealised, by their newest usable marks; T{unmarked.id} without a mark\n" in text
    assert "realised: -$380.00 this week, -$380.00 this month, -$347.00 in all\n" in text
    totals = document(desk, "positions")["totals"]
    assert totals == {
        "unrealized": "-12.34", "unmarked": [f"T{unmarked.id}"], "week": "-380.00", "month": "-380.00",
        "total": "-347.00", "week_start": "2025-09-29", "month_start": "2025-10-01",
    }  # fmt: skip


def test_positions_names_where_the_broker_s_history_differs(desk: TradingDesk) -> None:
    entered(desk)
    held(desk, short=-2, long=2)
    desk.clock.at = builders.later(days=1)
    difference = "DIFFERENT spy32-P1-A1-abcdef-1, cash: ours 116.00, the broker's 0\n"
    assert difference in run(desk, "positions")
    found = document(desk, "positions")
    assert found["agrees"] is True
    assert found["history"][-1] == {
        "subject": "spy32-P1-A1-abcdef-1", "figure": "cash", "ours": "116.00", "broker": "0",
    }  # fmt: skip
    assert difference in run(desk, "reconcile")
    assert document(desk, "reconcile")["history"] == found["history"]


def test_the_document_of_positions_keeps_its_keys_and_fits_its_schema(desk: TradingDesk) -> None:
    trade = entered(desk)
    place_target(desk.trading_context, trade.proposal_id)
    by_hand(desk)
    found = document(desk, "positions")
    assert {"mode", "account", "net_liquidation", "buying_power", "positions", "trades"} <= found.keys()
    assert found["positions"][1] | {"why": None} == {
        "symbol": SHORT, "ours": -2, "broker": 0, "difference": 2, "agrees": False, "why": None,
    }  # fmt: skip
    assert found["trades"][0]["fees"] == "4.52"
    assert found["trades"][0]["fees_final"] is False
    assert found["targets"][0]["debit"] == "0.29"
    assert found["foreign_orders"][0]["our_state"] is None
    assert found["gone"][0]["would_be"] is None
    assert found["without_target"] == []
    assert found["agrees"] is False


def test_an_order_by_hand_that_cannot_be_read_is_listed_without_made_up_terms(desk: TradingDesk) -> None:
    by_hand(desk)
    (broker_id,) = desk.orders.book
    seen = desk.orders.book[broker_id]
    ended, why = OrderState.CANCELLED, "size of an order is not a part of its legs"
    desk.orders.shows(broker_id, unread=why, state=ended, quantity=0, limit=D(0))
    (found,) = document(desk, "positions")["foreign_orders"]
    assert (found["quantity"], found["limit"]) == (None, None)
    assert found["unread"] == "size of an order is not a part of its legs"
    assert [each["quantity"] for each in found["legs"]] == [leg.quantity for leg in seen.legs]
    assert "cannot be read: size of an order" in " ".join(run(desk, "positions").split())


# Reconcile.


def test_reconcile_with_nothing_in_flight(desk: TradingDesk) -> None:
    entered(desk, rests=False)
    held(desk, short=-2, long=2)
    assert run(desk, "reconcile") == "nothing was in flight\nour positions and the broker's agree\n"
    held(desk)
    move_trade(desk.store, 1, now=TradeState.CLOSED, at=desk.clock())
    assert run(desk, "reconcile") == "nothing was in flight\nno positions, here or at the broker\n"


def test_reconcile_ends_0_when_things_only_differ(desk: TradingDesk) -> None:
    entered(desk)
    text = run(desk, "reconcile")
    assert f"DIFFERENT {SHORT}: ours -2  broker +0: T1: 2 x {SHORT} gone" in text
    assert "nothing can be taken over" in text
    assert "agree" not in text
    assert document(desk, "reconcile")["agrees"] is False


def test_reconcile_ends_11_while_an_order_is_unknown(desk: TradingDesk) -> None:
    trade = entered(desk)
    desk.orders.goes_silent_after = len(desk.orders.book) + 1
    place_target(desk.trading_context, trade.proposal_id)
    text = run(desk, "reconcile", code=11)
    assert "spy32-P1-A1-abcdef-t1: unknown before, unknown now, 0 of 2 filled: no answer" in text
    assert "NOT SETTLED: order spy32-P1-A1-abcdef-t1 may or may not exist" in text
    found = document(desk, "reconcile", code=11)
    assert found["orders"][0]["now"] == "unknown"
    assert len(found["troubles"]) == 2


def test_reconcile_ends_75_when_the_broker_cannot_be_read(desk: TradingDesk) -> None:
    def down() -> tuple[()]:
        raise Unavailable("the account is down")

    desk.account.positions = down  # type: ignore[method-assign]
    text = run(desk, "reconcile", code=75)
    assert text == "nothing was in flight\nNOT SETTLED: the account is down\n"
    run(desk, "positions", code=75)


def test_an_order_that_bears_our_reference_is_named_as_such(desk: TradingDesk) -> None:
    target = late_target(desk, entered(desk))
    assert "bears our reference spy32-P1-A1-abcdef-t1, absent in our book; `spy32 reconcile` adopts it" in run(
        desk, "positions"
    )
    (foreign,) = document(desk, "positions")["foreign_orders"]
    assert (foreign["our_state"], foreign["whose"]) == ("absent", "ours")
    text = run(desk, "reconcile", code=11)
    assert "spy32-P1-A1-abcdef-t1: absent before, working now, 0 of 2 filled" in text
    assert "NOT SETTLED: LOOK AT THIS: order 480002 (spy32-P1-A1-abcdef-t1) is at the broker" in text
    assert "`spy32 status --ack P1`" in text
    found = document(desk, "reconcile")
    assert (found["foreign_orders"], [row["reference"] for row in found["targets"]]) == ([], [target.reference])


def test_a_target_that_filled_in_part_says_how_much(desk: TradingDesk) -> None:
    trade = entered(desk)
    place_target(desk.trading_context, trade.proposal_id)
    desk.orders.fill(str(profit_targets(desk.store, trade.proposal_id)[0].broker_id), 1)
    assert "working at 0.29, 1 of 2 filled" in run(desk, "reconcile")


# Taking over.


@pytest.fixture
def over(desk: TradingDesk) -> TradingDesk:
    """A trade that the person closed in the broker's app."""
    entered(desk)
    held(desk)
    bought_back(desk)
    return desk


def test_without_adopt_nothing_is_taken_over(over: TradingDesk) -> None:
    text = run(over, "reconcile", typed="T1\n")
    assert "`spy32 reconcile --adopt` takes it over" in text
    assert over.store.trades.get(1).state is TradeState.OPEN


def test_the_trade_s_own_id_takes_it_over(over: TradingDesk) -> None:
    text = run(over, "reconcile", "--adopt", typed=" T1 \n")
    assert "T1: open -> closed, cash $-60.00 before fees of $0.52 (" in text
    assert text.endswith("T1 is closed\n")
    assert over.store.trades.get(1).state is TradeState.CLOSED


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "t1\n", "T11\n"])
def test_anything_else_leaves_it(over: TradingDesk, typed: str) -> None:
    text = run(over, "reconcile", "--adopt", typed=typed)
    assert text.endswith("nothing was taken over\n")
    assert over.store.trades.get(1).state is TradeState.OPEN


def test_a_script_says_yes_beforehand(over: TradingDesk) -> None:
    found = document(over, "reconcile", "--adopt", "--yes")
    assert found["adopted"] == [{"id": "T1", "state": "closed"}]
    assert found["gone"][0]["would_be"] == "closed"
    assert document(over, "reconcile", "--adopt", "--yes")["adopted"] == []


def test_of_a_part_the_question_says_so(desk: TradingDesk) -> None:
    entered(desk)
    held(desk, short=-1, long=1)
    bought_back(desk, 1)
    assert "1 of 2 spreads of T1: open -> closed" in run(desk, "reconcile", "--adopt", typed="\n")


@pytest.mark.parametrize(
    ("words", "typed"),
    [(("--yes",), "T1\n"), (("--adopt",), None), (("--adopt", "--json"), "T1\n")],
)
def test_words_that_do_not_go_together_are_2_and_change_nothing(
    over: TradingDesk, words: tuple[str, ...], typed: str | None
) -> None:
    assert run(over, "reconcile", *words, typed=typed, code=2) == ""
    assert over.store.trades.get(1).state is TradeState.OPEN


def test_what_cannot_be_explained_is_not_asked_about(desk: TradingDesk) -> None:
    entered(desk)
    held(desk)
    assert run(desk, "reconcile", "--adopt", typed="T1\n").endswith("nothing was taken over\n")


# Fees.


def test_fees_say_whether_they_are_an_estimate(desk: TradingDesk, tmp_path: Path) -> None:
    trade = entered(desk)
    assert format_fees(trade) == "$4.52 (an estimate)"
    assert format_fees(replace(trade, fees_final=True)) == "$4.52"
    assert format_fees(replace(trade, mode=Mode.PAPER)) == "$4.52"


def test_words_of_the_broker_cannot_draw_on_the_terminal(desk: TradingDesk) -> None:
    entered(desk)
    by_hand(desk)
    (broker_id,) = [key for key, order in desk.orders.book.items() if not order.reference]
    desk.orders.book[broker_id] = replace(desk.orders.book[broker_id], status="Live\x1b[2J\nT9 open")
    desk.account.history = (line(1, SHORT, TransactionKind.OTHER),)
    text = run(desk, "positions")
    assert "\x1b" not in text
    assert "\nT9" not in text
