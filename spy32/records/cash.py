"""Cash of the account that our book follows, and of the paper broker's own."""

from typing import Literal

from spy32.records.base import WriteTransaction


def insert_cash(
    change: WriteTransaction, book: Literal["account", "paper"], amounts: dict[str, int], **source: int
) -> None:
    """Store amounts by their kind, in ten-thousandths of a dollar; `source` is the column of what moved them."""
    for kind, amount in amounts.items():
        if amount:
            change.insert("cash", book=book, kind=kind, amount_e4=amount, at=change.at, **source)
