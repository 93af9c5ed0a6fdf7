"""`show`: the latest run and proposal, one of them, or the history."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of
from spy32.errors import Usage

if TYPE_CHECKING:
    from datetime import date

    from spy32.domain.deciding import Proposal
    from spy32.domain.views import RunView
    from spy32.render.page import Page
    from spy32.render.raw import Raw
    from spy32.store import Store
    from spy32.wiring import App

LIMIT = 20


def show(
    ctx: typer.Context,
    which: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="R31 a run, P31 a proposal, T31 a trade; the latest by default."),
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="The runs, newest first.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help=f"With --history: how many, {LIMIT} by default.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="With --history: from this New York date on, YYYY-MM-DD.")
    ] = None,
    candidates: Annotated[bool, typer.Option("--candidates", help="The menu side by side, the choice marked.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="What was dropped, by which rule, how far off.")] = False,
    quality: Annotated[
        bool, typer.Option("--quality", help="The quality gates with figure, limit and verdict.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Requests to models, answers and order bodies, as stored.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated: --history, --candidates or --rejected.")] = False,
    json: Json = False,
) -> None:
    """The latest run and proposal, one of them, or the history."""
    app = app_of(ctx)
    wanted = {"candidates": candidates, "rejected": rejected, "quality": quality, "raw": raw}
    lists = tuple(name for name, asked in wanted.items() if asked)
    if history:
        _check_history(which, lists, csv=csv, json=json)
        _history(app, limit=limit or LIMIT, since=_day(since), form="csv" if csv else "json" if json else "")
        return
    _check_one(lists, csv=csv, json=json, for_history=limit is not None or since is not None)
    store = app.reading()
    view = _view(store, which, rejected=rejected)
    _one(
        app,
        store,
        view,
        lists,
        _raw(store, view.run.id) if raw else None,
        form="csv" if csv else "json" if json else "",
    )


def _check_history(which: str | None, lists: tuple[str, ...], *, csv: bool, json: bool) -> None:
    if which is not None or lists:
        other = which if which is not None else f"--{lists[0]}"
        raise Usage(f"--history and {other} exclude each other")
    if csv and json:
        raise Usage("--csv and --json exclude each other")


def _check_one(lists: tuple[str, ...], *, csv: bool, json: bool, for_history: bool) -> None:
    if for_history:
        raise Usage("--limit and --since go with --history")
    if csv and json:
        raise Usage("--csv and --json exclude each other")
    if csv and lists not in (("candidates",), ("rejected",)):
        raise Usage("--csv goes with one of --history, --candidates, --rejected")


def _day(text: str | None) -> "date | None":
    from datetime import date

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise Usage(f"--since {text!r} is not a date; write it as YYYY-MM-DD") from None


def _history(app: "App", *, limit: int, since: "date | None", form: str) -> None:
    from spy32.render import out
    from spy32.render.documents import emit, history_document

    if form == "json" and not app.has_store:
        emit(app.out, history_document(()))
        return
    rows = app.reading().history(limit=limit, since=since)
    if form == "json":
        emit(app.out, history_document(rows))
    elif form == "csv":
        from spy32.render.csvs import history_csv

        out.put(app.out, history_csv(history_document(rows)))
    else:
        from spy32.render.menu_pages import history_page

        out.show(app.out, history_page(rows))


def _one(
    app: "App",
    store: "Store",
    view: "RunView",
    lists: tuple[str, ...],
    raw: "Raw | None",
    *,
    form: str,
) -> None:
    from spy32.render import out

    if form == "json":
        from spy32.render.documents import emit, run_document

        emit(app.out, run_document(view, raw=raw, rejected="rejected" in lists))
    elif form == "csv":
        out.put(app.out, _csv(view, lists[0]))
    else:
        for page in _pages(app, store, view, lists, raw):
            out.show(app.out, page)


def _csv(view: "RunView", name: str) -> str:
    from spy32.render.csvs import candidates_csv, rejected_csv
    from spy32.render.documents import run_document
    from spy32.render.explain import chosen_of

    document = run_document(view, rejected=True)
    return rejected_csv(document) if name == "rejected" else candidates_csv(document, chosen_of(view))


def _pages(app: "App", store: "Store", view: "RunView", lists: tuple[str, ...], raw: "Raw | None") -> "list[Page]":
    if not lists:
        from spy32.render.pages import run_page

        return [run_page(view, now=app.clock(), also=_others(store, view))]
    from spy32.render.menu_pages import candidates_page, quality_page, rejected_page

    pages = {
        "candidates": lambda: candidates_page(view),
        "rejected": lambda: rejected_page(view),
        "quality": lambda: quality_page(view),
        "raw": lambda: _raw_page(view, raw),
    }
    return [pages[name]() for name in lists]


def _raw_page(view: "RunView", raw: "Raw | None") -> "Page":
    from spy32.render.raw_page import raw_page

    assert raw is not None
    return raw_page(view, raw)


def _view(store: "Store", typed: str | None, *, rejected: bool) -> "RunView":
    """The view of the run that was meant, with the proposal or trade that was meant."""
    if typed is None:
        latest = store.latest_run()
        if latest is None:
            raise Usage("there is no run yet; `spy32 analyze` makes the first one")
        return store.view(latest.id, rejected=rejected)
    letter, number = _id(typed)
    if letter == "R":
        return store.view(number, rejected=rejected)
    if letter == "P":
        made = store.proposal(number)
        view = store.view(made.run_id, rejected=rejected)
        return view if view.proposal is not None and view.proposal.id == number else _of(store, view, made)
    trade = store.trade(number)
    view = store.view(trade.run_id, rejected=rejected)
    return view if view.trade is not None and view.trade.id == number else _replaced(view, trade=trade)


def _id(typed: str) -> tuple[str, int]:
    """`P31` as its letter and number; a bare number is a run."""
    import re

    match = re.fullmatch(r"([RPT]?)(\d{1,18})", typed.strip().upper(), re.ASCII)
    if match is None:
        raise Usage(f"{typed!r} is not an id; write R31 (a run, also 31), P31 (a proposal) or T31 (a trade)")
    return match[1] or "R", int(match[2])


def _of(store: "Store", view: "RunView", made: "Proposal") -> "RunView":
    """The same run with another of its proposals: the exit of its trade, or an opening before the last."""
    assert made.id is not None
    orders = store.orders(made.id)
    return _replaced(
        view,
        proposal=made,
        body=store.proposal_body(made.id),
        approval=store.approval_of(made.id),
        orders=orders,
        fills=tuple(fill for order in orders if order.id is not None for fill in store.fills(order.id)),
        trade=store.trade(made.trade_id) if made.trade_id is not None else store.trade_of_proposal(made.id),
    )


def _replaced(view: "RunView", **changes: object) -> "RunView":
    from dataclasses import replace

    return replace(view, **changes)  # type: ignore[arg-type]


def _others(store: "Store", view: "RunView") -> "tuple[Proposal, ...]":
    """Proposals of other runs that still wait, so that a newer run does not hide them."""
    from spy32.lifecycle import ProposalState

    waiting = store.proposals(ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.SENT)
    shown = view.proposal.id if view.proposal is not None else None
    return tuple(made for made in waiting if made.id != shown)


def _raw(store: "Store", run_id: int) -> "Raw":
    from spy32.render.raw import Answer, Raw

    answers = tuple(
        Answer(role=said.role, analyst=said.recommendation.analyst, request=said.request, response=said.response)
        for said in store.words(run_id)
    )
    return Raw(answers=answers, attempts=store.attempts(run_id), documents=store.document_lines(run_id))
