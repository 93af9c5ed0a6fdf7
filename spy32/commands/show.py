"""`show`: the latest run and proposal, one of them, or the history."""

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import (
    App,
    SinceOption,
    complete_ids,
    get_app,
    parse_id,
    print_document,
    print_page,
    view_with_proposal,
    write_text,
)
from spy32.domain.answer_role import AnswerRole
from spy32.domain.proposals import Proposal
from spy32.errors import BadUsage
from spy32.lifecycle import ProposalState

if TYPE_CHECKING:
    from spy32.domain.report import Attribution
    from spy32.domain.run_view import RunView
    from spy32.render.page import Page
    from spy32.render.raw_texts import RawTexts
    from spy32.store import Store

DEFAULT_LIMIT = 20


def show(
    ctx: typer.Context,
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="R31 a run, P31 a proposal, T31 a trade; the latest by default.",
            autocompletion=complete_ids("RPT"),
        ),
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="The runs, newest first.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"With --history: how many, {DEFAULT_LIMIT} by default.")
    ] = None,
    since: SinceOption = None,
    candidates: Annotated[bool, typer.Option("--candidates", help="The menu side by side, the choice marked.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="What was dropped, by which rule, how far off.")] = False,
    quality: Annotated[
        bool, typer.Option("--quality", help="The quality gates with figure, limit and verdict.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Requests to models, answers and order bodies, as stored.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Everything on record, not only the one screen.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Every number and word, a line of meaning each.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated: --history, --candidates or --rejected.")] = False,
) -> None:
    """The latest run and proposal, one of them, or the history."""
    app = get_app(ctx)
    if csv and app.wants_json:
        raise BadUsage("--csv and --json exclude each other")
    wanted = {
        "full": full, "candidates": candidates, "rejected": rejected, "quality": quality, "raw": raw,
        "explain": explain,
    }  # fmt: skip
    lists = tuple(name for name, is_asked in wanted.items() if is_asked)
    form = "csv" if csv else "json" if app.wants_json else ""
    if history:
        if which is not None or lists:
            raise BadUsage(f"--history and {which or f'--{lists[0]}'} exclude each other")
        _print_history(app, limit=limit or DEFAULT_LIMIT, since=since, form=form)
        return
    if limit is not None or since is not None:
        raise BadUsage("--limit and --since go with --history")
    if csv and lists not in (("candidates",), ("rejected",)):
        raise BadUsage("--csv goes with one of --history, --candidates, --rejected")
    store = app.open_for_reading()
    view = _load_view(store, which, rejected=rejected)
    if lists in ((), ("explain",)):
        lists = ("trade" if which is not None and which.strip()[:1] in ("T", "t") else "run", *lists)
    _print_run(app, store, view, lists, form=form)


def _print_history(app: App, *, limit: int, since: "date | None", form: str) -> None:
    is_json = form == "json"
    rows = () if is_json and not app.has_store else app.open_for_reading().history.summaries(limit=limit, since=since)
    if is_json:
        from spy32.render.run_documents import HISTORY, History

        print_document(app, HISTORY, History(runs=tuple(rows)))
    elif form == "csv":
        from spy32.domain.runs import RunSummary
        from spy32.render.csvs import csv_table

        write_text(app, csv_table(RunSummary, rows))
    else:
        from spy32.render.menu_pages import history_page

        print_page(app, history_page(rows))


def _print_run(app: App, store: "Store", view: "RunView", lists: tuple[str, ...], *, form: str) -> None:
    raw = _load_raw(store, view) if "raw" in lists else None
    if form == "json":
        from spy32.render.documents import emit
        from spy32.render.run_documents import run_document

        emit(app.out, run_document(view, raw=raw, rejected="rejected" in lists))
    elif form == "csv":
        from spy32.domain.spreads import RejectedSpread
        from spy32.render.csvs import candidates_csv, csv_table
        from spy32.render.explain import chosen_candidate_id

        if lists[0] == "rejected":
            text = csv_table(RejectedSpread, view.menu.dropped if view.menu is not None else ())
        else:
            text = candidates_csv(view.menu, chosen_candidate_id(view))
        write_text(app, text)
    else:
        for name in lists:
            print_page(app, _named_page(name, app, store, view, raw))


def latest_run_page(app: App, store: "Store") -> "Page":
    """The screen of the latest run; `BadUsage` when there is none."""
    return _named_page("run", app, store, _load_view(store, None, rejected=False), None)


def _named_page(name: str, app: App, store: "Store", view: "RunView", raw: "RawTexts | None") -> "Page":
    match name:
        case "run":
            from spy32.render.pages import run_page

            return run_page(view, now=app.clock(), also=_other_open_proposals(store, view))
        case "trade":
            from spy32.ops.open_trades import trade_time
            from spy32.render.pages import trade_page

            assert view.trade is not None
            number = view.trade.id
            life = replace(view, marks=store.marks.select(number), closes=store.proposals.select_closes(number))
            at = trade_time(store, view.trade, app.clock())
            return trade_page(life, view.trade, now=at, result=store.results.get(number))
        case "full":
            from spy32.render.full_page import full_page

            rows: tuple[Attribution, ...] = ()
            if view.trade is not None:
                from spy32.review.attribution import attributions

                rows = attributions(store, view.trade)
            return full_page(view, now=app.clock(), also=_other_open_proposals(store, view), attribution=rows)
        case "explain":
            from spy32.render.explain import chosen_candidate_id
            from spy32.render.glossary import glossary_page

            return glossary_page(view.menu.find(chosen_candidate_id(view)) if view.menu is not None else None)
        case "raw":
            from spy32.render.raw_page import raw_page

            assert raw is not None
            return raw_page(view, raw)
        case _:
            from spy32.render import menu_pages

            pages = {
                "candidates": menu_pages.candidates_page,
                "rejected": menu_pages.rejected_page,
                "quality": menu_pages.quality_page,
            }
            return pages[name](view)


def _load_view(store: "Store", typed: str | None, *, rejected: bool) -> "RunView":
    """The view of the run that was meant, with the proposal or trade that was meant."""
    if typed is None:
        latest = store.runs.latest()
        if latest is None:
            raise BadUsage("there is no run yet; `spy32 analyze` makes the first one")
        return store.history.view(latest.id, rejected=rejected)
    letter, number = parse_id(typed, "RPT", "a run, a proposal or a trade; such ids look like R31, P31 and T31")
    if letter == "R":
        return store.history.view(number, rejected=rejected)
    if letter == "P":
        proposal = store.proposals.get(number)
        view = store.history.view(proposal.run_id, rejected=rejected)
        is_shown = view.proposal is not None and view.proposal.id == number
        return view if is_shown else view_with_proposal(store, view, proposal)
    trade = store.trades.get(number)
    view = store.history.view(trade.run_id, rejected=rejected)
    if view.trade is not None and view.trade.id == number:
        return view
    return replace(view, trade=trade, marks=store.marks.select(number, newest=1))


def _other_open_proposals(store: "Store", view: "RunView") -> "tuple[Proposal, ...]":
    """Proposals of other runs that still wait, so that a newer run does not hide them."""

    open_proposals = store.proposals.select(ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.SENT)
    shown_id = view.proposal.id if view.proposal is not None else None
    return tuple(proposal for proposal in open_proposals if proposal.id != shown_id)


def _load_raw(store: "Store", view: "RunView") -> "RawTexts":
    """The texts of a run, without those of other models while its proposal is not decided."""
    from spy32.render.raw_texts import RawTexts, StoredAnswer

    run_id = view.run.id
    answers = tuple(
        StoredAnswer(
            role=answer.role, analyst=answer.recommendation.analyst, request=answer.request, response=answer.response
        )
        for answer in store.decisions.raw_answers(run_id)
        if not (view.hides_models and answer.role is AnswerRole.SHADOW and not answer.recommendation.is_of_rule)
    )
    attempts = tuple(
        call
        for call in store.model_calls.select_by_run(run_id)
        if not (view.hides_models and call.attempt.role is AnswerRole.SHADOW)
    )
    return RawTexts(answers=answers, attempts=attempts, documents=store.documents.summaries(run_id))
