"""A live home that was copied or moved sends nothing from its new place before a person has adopted it there."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.errors import NotPermitted
from spy32.records.home import UNRECORDED_LOCATION
from spy32.store import Store
from spy32.trading.execute import execute
from tests.servers.web import StandIn
from tests.support.copied_homes import live_desk
from tests.support.live_home import NUMBER, LiveHome, live_home
from tests.support.terminal import CTRL_D, Terminal

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[LiveHome, StandIn]]:
    with live_home(tmp_path) as found:
        found[0].approved()
        yield found


@pytest.fixture
def copy(place: tuple[LiveHome, StandIn], tmp_path: Path) -> LiveHome:
    """The same home, as `cp -r` puts it elsewhere."""
    return LiveHome(home=Path(shutil.copytree(place[0].home, tmp_path / "copy")), url=place[0].url)


def words_to_send(home: LiveHome) -> tuple[str, ...]:
    with home.store() as store:
        return ("execute", "P1", "--live", "--confirm", f"{NUMBER[-4:]}:SPY:{store.proposals.get(1).quantity}")


def test_a_copy_sends_nothing_before_it_is_adopted(place: tuple[LiveHome, StandIn], copy: LiveHome) -> None:
    original, server = place
    words = words_to_send(copy)
    refused = copy.spy32(*words)
    assert (refused.returncode, server.requests) == (77, [])
    assert f"this home was at {original.home / 'live.db'} and is now at {copy.home / 'live.db'}" in refused.stderr
    assert "`spy32 db adopt` makes this the one that does" in refused.stderr
    watched = copy.spy32("status", "--check")
    assert watched.returncode == 20
    assert "live orders are not sent from here until it is adopted" in watched.stderr
    adopted = copy.spy32("db", "adopt", "--confirm", "adopt")
    assert (adopted.returncode, adopted.stdout[:8]) == (0, "adopted:")
    assert "from here on this copy sends orders, so no other one may" in adopted.stderr
    # Past this check the broker is asked, which knows nothing here.
    assert copy.spy32(*words).returncode != 77
    assert server.requests != []
    assert "until it is adopted" not in copy.spy32("status", "--check").stderr


def test_the_original_goes_on_and_a_moved_home_is_another_place(
    place: tuple[LiveHome, StandIn], copy: LiveHome, tmp_path: Path
) -> None:
    original, _ = place
    words = words_to_send(original)
    assert original.spy32(*words).returncode != 77
    moved = LiveHome(home=original.home.rename(tmp_path / "moved"), url=original.url)
    assert moved.spy32(*words).returncode == 77


def test_a_link_to_the_home_is_the_same_place(place: tuple[LiveHome, StandIn], tmp_path: Path) -> None:
    original, _ = place
    (tmp_path / "link").symlink_to(original.home)
    linked = LiveHome(home=tmp_path / "link", url=original.url)
    assert linked.spy32(*words_to_send(original)).returncode != 77
    told = linked.spy32("db", "adopt")
    assert (told.returncode, "is where it belongs; nothing to adopt" in told.stdout) == (0, True)


@pytest.mark.parametrize("word", [(), ("--confirm", "yes"), ("--confirm", ""), ("--confirm", "ADOPT")])
def test_without_the_word_nothing_is_adopted(copy: LiveHome, word: tuple[str, ...]) -> None:
    refused = copy.spy32("db", "adopt", *word)
    assert (refused.returncode, "nothing was changed" in refused.stderr) == (2, True)
    assert copy.spy32(*words_to_send(copy)).returncode == 77


@pytest.mark.parametrize(("answer", "code"), [("adopt\n", 0), ("\n", 2), ("y\n", 2), (CTRL_D, 2)])
def test_on_a_terminal_the_word_is_typed(copy: LiveHome, answer: str | bytes, code: int) -> None:
    with Terminal(copy.home, "db", "adopt", **copy.around("live")) as terminal:
        terminal.wait_for("type adopt to say so, anything else to leave: ")
        terminal.type(answer)
        assert terminal.code() == code


def test_the_document_names_the_home(copy: LiveHome) -> None:
    done = copy.spy32("db", "adopt", "--confirm", "adopt", "--json")
    found = json.loads(done.stdout)
    with copy.store() as store:
        assert (found["action"], found["home"]) == ("adopt", store.location.home_id())
        assert store.audit.verify().broken is None


def test_a_paper_home_may_be_copied(tmp_path: Path) -> None:
    with live_home(tmp_path) as (home, _):
        home.approved(Mode.PAPER)
        other = LiveHome(home=Path(shutil.copytree(home.home, tmp_path / "copy")), url=home.url)
        assert other.spy32("execute", "P1", mode="paper").returncode != 77
        assert "adopted" not in other.spy32("status", mode="paper").stdout


@pytest.mark.parametrize("has_sent", [True, False])
def test_a_live_database_whose_place_an_older_version_did_not_record_asks_once_if_it_ever_sent(
    tmp_path: Path, has_sent: bool
) -> None:
    """Of several copies of such a home nobody but a person knows which one is to go on."""
    path = tmp_path / "live.db"
    world = live_desk(tmp_path)
    world.orders.fills_at = Decimal(9)
    if has_sent:
        execute(world.trading_context, world.approved())
    with world.store.core.write_transaction(world.clock(), "as an older version left it") as change:
        change.update("stamp", 1, home_id=None, machine=None, place=None)
    world.store.close()
    with closing(Store.open(path, mode=Mode.LIVE, account=None, at=world.clock())) as store:
        assert store.location.former_place() == (UNRECORDED_LOCATION if has_sent else None)
        if has_sent:
            with pytest.raises(NotPermitted, match="did not record"):
                store.location.require_unmoved()
            store.location.claim(world.clock(), by="anna")
        store.location.require_unmoved()
