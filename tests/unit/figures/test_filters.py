"""Whatever carries a scope carries every filter: the fields of one class are the filters everywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest

from services.api.figures.parameters import ScopeParameters
from services.api.figures.schemas import ScopeOut, link_answer, scope_answer
from services.api.reports.frozen_schemas import FreezeIn
from shared.access.store.visibility import Access
from shared.catalogue.rules.agency_tree import AgencyCatalogue
from shared.catalogue.store.catalogues import Catalogue
from shared.figures.rules.filters import FILTERS, DossierFilters, given_filters
from shared.figures.store.tables import FigureScope
from shared.vocabulary.events import Channel, Tenant
from shared.vocabulary.periods import Period

DAY = date(2026, 3, 31)
EACH = {"field": "G15-HT05", "procedure": "1.001193", "channel": Channel.ONLINE, "receiving_agency": "H51.12"}


def scope_of(filters: DossierFilters) -> FigureScope:
    catalogue = Catalogue(AgencyCatalogue(Tenant("H51"), ()), {}, ())
    return FigureScope(
        access=Access.of(catalogue, None, DAY), period=Period(DAY, DAY), tree_on=DAY, **given_filters(filters)
    )


def test_every_filter_has_a_value_here() -> None:
    assert set(EACH) == set(FILTERS)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_asked_answered_linked_and_narrows(name: str) -> None:
    filters = DossierFilters(**{name: EACH[name]})
    scope = scope_of(filters)
    assert {name} <= set(ScopeParameters.model_fields) & set(FreezeIn.model_fields) & set(ScopeOut.model_fields)
    answered = scope_answer("H51", scope, DAY)
    assert ScopeOut.model_validate(answered).model_dump() == answered
    assert set(answered) == {"agency", *FILTERS, "tree_on"}
    assert parse_qs(urlsplit(link_answer(scope, "/x")).query)[name] == [EACH[name]]
    assert (filters.is_narrowed, scope.is_narrowed) == (True, True)
    assert DossierFilters.read({name: str(EACH[name])}) == filters


def test_what_was_kept_before_a_filter_came_had_none() -> None:
    assert DossierFilters.read({}) == DossierFilters()
    assert not DossierFilters().is_narrowed
    assert not replace(scope_of(DossierFilters()), agency=None).is_narrowed
