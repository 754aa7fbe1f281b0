"""Lists of feedback as it stood at an earlier instant, on what was known then."""

from dataclasses import replace
from typing import Any, NamedTuple

from services.api.figures.parameters import Filters
from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from services.api.registers.feedback_use_cases import DUE_ON, Reckoner, by_due_date
from services.api.registers.use_cases import asked_of
from shared.events.rules.registers import FEEDBACK
from shared.register_figures.store.tables import Question
from shared.registers.feedback.figures import FIGURE_SET
from shared.registers.measures import Counted, Known
from shared.search.store.feedback import FeedbackFilter, Mark


class FeedbackThen(NamedTuple):
    """Which feedback and as of when. ``order``: by what, and whether downwards."""

    asked: Filters
    chosen: FeedbackFilter
    order: tuple[str, bool]


async def read_page_then(
    context: Context, caller: Caller, wanted: FeedbackThen, after: Mark | None, *, limit: int
) -> tuple[dict[str, Any], Mark | None]:
    """As `read_page` of now; whom the key may see is a matter of now."""
    asked, chosen, (by, is_downwards) = wanted

    async def answer(question: Question) -> tuple[dict[str, Any], Mark | None]:
        world = question.world
        reckoner = Reckoner.of(world.almanac, world.today)
        is_seen = replace(question, scope=replace(question.scope, tree_on=world.today)).chooser()
        found = {
            known.code: known
            for known in world.records(FEEDBACK.name).values()
            if is_seen(Counted(known.code, known.agency, None, {})) and _is_chosen(known, chosen, reckoner)
        }
        if by == DUE_ON:
            owing = [(known.code, *known.facts["owes"]) for known in found.values() if known.facts["owes"]]
            codes, mark = by_due_date(owing, reckoner.terms, after, limit, is_downwards=is_downwards)
        else:
            codes, mark = _sorted(found, by, after, limit, is_downwards=is_downwards)
        items = [reckoner.item(found[code]) for code in codes]
        return {"items": items, "calendar_version": reckoner.calendar_version}, mark

    return await asked_of(context, caller, FIGURE_SET, asked, answer, in_full=True)


def _is_chosen(known: Known, chosen: FeedbackFilter, reckoner: Reckoner) -> bool:
    facts = known.facts
    told = (facts["kind"] or "unknown", facts["state"], facts["route"], facts["about_dossier"])
    wanted = (chosen.kind, chosen.state, chosen.route, chosen.about_dossier)
    return all(one is None or one == value for one, value in zip(wanted, told, strict=True)) and (
        chosen.is_overdue is None or chosen.is_overdue is (reckoner.is_overdue(known) is True)
    )


def _sorted(
    found: dict[str, Known], by: str, after: Mark | None, limit: int, *, is_downwards: bool
) -> tuple[list[str], Mark | None]:
    """The codes of a page, and the mark of the next one."""
    marks = sorted((Mark(known.facts.get(by) or "", code) for code, known in found.items()), reverse=is_downwards)
    if after is not None:
        marks = [mark for mark in marks if (mark < after if is_downwards else mark > after)]
    page = marks[:limit]
    return [mark.code for mark in page], page[-1] if len(marks) > limit else None
