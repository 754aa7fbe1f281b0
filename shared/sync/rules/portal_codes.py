"""Our words to the national portal's codes (portal protocol, 4.4 and 11.4), as tables.

A test proves each table total over its enum, so that no value of ours can reach the wire as an empty code by oversight.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.vocabulary.events import Channel, Status


class ApplicantKind(StrEnum):
    """Kinds of applicants (rules, section 2)."""

    CITIZEN = "citizen"
    BUSINESS = "business"
    AGENCY = "agency"
    ORGANISATION = "organisation"


class ReturnMethod(StrEnum):
    """How the result goes to the applicant (rules, section 2)."""

    ONLINE = "online"
    DIRECT = "direct"
    POSTAL = "postal"


class Gateway(StrEnum):
    """Where a fee was paid (rules, section 2)."""

    NATIONAL = "national"
    LOCAL = "local"
    COUNTER = "counter"


STATUS_CODES: Final[Mapping[Status, str]] = {status: str(status.value) for status in Status}
"""``TrangThaiHoSo`` and ``TrangThai``: the portal's own numbers are ours."""

CHANNEL_CODES: Final[Mapping[Channel, str]] = {Channel.DIRECT: "1", Channel.ONLINE: "2", Channel.POSTAL: "3"}
"""``KenhThucHien``."""

APPLICANT_KIND_CODES: Final[Mapping[ApplicantKind, str]] = {
    ApplicantKind.CITIZEN: "1",
    ApplicantKind.BUSINESS: "2",
    ApplicantKind.AGENCY: "3",
    ApplicantKind.ORGANISATION: "4",
}
"""``LoaiDoiTuong``; the ministry API next door counts from 0, the portal does not."""

RETURN_METHOD_CODES: Final[Mapping[ReturnMethod, str]] = {
    ReturnMethod.DIRECT: "0",
    ReturnMethod.ONLINE: "0",
    ReturnMethod.POSTAL: "1",
}
"""``HinhThuc``."""

PAYMENT_CODES: Final[Mapping[Gateway, str]] = {Gateway.NATIONAL: "1", Gateway.LOCAL: "2", Gateway.COUNTER: "0"}
"""``DuocThanhToanTrucTuyen`` of a succeeded payment; with none it is ``NOT_PAID_ONLINE``."""

NOT_PAID_ONLINE: Final = "0"

UNRECEIVED_STATUSES: Final = frozenset({Status.SUBMITTED, Status.NOT_RECEIVED})
"""The statuses for which the portal takes a dossier without a reception date (``NgayTiepNhan``)."""
