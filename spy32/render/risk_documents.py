"""The document of `spy32 risk`."""

from typing import Annotated

from spy32.domain.book import BookPosition
from spy32.domain.spreads import Account
from spy32.ops.risk import NewTrade, RiskReport
from spy32.render import document_parts  # noqa: F401 - the part of greeks
from spy32.render.encoder import Key, Part
from spy32.rules.book_risk import ExpirationRisk, LimitUse, Rung, Shock, ShockResult

Part(LimitUse, "name used most room")
Part(Rung)
Part(ExpirationRisk)
Part(Shock)
Part(ShockResult, "kind=shock.kind move=shock.move vol=shock.vol result of_max_loss of_account")
Part(BookPosition, "id underlying side expiration quantity max_loss spot=market.spot marked_at=market.at")
_BOOK = "limits trade_room positions rungs largest_expiration=book.largest greeks shocks unmarked"
_ACCOUNT = Part(Account, "number=masked_number net_liquidation buying_power", called="RiskAccount")
Part(NewTrade, f"id trade=words open_max_loss=book.max_loss {_BOOK}", inner="book")
RISK = Part(
    RiskReport,
    f"mode at account account_note oldest_mark open_max_loss=book.max_loss not_held unmeasured {_BOOK} new_trade",
    inner="book",
    called="spy32.risk",
    account=Key(Annotated[Account, _ACCOUNT]),
)
