"""Which agency has a record now, and which events say so: asked of each register in the same way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from shared.database.engine import DriverConnection
from shared.dossiers.rules.dossier import fold
from shared.events.cloudevents.decoding import ValidatedEvent
from shared.events.rules.registers import DOSSIER, Register
from shared.events.store import event_log, lookups, record_events
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store import records
from shared.projection.store.records import RecordStatus
from shared.vocabulary.events import DossierCode, Tenant


class Status(Protocol):
    @property
    def agency(self) -> str | None: ...
    @property
    def is_current(self) -> bool: ...


class Standings(Protocol):
    """What is asked of a register about its records."""

    @property
    def register(self) -> Register: ...

    async def statuses(self, connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> Mapping[str, Status]: ...

    async def histories(
        self, connection: DriverConnection, tenant: Tenant, codes: Iterable[str]
    ) -> Mapping[str, list[Any]]: ...

    async def agencies_if_absent(
        self, connection: DriverConnection, tenant: Tenant, codes: Sequence[str]
    ) -> Mapping[str, str | None]: ...

    def agency_of(self, code: str, history: list[Any]) -> str | None: ...

    def agency_in_code(self, code: str) -> str | None: ...


class _AsTold:
    """Records that are nowhere until an event of them is recorded."""

    async def agencies_if_absent(
        self,
        connection: DriverConnection,  # noqa: ARG002 - of others
        tenant: Tenant,  # noqa: ARG002
        codes: Sequence[str],
    ) -> Mapping[str, str | None]:
        """The agencies that records would have if nothing were recorded of them; from then on nothing is known of them."""
        return dict.fromkeys(codes)


class _Dossiers(_AsTold):
    register = DOSSIER

    async def statuses(self, connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> Mapping[str, Status]:
        found = await lookups.statuses(connection, tenant, map(DossierCode, codes))
        return dict[str, Status](found.items())

    async def histories(self, connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> Mapping[str, list[Any]]:
        found = await event_log.of_dossiers(connection, tenant, codes)
        return dict[str, list[Any]](found.items())

    def agency_of(self, code: str, history: list[Any]) -> str | None:
        return fold(DossierCode(code), history).agencies

    def agency_in_code(self, code: str) -> str | None:
        return code.partition("-")[0]


@dataclass(frozen=True, slots=True)
class _OfRegister(_AsTold):
    register: Register

    async def statuses(self, connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> Mapping[str, Status]:
        return await records.statuses(connection, tenant, self.register.name, codes)

    async def histories(self, connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> Mapping[str, list[Any]]:
        return await record_events.histories(connection, tenant, self.register.name, codes)

    def agency_of(self, code: str, history: list[Any]) -> str | None:
        return fold_record(PROJECTIONS[self.register.name], code, history).agency

    def agency_in_code(self, code: str) -> str | None:
        return None if self.register.agency_in_code is None else self.register.agency_in_code(code)


@dataclass(slots=True)
class _WithDossiers:
    """Of records that stand where their dossier does. ``told``: the dossiers that events of a request name, by record."""

    register: Register
    told: Mapping[str, str]
    _dossier_of: dict[str, str] = field(default_factory=dict)

    async def statuses(self, connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> Mapping[str, Status]:
        self._dossier_of.update(await self._dossiers(connection, tenant, list(codes)))
        found = await lookups.statuses(connection, tenant, map(DossierCode, self._dossier_of.values()))
        nowhere = RecordStatus(None, is_current=True)  # no event of that dossier came yet
        return {code: found.get(DossierCode(dossier), nowhere) for code, dossier in self._dossier_of.items()}

    async def _dossiers(self, connection: DriverConnection, tenant: Tenant, codes: Sequence[str]) -> Mapping[str, str]:
        if self.register.stands_with == "code":
            return {code: code for code in codes}
        histories = await record_events.histories(connection, tenant, self.register.name, codes)
        folded = {code: fold_record(PROJECTIONS[self.register.name], code, events) for code, events in histories.items()}
        return {
            **self.told,
            **{code: one.facts["dossier_code"] for code, one in folded.items() if one.facts.get("dossier_code")},
        }

    async def histories(self, connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> Mapping[str, list[Any]]:
        wanted = {code: DossierCode(self._dossier_of[code]) for code in codes}
        found = await event_log.of_dossiers(connection, tenant, wanted.values())
        return {code: found[dossier] for code, dossier in wanted.items() if dossier in found}

    async def agencies_if_absent(
        self, connection: DriverConnection, tenant: Tenant, codes: Sequence[str]
    ) -> Mapping[str, str | None]:
        """As of other records; those whose dossier an event of the request names would stand where that is."""
        if self.register.stands_with == "code":
            return dict.fromkeys(codes)
        named = {code: self.told[code] for code in codes if code in self.told}
        self._dossier_of = {code: one for code, one in self._dossier_of.items() if code not in codes} | named
        standings = await lookups.statuses(connection, tenant, map(DossierCode, named.values()))
        found = {code: standings[dossier] for code, one in named.items() if (dossier := DossierCode(one)) in standings}
        histories = await self.histories(connection, tenant, [code for code, one in found.items() if not one.is_current])
        agencies = {code: standing.agency for code, standing in found.items()}
        agencies |= {code: self.agency_of(code, history) for code, history in histories.items()}
        return {code: agencies.get(code) for code in codes}

    def agency_of(self, code: str, history: list[Any]) -> str | None:
        return fold(DossierCode(self._dossier_of[code]), history).agencies

    def agency_in_code(self, code: str) -> str | None:
        dossier = self._dossier_of.get(code)
        return None if dossier is None else dossier.partition("-")[0]


def standings_of(register: Register, told: Iterable[ValidatedEvent] = ()) -> Standings:
    """Where the records of a register stand; ``told``: the events of a request, which may be their first."""
    if register is DOSSIER:
        return _Dossiers()
    if register.stands_with is None:
        return _OfRegister(register)
    named: dict[str, str] = {}
    for new in told if register.stands_with == "data" else ():
        dossier = orjson.loads(new.event.data).get("dossier_code")
        if dossier is not None:
            named.setdefault(new.event.subject, dossier)
    return _WithDossiers(register, named)
