"""Rows of the portal's own list against what we sent: its list carries every field of the body, ``TraCuuHoSo`` five."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.dossiers.rules.applicant import NOBODY
from shared.dossiers.rules.dossier import fold
from shared.sync.portal.wire import Body, ProcedureNames, body_hash, dossier_body
from shared.vocabulary.events import DossierCode, Event, EventName


class NoNames:
    """Where a body is not sent, and names are not compared."""

    def procedure(self, code: str) -> ProcedureNames:  # noqa: ARG002 - the port's signature
        """None."""
        return ProcedureNames()

    def agency(self, code: str | None) -> str:
        """The code."""
        return code or ""

    def agency_facts(self, code: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """None."""
        return {}


_AT: Final = datetime(2020, 1, 1, tzinfo=UTC)
_CODE: Final = DossierCode("H51-200101-0001")
_DATA: Final = {"procedure_code": "1", "agency_code": "H51", "channel": "online"}
_RECEIVED: Final = Event(1, _AT, "s", "e", EventName.RECEIVED, _CODE, _AT, _DATA)

BODY_FIELDS: Final = tuple(dossier_body(fold(_CODE, [_RECEIVED]), NOBODY, NoNames()))
"""Every field of a body: each body has all of them."""


def held_hash(row: Mapping[str, Any]) -> bytes | None:
    """`body_hash` of what a row says that the portal holds; None: the list does not carry every field, nothing is known."""
    if any(name not in row for name in BODY_FIELDS):
        return None
    return body_hash({name: row[name] for name in BODY_FIELDS})


def differing_fields(body: Body, row: Mapping[str, Any]) -> list[str]:
    """The names of the fields in which a row is not ``body``; never a value."""
    return [name for name in BODY_FIELDS if row.get(name) != body[name]]
