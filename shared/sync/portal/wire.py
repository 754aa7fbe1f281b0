"""Dossiers and progress steps in the portal's own words (protocol, 4.2-4.5, 5, 11.3, 11.4). Vietnamese names live here only.

True data only: what is not known is sent as the empty string or list, never as something plausible. All scalars are
strings, an instant is ``yyyyMMddHHmmss`` of Asia/Ho_Chi_Minh. The same dossier always gives the same bytes.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import orjson

from shared.dossiers.rules.applicant import Applicant
from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.facts import ProgressStep, Supplement
from shared.dossiers.rules.folding import instant
from shared.dossiers.rules.lifecycle import PROGRESS_BEARING
from shared.sync.rules.portal_codes import (
    APPLICANT_KIND_CODES,
    CHANNEL_CODES,
    NOT_PAID_ONLINE,
    PAYMENT_CODES,
    RETURN_METHOD_CODES,
    STATUS_CODES,
    UNRECEIVED_STATUSES,
    ApplicantKind,
    Gateway,
    ReturnMethod,
)
from shared.sync.rules.retry import ErrorClass
from shared.vocabulary.events import Channel, Event, EventName, Status
from shared.vocabulary.local_time import LOCAL_ZONE

Body: TypeAlias = dict[str, Any]

LONGEST_OWNER_NAME: Final = 500
LONGEST_OFFICER: Final = 50

SUBMITTED_LOCALLY: Final = "2"
"""``NoiNopHoSo``: a local system; what 1 means is not known for certain."""

STEP_TEXTS: Final[Mapping[EventName, str]] = {
    EventName.SUBMITTED: "Nộp hồ sơ",
    EventName.RECEIVED: "Tiếp nhận hồ sơ",
    EventName.PAYMENT_REQUESTED: "Yêu cầu thực hiện nghĩa vụ tài chính",
    EventName.PAID: "Đã thực hiện nghĩa vụ tài chính",
    EventName.SUPPLEMENT_REQUESTED: "Yêu cầu bổ sung hồ sơ",
    EventName.SUPPLEMENTED: "Đã bổ sung hồ sơ",
    EventName.ASSIGNED: "Phân công xử lý",
    EventName.TRANSFERRED: "Chuyển hồ sơ đến cơ quan khác",
    EventName.EXTENDED: "Xin lỗi và hẹn lại ngày trả kết quả",
    EventName.WITHDRAWN: "Công dân rút hồ sơ",
    EventName.REJECTED: "Từ chối tiếp nhận hồ sơ",
    EventName.STOPPED: "Dừng xử lý hồ sơ",
    EventName.PROCESSED: "Đã xử lý xong",
    EventName.RETURNED: "Đã trả kết quả",
}
"""``NoiDungXuLy``: a fixed text for each kind of step; free text of events may hold personal data."""

_CITIZEN_IDENTITIES: Final = (
    ("1", frozenset({"cccd", "1"}), re.compile(r"[0-9]{12}")),
    ("2", frozenset({"cmnd", "2"}), re.compile(r"[0-9]{9}")),
)
"""``LoaiDinhDanh``: code, what ``id_type`` may call it, and the shape of the number. The portal has no code for others."""


@dataclass(frozen=True, slots=True)
class ProcedureNames:
    """What the portal wants to read of a procedure; empty where unknown."""

    name: str = ""
    field: str = ""
    field_name: str = ""
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Names(Protocol):
    """Names for codes, from our catalogue or the portal's own; the answer is remembered, it costs no call."""

    def procedure(self, code: str) -> ProcedureNames:
        """The names of a procedure, empty when nobody knows them."""

    def agency(self, code: str | None) -> str:
        """The name of an agency, else its code; of the tenant's root for None."""

    def agency_facts(self, code: str | None) -> Mapping[str, str]:
        """What the catalogue knows of an agency beside its name: a field of the portal reads it by its name there."""


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A dossier that cannot be put in the portal's words without inventing something."""

    kind: ErrorClass
    detail: str


class StepMessage(NamedTuple):
    """One progress step. ``happened_at`` has the portal's resolution of a second; ``staff`` is '' where none is named."""

    event: Event
    happened_at: datetime
    status: int
    staff: str
    agency_code: str | None


def demand_total_tables() -> None:
    """Refuse to begin with a value of ours that has no code there: it would be sent as nothing, or fail in the middle.

    Raises:
        LookupError: such a value, with its table.
    """
    tables: list[tuple[str, Mapping[Any, str], Iterable[Any]]] = [
        ("TrangThaiHoSo", STATUS_CODES, Status),
        ("KenhThucHien", CHANNEL_CODES, Channel),
        ("LoaiDoiTuong", APPLICANT_KIND_CODES, ApplicantKind),
        ("HinhThuc", RETURN_METHOD_CODES, ReturnMethod),
        ("DuocThanhToanTrucTuyen", PAYMENT_CODES, Gateway),
        ("NoiDungXuLy", STEP_TEXTS, PROGRESS_BEARING),
    ]
    for name, table, values in tables:
        for value in values:
            if not table.get(value):
                raise LookupError(f"{name}: no code for {value}")


def unsendable(dossier: Dossier) -> Unsendable | None:
    """Why the portal cannot be sent this dossier (protocol, 11.4: what cannot be absent), or None."""
    if dossier.status is None:
        return Unsendable(ErrorClass.NO_STATUS, "TrangThaiHoSo: no event gives a status")
    if dossier.procedure_code is None:
        return Unsendable(ErrorClass.NO_PROCEDURE, "MaTTHC: neither submitted nor received is known")
    if dossier.received_at is None and dossier.status not in UNRECEIVED_STATUSES:
        detail = f"NgayTiepNhan: status {dossier.status.value} needs a reception, none is known"
        return Unsendable(ErrorClass.NOT_RECEIVED, detail)
    return None


def local_text(at: datetime | None) -> str:
    """``yyyyMMddHHmmss`` of Vietnamese wall-clock time, '' for none. Fractions of a second are cut off."""
    if at is None:
        return ""
    # a dossier has a dozen of them: twice as fast as by a format
    text = at.astimezone(LOCAL_ZONE).isoformat()
    return text[:4] + text[5:7] + text[8:10] + text[11:13] + text[14:16] + text[17:19]


def dossier_body(dossier: Dossier, applicant: Applicant, names: Names) -> Body:
    """An item of ``DongBoHoSoMC``; the dossier must not be `unsendable`.

    Raises ValueError, KeyError or OverflowError for data that the validation of the edge would not have let in.
    """
    assert dossier.status is not None
    assert dossier.procedure_code is not None
    procedure = names.procedure(dossier.procedure_code)
    flags = dossier.flags
    payment = dossier.payment
    method = dossier.return_method
    return {
        "MaHoSo": dossier.code,
        "MaTTHC": dossier.procedure_code,
        "TenTTHC": procedure.name,
        "MaLinhVuc": procedure.field,
        "TenLinhVuc": procedure.field_name,
        "KenhThucHien": "" if dossier.channel is None else CHANNEL_CODES[dossier.channel],
        "ChuHoSo": (applicant.name or "")[:LONGEST_OWNER_NAME],
        "LoaiDoiTuong": _applicant_kind(dossier.applicant_event),
        "MaDoiTuong": "",
        "ThongTinKhac": "",
        "Email": applicant.email or "",
        "SoDienThoai": applicant.phone or "",
        "Fax": "",
        "TrichYeuHoSo": "",
        "NgayTiepNhan": local_text(dossier.received_at),
        "NgayHenTra": local_text(dossier.promised_at),
        "TrangThaiHoSo": STATUS_CODES[dossier.status],
        "NgayTra": local_text(dossier.returned_at),
        "ThongTinTra": "",
        "HinhThuc": "" if method is None else RETURN_METHOD_CODES[ReturnMethod(method)],
        "NgayKetThucXuLy": local_text(dossier.ended_at),
        "DonViXuLy": names.agency(dossier.agency_code),
        "GhiChu": "",
        "NoiNopHoSo": SUBMITTED_LOCALLY,
        "HoSoCoThanhPhanSoHoa": _flag(flags.components_digitised),
        "TaiKhoanDuocXacThucVoiVNeID": _flag(flags.vneid_verified),
        "DuocLayTuKhoDMQG": _flag(flags.from_national_store),
        "DuocThanhToanTrucTuyen": NOT_PAID_ONLINE if payment is None else PAYMENT_CODES[Gateway(payment.gateway)],
        "NgayTuChoi": local_text(dossier.rejected_at),
        "DinhDanhCHS": _identities(applicant),
        "NgayNopHoSo": local_text(dossier.submitted_at or dossier.received_at),
        "DSKetNoiCSDL": [],
        "TaiLieuNop": [],
        "DanhSachLePhi": [
            {
                "TenPhiLePhi": fee.name,
                "MaPhiLePhi": fee.code,
                "HinhThucThu": "",
                "Gia": str(fee.amount_vnd),
                "LoaiPhiLePhi": "",
            }
            for fee in dossier.fees
        ],
        "DanhSachTepDinhKemKhac": [],
        "DanhSachHoSoBoSung": [_supplement(supplement) for supplement in dossier.supplements],
        "DanhSachGiayToKetQua": [
            {
                "TenGiayTo": "",
                "MaThanhPhanHoSo": "",
                "GiayToId": "",
                "DuongDanTepTinKetQua": result.url or "",
                "MaGiayToKetQua": result.code,
            }
            for result in dossier.results
        ],
    }


def body_hash(body: Body) -> bytes:
    """SHA-256 over the body as JSON with sorted keys: equal bodies, equal hashes."""
    return sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


def personal_texts(body: Body) -> tuple[str, ...]:
    """The personal data in a body, to be struck out of whatever the portal says about it."""
    texts = [body["ChuHoSo"], body["Email"], body["SoDienThoai"]]
    texts.extend(identity["SoDinhDanh"] for identity in body["DinhDanhCHS"])
    return tuple(text for text in texts if text)


def step_messages(dossier: Dossier) -> list[StepMessage]:
    """The progress steps in fold order, each natural key once.

    One before any status (transferred or extended at the very beginning) has no ``TrangThai`` and is none for the portal.
    ``agency_code`` is the agency that had the dossier then.
    """
    messages: dict[tuple[datetime, int, str], StepMessage] = {}
    agency_code: str | None = None
    received = transferred = False
    for step in dossier.steps:
        if step.name is EventName.TRANSFERRED:
            agency_code, transferred = step.event.data["agency_code"], True
        elif step.name in _TAKES_IN and not transferred and not received:
            agency_code = step.event.data["agency_code"]
            received = step.name is EventName.RECEIVED
        if step.status is None:
            continue
        message = _step_message(step, step.status.value, agency_code)
        messages.setdefault((message.happened_at, message.status, message.staff), message)
    return list(messages.values())


_TAKES_IN: Final = frozenset({EventName.SUBMITTED, EventName.RECEIVED})


def _step_message(step: ProgressStep, status: int, agency_code: str | None) -> StepMessage:
    happened_at = step.time.astimezone(UTC).replace(microsecond=0)
    return StepMessage(step.event, happened_at, status, (step.officer or "")[:LONGEST_OFFICER], agency_code)


def officer_text(message: StepMessage, names: Names) -> str:
    """``NguoiXuLy``: the officer's code, else the name of the agency that had the dossier then, cut at 50."""
    return message.staff or names.agency(message.agency_code)[:LONGEST_OFFICER]


def step_body(message: StepMessage, officer: str) -> Body:
    """An item of ``CapNhatTienDoHoSoMC``; ``officer`` is `officer_text` as it was when the step was first sent."""
    data = message.event.data
    due_at = data.get("step_due_at")
    return {
        "MaHoSo": message.event.dossier_code,
        "NguoiXuLy": officer,
        "ChucDanh": "",
        "ThoiDiemXuLy": local_text(message.happened_at),
        "PhongBanXuLy": data.get("department") or "",
        "NoiDungXuLy": STEP_TEXTS[message.event.name],
        "TrangThai": str(message.status),
        "NgayBatDau": "",
        "NgayKetThucTheoQuyDinh": "" if due_at is None else local_text(instant(due_at)),
    }


STATUS_FIELD: Final = "TrangThaiHoSo"

LOOKED_UP: Final[Mapping[str, str]] = {
    STATUS_FIELD: "TRANGTHAIHOSO",
    "NgayTiepNhan": "NGAYTIEPNHAN",
    "NgayHenTra": "NGAYHENTRA",
    "NgayKetThucXuLy": "NGAYKETTHUCXULY",
    "NgayTra": "NGAYTRA",
}
"""What ``TraCuuHoSo`` tells of a dossier: our body's field, and the answer's."""


def differences(body: Body, held: Mapping[str, Any]) -> list[str]:
    """The fields in which a row of ``TraCuuHoSo`` differs from ours; one that it leaves out does not."""
    return [ours for ours, theirs in LOOKED_UP.items() if theirs in held and str(held[theirs] or "") != body[ours]]


def held(item: Mapping[str, Any]) -> tuple[str, frozenset[tuple[str, str, str]] | None] | None:
    """A row of the portal's own list: code and natural keys of its steps (None: it has none); None: no such row."""
    code, progress = item.get("MaHoSo"), item.get("progress")
    if not isinstance(code, str):
        return None
    if not isinstance(progress, list) or not all(isinstance(step, dict) for step in progress):
        return code, None
    return code, frozenset((str(s["ThoiDiemXuLy"]), str(s["TrangThai"]), str(s["NguoiXuLy"])) for s in progress)


def step_key(happened_at: datetime, status: int, officer: str) -> tuple[str, str, str]:
    """The natural key of a step as the portal's own list has it."""
    return local_text(happened_at), str(status), officer


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _applicant_kind(event: Event | None) -> str:
    if event is None:
        return ""
    kind = event.data["applicant"].get("kind")
    return "" if kind is None else APPLICANT_KIND_CODES[ApplicantKind(kind)]


def _identities(applicant: Applicant) -> list[dict[str, str]]:
    number = applicant.id_number
    if number is None:
        return []
    id_kind = None if applicant.id_type is None else applicant.id_type.strip().lower()
    for code, names, shape in _CITIZEN_IDENTITIES:
        if (id_kind is None or id_kind in names) and shape.fullmatch(number):
            return [{"LoaiDinhDanh": code, "SoDinhDanh": number}]
    return []


def _supplement(supplement: Supplement) -> dict[str, Any]:
    requested, completed = supplement.requested, supplement.completed
    return {
        # the log position is a number that is ours, unique and never changes
        "HoSoBoSungId": str(requested.position),
        "NguoiYeuCauBoSung": requested.data.get("officer") or "",
        "NoiDungBoSung": requested.data["content"],
        "NgayBoSung": local_text(requested.time),
        "NguoiTiepNhanBoSung": "" if completed is None else completed.data.get("officer") or "",
        "ThongTinTiepNhan": "",
        "NgayTiepNhanBoSung": "" if completed is None else local_text(completed.time),
        "TrangThaiBoSung": _flag(completed is not None),
        "DanhSachGiayToBoSung": [],
        "DanhSachLePhiBoSung": [],
        "NgayHenTraTruoc": local_text(supplement.promised_before),
        "NgayHenTraMoi": "" if completed is None else local_text(supplement.promised_after),
    }


def envelope(service: str, session: str, unit: str, fields: Mapping[str, Any]) -> Body:
    """The flat object that every service call is (protocol, section 3)."""
    return {"session": session, "madonvi": unit, "service": service, **fields}


def login_body(username: str, password: str) -> Body:
    """The body of a login (protocol, section 2)."""
    return {"username": username, "password": password}


def procedure_names(rows: list[Mapping[str, Any]]) -> ProcedureNames | None:
    """What ``LayThuTuc`` tells of a procedure; None if the portal does not know it."""
    if not rows:
        return None
    row = rows[0]
    fields = row.get("LINHVUCTHUCHIEN") or [{}]
    text: Callable[[Any], str] = lambda value: value if isinstance(value, str) else ""  # noqa: E731
    return ProcedureNames(text(row.get("TENTTHC")), text(fields[0].get("MALINHVUC")), text(fields[0].get("TENLINHVUC")))


class Service:
    """The services that we call (protocol, section 3)."""

    DOSSIERS: Final = "DongBoHoSoMC"
    PROGRESS: Final = "CapNhatTienDoHoSoMC"
    LOOKUP: Final = "TraCuuHoSo"
    PROCEDURE: Final = "LayThuTuc"
