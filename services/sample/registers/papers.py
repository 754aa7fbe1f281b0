"""What else belongs to a dossier of the second sample: components and results, post, and the survey after it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from services.sample.registers.dossiers import Dossier
from services.sample.registers.envelopes import EventWriter

_COMPONENTS_EVERY: Final = 3
_SURVEY_EVERY: Final = 12
_SOURCES: Final = ("national_store", "local_store", "database", "earlier_result")
_CHANNELS: Final = ("paper", "device", "online")
_FAILURES: Final = {17: "absent", 60: "address", 90: "lost"}
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)


def component_events(writer: EventWriter, dossier: Dossier) -> Iterator[dict[str, Any]]:
    """One dossier in three has papers: one handed in, one shown only, one taken from a store, and a result with a file."""
    place, rest = divmod(dossier.number, _COMPONENTS_EVERY)
    if rest:
        return
    code, at = dossier.code, dossier.received_at + _MINUTE
    form = "electronic" if dossier.channel == "online" else "paper"
    yield writer.write("component.submitted", code, at, component_code="TP01", form=form)
    yield writer.write("component.submitted", code, at, component_code="TP02", form="paper")
    yield writer.write("component.exempt", code, at + _MINUTE, component_code="TP02", reason="shown_only")
    if form == "paper" and place % 5:
        file = f"urn:mau:kho:{code}:TP01"
        yield writer.write("component.digitised", code, at + 2 * _MINUTE, component_code="TP01", file=file)
    if place % 4 == 0:
        source = _SOURCES[place // 4 % len(_SOURCES)]
        yield writer.write("component.submitted", code, at, component_code="TP03", form="paper")
        yield writer.write("component.reused", code, at + 3 * _MINUTE, component_code="TP03", source=source)
    if dossier.ended_at is not None:
        file = f"urn:mau:kho:{code}:KQ01"
        yield writer.write(
            "component.result_issued", code, dossier.ended_at + _MINUTE, result_code="KQ01", file=file, signed=True
        )
        if place % 500 == 1:
            yield writer.write(
                "component.result_revoked", code, dossier.ended_at + _DAY, result_code="KQ01", reason="Cấp nhầm mẫu"
            )


def post_events(writer: EventWriter, dossier: Dossier, place: int) -> Iterator[dict[str, Any]]:
    """There and back of a dossier that came by post, the ``place``-th of them."""
    code, item = dossier.code, f"EA{place:06d}VN"
    at = dossier.received_at
    yield writer.write("post.collected", code, at - 20 * timedelta(hours=1), item_no=item, fee_vnd=26_000)
    yield writer.write("post.handed_over", code, at - 5 * _MINUTE, item_no=item)
    yield writer.write("post.return_requested", code, at, address=f"Ấp Mẫu {place}, Xã Mẫu")
    if dossier.ended_at is None or place % 25 == 0:  # not dispatched
        return
    back, sent_at = f"EB{place:06d}VN", dossier.ended_at + timedelta(hours=1)
    yield writer.write("post.dispatched", code, sent_at, item_no=back)
    failure = next((reason for every, reason in _FAILURES.items() if place % every == 1), None)
    if failure is not None:
        yield writer.write("post.failed", code, sent_at + 2 * _DAY, item_no=back, reason=failure)
    elif place % 30:  # else it is on its way
        yield writer.write("post.delivered", code, sent_at + 2 * _DAY, item_no=back, received_by_proxy=place % 6 == 0)


def survey_events(writer: EventWriter, dossier: Dossier) -> Iterator[dict[str, Any]]:
    """A sheet about one ended dossier in twelve."""
    place, rest = divmod(dossier.number, _SURVEY_EVERY)
    if rest or dossier.ended_at is None:
        return
    is_unhappy = dossier.is_late or place % 29 == 0
    overall = "not_satisfied" if is_unhappy else "satisfied" if place % 3 == 0 else "very_satisfied"
    yield writer.write(
        "survey.submitted",
        f"PKS-{dossier.ended_at:%Y}-{place:05d}",
        dossier.ended_at + timedelta(minutes=40),
        dossier_code=dossier.code,
        agency_code=dossier.agency,
        officer=f"CB-{dossier.agency.replace('.', '')}-1",
        channel=_CHANNELS[place % len(_CHANNELS)],
        overall=overall,
        answers={"3": 1 if is_unhappy else 2, "4": 2 if place % 5 else 1},
        comment="Chờ lâu" if is_unhappy else None,
    )
