"""What a key with an agency subtree may tell of agencies and their office hours: rows of its own subtree (decision 25).

Judged in the transaction that writes, after the tenant's other writers: by the catalogue and the tree of that moment. The
words of a refusal do not depend on whether a code outside the subtree exists.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from shared.access.rules.subtree_border import first_crossing
from shared.access.store.visibility import Access
from shared.calendar.rules.working_time import OfficeHours
from shared.calendar.store.office_hours import put_office_hours
from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyVersion
from shared.catalogue.store.catalogues import read_agencies, read_catalogue
from shared.catalogue.store.changes import CatalogueChange, begin_change, put_agencies
from shared.database.engine import DriverConnection
from shared.vocabulary.codes import present_form
from shared.vocabulary.errors import FieldError, Forbidden, InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant
from shared.vocabulary.local_time import local_date

_OUTSIDE: Final = "an agency inside the key's subtree"
_HOURS_OUTSIDE: Final = "an agency inside the key's subtree, with all agencies below it by code"
_ROOT: Final = "unchanged: the key's own agency keeps its parent, days and successors"
_CROSSING: Final = "a row that leaves everything outside the key's subtree as it is, on every day"
_REFUSED: Final = "the key has an agency subtree and tells rows of that subtree only"

_KEPT: Final = ("parent", "valid_from", "valid_to", "successors")
"""What gives a row its place: told as it is known, it may name what lies outside."""


async def put_own_agencies(
    connection: DriverConnection, tenant: Tenant, agency: AgencyCode, given: Sequence[AgencyVersion]
) -> CatalogueChange:
    """As `put_agencies` without ``replace``, for a key with the subtree of ``agency``. Roll back where it raises.

    Raises:
        Forbidden: with pointers into ``given``.
        InvalidInput: as `put_agencies`.
    """
    access = await _access(connection, tenant, agency)
    _refuse(foreign_agencies(access, given))
    try:
        change = await put_agencies(connection, tenant, given, replace=False)
    except InvalidInput as error:
        if all(one.pointer for one in error.errors):
            raise
        # it names a row that is not told here and may be a stranger's
        raise Forbidden(_REFUSED, [FieldError("", "crossing", _CROSSING)]) from error
    written = AgencyCatalogue(tenant, await read_agencies(connection, tenant))
    # beside the requests that are served meanwhile: in a large catalogue it takes a while
    _refuse(await asyncio.to_thread(crossing_agencies, access, written, given))
    return change


async def put_own_office_hours(
    connection: DriverConnection,
    tenant: Tenant,
    agency: AgencyCode,
    given: Sequence[tuple[AgencyCode, OfficeHours | None]],
) -> CatalogueChange:
    """As `put_office_hours` without ``replace``, for a key with the subtree of ``agency``.

    Raises:
        Forbidden: with pointers into ``given``.
    """
    _refuse(foreign_hours(await _access(connection, tenant, agency), [code for code, _ in given]))
    return await put_office_hours(connection, tenant, dict(given))


async def _access(connection: DriverConnection, tenant: Tenant, agency: AgencyCode) -> Access:
    """What the key sees once the tenant's other writers are done, by the database's clock."""
    now = await begin_change(connection, tenant)
    return Access.of(await read_catalogue(connection, tenant), agency, local_date(now))


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise Forbidden(_REFUSED, errors)


def foreign_agencies(access: Access, given: Sequence[AgencyVersion]) -> list[FieldError]:
    """The fields of ``given`` that name what the caller does not see now, and those that move its own root."""
    known: dict[AgencyCode, list[AgencyVersion]] = defaultdict(list)
    for version in access.catalogue.agencies.versions:
        known[version.code].append(version)
    errors: list[FieldError] = []
    for index, version in enumerate(given):
        kept = known[version.code]
        named = {f"aliases/{n}": alias for n, alias in enumerate(version.aliases) if not _is_alias(alias, kept)}
        if version.code == access.root:
            errors += _moved_root(f"/{index}", version, kept, [one for one in given if one.code == version.code])
        elif not any(_place(one) == _place(version) for one in kept):
            named |= {} if version.parent is None else {"parent": version.parent}
            named |= {f"successors/{n}": successor for n, successor in enumerate(version.successors)}
        named["code"] = version.code
        foreign = sorted(name for name, code in named.items() if not access.sees(code))
        # of a row that is not the caller's nothing more is told
        fields = ["code"] if "code" in foreign else foreign
        errors += [FieldError(f"/{index}/{name}", "outside", _OUTSIDE) for name in fields]
    return errors


def _is_alias(alias: str, kept: Sequence[AgencyVersion]) -> bool:
    return any(alias in version.aliases for version in kept)


def _place(version: AgencyVersion) -> tuple[object, ...]:
    return tuple(getattr(version, name) for name in _KEPT)


def _moved_root(
    pointer: str, version: AgencyVersion, kept: Sequence[AgencyVersion], given: Sequence[AgencyVersion]
) -> list[FieldError]:
    """What a row of the caller's own root changes of its place, or leaves out of its periods."""
    if {_place(one) for one in kept} == {_place(one) for one in given}:
        return []
    changed = [name for name in _KEPT if all(getattr(one, name) != getattr(version, name) for one in kept)]
    return [FieldError(f"{pointer}/{name}", "root_moved", _ROOT) for name in changed or ["code"]]


def crossing_agencies(access: Access, after: AgencyCatalogue, given: Sequence[AgencyVersion]) -> list[FieldError]:
    """The last line: the row by which the change to ``after`` would reach over the border of the caller's subtree."""
    crossing = first_crossing(access.catalogue.agencies, after, access.top, access.catalogue.named)
    if crossing is None:
        return []
    rows = {code: index for index, version in reversed([*enumerate(given)]) for code in (version.code, *version.aliases)}
    pointer = next((f"/{rows[code]}" for code in crossing.codes if code in rows), "")
    return [FieldError(pointer, "crossing", _CROSSING)]


def foreign_hours(access: Access, codes: Sequence[AgencyCode]) -> list[FieldError]:
    """The agencies whose office hours would count for some agency that the caller does not see.

    Hours go by code and count for all codes below: an agency there may stand elsewhere on the tree.
    """
    agencies = access.catalogue.agencies
    named = {alias for version in agencies.versions for alias in version.aliases}
    foreign = {present_form(code) for code in {*agencies.codes, *named, *access.catalogue.named} if not access.sees(code)}
    return [
        FieldError(f"/{index}/agency", "outside", _HOURS_OUTSIDE)
        for index, code in enumerate(codes)
        # the last is a code that nobody has told yet
        if not (access.sees(code) and access.sees(f"{code}.\x00")) or any(one.startswith(f"{code}.") for one in foreign)
    ]
