"""Digitisation and post, docs/registers.md sections 3 and 6: what stands beside the papers of a dossier."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from tests.oracle.computation import Computation
from tests.oracle.log import local_date
from tests.oracle.registers.catalogue import entries, fact
from tests.oracle.registers.events import Told, after, by, first, last, named
from tests.oracle.registers.world import Counts, Unit, World

FIGURES = ("dossiers",)
RATES = {
    "dig.components": ("owed_with_file", "owed"),
    "dig.any": ("any", "dossiers"),
    "dig.full": ("full", "owing"),
    "dig.results": ("result", "document"),
    "dig.results.ended": ("result_ended", "document_ended"),
    "dig.both": ("both", "dossiers"),
    "dig.reuse": ("reuse", "dossiers"),
    "dig.store": ("store", "dossiers"),
}
IDENTITIES: tuple[tuple[str, tuple[str, ...]], ...] = ()

POST_FIGURES = ("requested", "delivered", "in_transit", "failed", "not_dispatched", "lost")
POST_RATES = {
    "post.in": ("new_postal", "new"),
    "post.in_allowed": ("new_postal_allowed", "new_allowed"),
    "post.out": ("returned_postal", "returned"),
    "post.out_allowed": ("returned_postal_allowed", "returned_allowed"),
    "post.both": ("in_and_out", "returned"),
}
POST_IDENTITIES = (("requested", ("delivered", "in_transit", "failed", "not_dispatched")),)


def codes(events: list[Told], *names: str) -> set[str]:
    return {event.data["component_code"] for event in named(events, *names)}


def with_file(events: list[Told]) -> set[str]:
    """'A component has a file if digitised, reused or submitted electronic.'"""
    electronic = {e.data["component_code"] for e in named(events, "submitted") if e.data["form"] == "electronic"}
    return codes(events, "digitised", "reused") | electronic


def owed(events: list[Told]) -> set[str]:
    """'Owed = submitted less exempt (… exempt `electronic` is the same thing said twice and removes nothing)'."""
    exempt = {e.data["component_code"] for e in named(events, "exempt") if e.data["reason"] != "electronic"}
    return codes(events, "submitted") - exempt


def result_links(dossier: Computation) -> bool:
    """'a result link of the last processed (rules.md 8) is a result file too'."""
    processed = [event for event in dossier.events if event.name == "processed"]
    return bool(processed) and any(one.get("url") for one in processed[-1].data.get("results") or ())


def result_file(events: list[Told], dossier: Computation) -> bool:
    """'A result has a file if result_issued with file and no later result_revoked of that code'."""
    for issued in named(events, "result_issued"):
        revoked = [e.data["result_code"] for e in named(after(events, issued), "result_revoked")]
        if issued.data.get("file") and issued.data["result_code"] not in revoked:
            return True
    return result_links(dossier)


def units(world: World, start: date, to: date) -> Iterator[Unit]:
    for code, dossier, day in world.new(start, to):
        events = world.records["component"].get(code, [])
        flags = (dossier.reception.data.get("flags") or {}) if dossier.reception and not events else {}
        files, due = with_file(events), owed(events)
        document = fact(world, dossier.procedure, day, "result_document", "result_is_document") is True
        result = result_file(events, dossier)
        any_file = bool(files) or flags.get("components_digitised") is True
        ended = dossier.end_kind == "processed"
        stored = [e for e in named(events, "reused") if e.data["source"] == "national_store"]
        counts: Counts = {
            "dossiers": 1,
            "owed": len(due),
            "owed_with_file": len(due & files),
            "any": int(any_file),
            "owing": int(bool(due)),
            "full": int(bool(due) and due <= files),
            "document": int(document),
            "result": int(document and result),
            "document_ended": int(document and ended),
            "result_ended": int(document and ended and result),
            "both": int(any_file and (result or not document)),
            "reuse": int(bool(named(events, "reused")) or flags.get("components_reused") is True),
            "store": int(bool(stored) or flags.get("from_national_store") is True),
        }
        yield Unit(code, dossier.agency, counts, world.keys_of_dossier(code))


# -------------------------------------------------------------------------------------------------------- post


def allowed(world: World, dossier: Computation, way: str) -> bool:
    """'only of procedures with post_in (catalogue on R)'; post_out likewise."""
    if dossier.received_at is None or dossier.procedure is None:
        return False
    return entries(world, local_date(dossier.received_at)).get(dossier.procedure, {}).get(way) is True


def post_units(world: World, start: date, to: date) -> Iterator[Unit]:
    for code, dossier, day in world.received():
        counts: Counts = {}
        postal = dossier.channel == "postal"
        if start <= day <= to:
            enters = int(allowed(world, dossier, "post_in"))
            counts |= {"new": 1, "new_postal": int(postal)}
            counts |= {"new_allowed": enters, "new_postal_allowed": enters * int(postal)}
        returned = next((event for event in dossier.events if event.name == "returned"), None)
        if returned is not None and start <= local_date(returned.time) <= to:
            leaves = int(allowed(world, dossier, "post_out"))
            out = int(returned.data["method"] == "postal")
            counts |= {"returned": 1, "returned_postal": out, "in_and_out": out * int(postal)}
            counts |= {"returned_allowed": leaves, "returned_postal_allowed": leaves * out}
        if counts:
            yield Unit(code, dossier.agency, counts, world.keys_of_dossier(code))
    for code, events in world.records["post"].items():
        request = first(events, "return_requested")
        if request is not None and start <= request.day <= to:
            counts = {"requested": 1, state_of_return(events, to): 1, "lost": int(is_lost(events, to))}
            yield Unit(code, world.agency_of_dossier(code), counts, world.keys_of_dossier(code))


def state_of_return(events: list[Told], to: date) -> str:
    """'by the last dispatched, delivered or failed by T'"""
    told = last(by(events, to), "dispatched", "delivered", "failed")
    if told is None:
        return "not_dispatched"
    return {"dispatched": "in_transit", "delivered": "delivered", "failed": "failed"}[told.name]


def is_lost(events: list[Told], to: date) -> bool:
    told = last(by(events, to), "dispatched", "delivered", "failed")
    return told is not None and told.name == "failed" and told.data["reason"] == "lost"
