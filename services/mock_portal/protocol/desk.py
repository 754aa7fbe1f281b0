"""What the portal does with the dossiers and steps it is given: protocol sections 4, 5 and 11.1."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from services.mock_portal.protocol import codes, fields
from services.mock_portal.protocol.codes import ErrorCode, Text
from services.mock_portal.protocol.fields import InvalidFieldError
from services.mock_portal.settings import Limits
from services.mock_portal.storage.books import Books, Version
from services.mock_portal.storage.catalogue import Catalogue

_EXISTS: Final = "Hồ sơ {} đã tồn tại"
_UNKNOWN: Final = "Hồ sơ {} không tồn tại"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the portal, before it is written out."""

    code: ErrorCode
    message: str
    result: list[dict[str, Any]] | None = None
    session: str | None = None


@dataclass(slots=True)
class Twist:
    """What fault rules change in the handling of one call; the numbers are indexes of `data`."""

    rejected: dict[int, str] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    duplicates: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    strict_order: bool = False


@dataclass(frozen=True, slots=True)
class _Rejection:
    dossier: str
    code: ErrorCode
    message: str

    def row(self) -> dict[str, str]:
        return {"MAHOSO": self.dossier, "ERROR_CODE": self.code.value, "MESSAGE": self.message}


class _RejectedError(Exception):
    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def code_of(raw: Any) -> str:
    """Give the MaHoSo of an item as it came, or "" when it has none that can be shown."""
    found = raw.get("MaHoSo") if isinstance(raw, dict) else None
    return found[:200] if isinstance(found, str) else ""


def items_of(payload: dict[str, Any], limit: int) -> list[Any]:
    """Give `data`; raises `InvalidFieldError` when it is no list of 1 to `limit` items."""
    found = payload.get("data")
    if not isinstance(found, list) or not found:
        raise InvalidFieldError("bắt buộc, phải là danh sách không rỗng", "data")
    if len(found) > limit:
        raise InvalidFieldError(f"tối đa {limit} mục trong một lần gọi, nhận được {len(found)}", "data")
    return found


class Desk:
    """Accepts dossiers and steps into the books. Used by the writing thread alone."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        # F10 and F11 answer against the truth. The repeat they provoke must then go through, so the
        # portal sticks to what it said: an "existing" code may be updated, a "missing" one created.
        self._said_existing: set[str] = set()
        self._said_missing: set[str] = set()

    def clear(self) -> None:
        """Forget what F10 and F11 made the portal say."""
        self._said_existing.clear()
        self._said_missing.clear()

    def accept_dossiers(
        self,
        books: Books,
        payload: dict[str, Any],
        limits: Limits,
        twist: Twist,
        now_us: int,
    ) -> Answer:
        """Answer DongBoHoSoMC and store what is accepted."""
        try:
            updating = fields.updating(payload.get("isUpdating"))
        except InvalidFieldError as error:
            return Answer(ErrorCode.INVALID, f"isUpdating: {error.reason}")
        try:
            data = items_of(payload, limits.dossiers_per_call)
        except InvalidFieldError as error:
            return Answer(ErrorCode.INVALID, str(error))
        known = books.known(code_of(raw) for raw in data)
        statuses = {code: found.status for code, found in known.items()}
        accepted: list[Version] = []
        rejected: list[_Rejection] = []
        for index, raw in enumerate(data):
            try:
                version = self._dossier(raw, index, statuses, limits, twist, updating=updating)
            except _RejectedError as error:
                rejected.append(_Rejection(code_of(raw), error.code, error.message))
            else:
                if index not in twist.lost:
                    statuses[version.code] = version.status
                    accepted.append(version)
        if accepted and not (rejected and limits.strict_batch):
            madonvi = str(payload.get("madonvi"))
            books.put_versions(accepted, known, madonvi=madonvi, now_us=now_us)
            for version in accepted:
                self._said_existing.discard(version.code)
                self._said_missing.discard(version.code)
        return _answer(len(data), rejected, strict=limits.strict_batch)

    def accept_steps(
        self,
        books: Books,
        payload: dict[str, Any],
        limits: Limits,
        twist: Twist,
        now_us: int,
    ) -> Answer:
        """Answer CapNhatTienDoHoSoMC and store the steps that are accepted."""
        try:
            data = items_of(payload, limits.steps_per_call)
        except InvalidFieldError as error:
            return Answer(ErrorCode.INVALID, str(error))
        known = books.known(code_of(raw) for raw in data)
        per_dossier = Counter(code_of(raw) for raw in data)
        accepted: list[dict[str, Any]] = []
        rejected: list[_Rejection] = []
        for index, raw in enumerate(data):
            code = code_of(raw)
            too_many = per_dossier[code] > limits.steps_per_dossier
            try:
                step = _step(raw, index, twist, is_known=code in known)
            except _RejectedError as error:
                rejected.append(_Rejection(code, error.code, error.message))
            else:
                if too_many:
                    message = f"data: tối đa {limits.steps_per_dossier} bước của một hồ sơ trong một lần gọi"
                    rejected.append(_Rejection(code, ErrorCode.INVALID, message))
                elif index not in twist.lost:
                    accepted.append(step)
        if accepted and not (rejected and limits.strict_batch):
            books.put_steps(accepted, now_us=now_us)
        return _answer(len(data), rejected, strict=limits.strict_batch)

    def _dossier(
        self,
        raw: Any,
        index: int,
        statuses: dict[str, str],
        limits: Limits,
        twist: Twist,
        *,
        updating: bool,
    ) -> Version:
        """Check one dossier against the rules and what is held; raises `_RejectedError`."""
        if index in twist.rejected:
            raise _RejectedError(ErrorCode.INVALID, twist.rejected[index])
        try:
            found = fields.dossier(raw)
        except InvalidFieldError as error:
            raise _RejectedError(ErrorCode.INVALID, str(error)) from None
        if limits.insist_catalogue:
            self._agree_on_catalogue(found)
        code, status = found["MaHoSo"], found["TrangThaiHoSo"]
        held = statuses.get(code)
        self._agree_on_existence(code, index, twist, updating=updating, held=held is not None)
        backwards = held is not None and codes.is_backwards(held, status)
        if backwards and (limits.strict_order or twist.strict_order):
            message = f"TrangThaiHoSo: không được lùi từ {held} về {status}"
            raise _RejectedError(ErrorCode.BACKWARDS, message)
        return Version(code, status, found, updating, backwards)

    def _agree_on_catalogue(self, found: dict[str, Any]) -> None:
        procedure, field_code = found["MaTTHC"], found.get("MaLinhVuc")
        if not self._catalogue.has_procedure(procedure):
            raise _RejectedError(ErrorCode.INVALID, f"MaTTHC: không có trong danh mục: {procedure}")
        if field_code and not self._catalogue.has_field(field_code):
            raise _RejectedError(ErrorCode.INVALID, f"MaLinhVuc: không có trong danh mục: {field_code}")

    def _agree_on_existence(self, code: str, index: int, twist: Twist, *, updating: bool, held: bool) -> None:
        if updating:
            if index in twist.unknown:
                self._said_missing.add(code)
                raise _RejectedError(ErrorCode.UNKNOWN_DOSSIER, _UNKNOWN.format(code))
            if not held and code not in self._said_existing:
                raise _RejectedError(ErrorCode.UNKNOWN_DOSSIER, _UNKNOWN.format(code))
            return
        if index in twist.duplicates:
            self._said_existing.add(code)
            raise _RejectedError(ErrorCode.DUPLICATE, _EXISTS.format(code))
        if held and code not in self._said_missing:
            raise _RejectedError(ErrorCode.DUPLICATE, _EXISTS.format(code))


def _step(raw: Any, index: int, twist: Twist, *, is_known: bool) -> dict[str, Any]:
    if index in twist.rejected:
        raise _RejectedError(ErrorCode.INVALID, twist.rejected[index])
    try:
        found = fields.step(raw)
    except InvalidFieldError as error:
        raise _RejectedError(ErrorCode.INVALID, f"data[{index}].{error}") from None
    if not is_known:
        raise _RejectedError(ErrorCode.UNKNOWN_DOSSIER, _UNKNOWN.format(found["MaHoSo"]))
    return found


def _answer(items: int, rejected: list[_Rejection], *, strict: bool) -> Answer:
    if not rejected:
        return Answer(ErrorCode.SUCCESS, Text.SYNCED)
    result = [rejection.row() for rejection in rejected]
    if items == 1 or strict:
        # A call of one item has that item's code; so has a batch of which nothing was stored.
        return Answer(rejected[0].code, rejected[0].message, result)
    return Answer(ErrorCode.PARTIAL, f"{items - len(rejected)}/{items} mục được chấp nhận", result)
