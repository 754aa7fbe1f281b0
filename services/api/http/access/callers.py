"""Who may ask for what: the callers of operations, by what their keys may do."""

from typing import Annotated

from fastapi import Depends, Security

from services.api.http.access.auth import Caller, Permission, any_caller, requires, requires_whole_province

AnyCaller = Annotated[Caller, Security(any_caller)]
EventWriter = Annotated[Caller, Depends(requires(Permission.EVENTS_WRITE))]
DossierReader = Annotated[Caller, Depends(requires(Permission.DOSSIERS_READ))]
ApplicantReader = Annotated[Caller, Depends(requires(Permission.APPLICANTS_READ))]
StatsCaller = Annotated[Caller, Depends(requires(Permission.STATS_READ))]
SyncManager = Annotated[Caller, Depends(requires(Permission.SYNC_MANAGE))]
Admin = Annotated[Caller, Depends(requires(Permission.ADMIN))]

ProvinceAdmin = Annotated[Caller, Depends(requires_whole_province(Permission.ADMIN))]
"""For what belongs to no agency: audits, procedures, days off, dossiers that cannot be folded."""

ProvinceReader = Annotated[Caller, Depends(requires_whole_province(Permission.DOSSIERS_READ))]
"""The same to read: statements of gateways, reviews of procedures."""
