from itertools import permutations

from shared.dossiers.rules.voids import effective_events, fold_key, in_fold_order, void_problems
from shared.vocabulary.voids import absent_void_targets
from tests.support.histories.history import due_set, ids, logged, received, void, void_of

RECEIVED = received()


def test_fold_order_is_time_then_rank_then_source_then_id():
    late = logged("submitted", "13 08:00", "z")
    ranked = [logged("submitted", "12 08:00", "z"), logged("received", "12 08:00", "a")]
    sourced = [logged("rated", "12 08:00", "z", source="A"), logged("rated", "12 08:00", "a", source="a")]
    named = [logged("rated", "12 08:00", "B", source="b"), logged("rated", "12 08:00", "b", source="b")]
    wanted = [*ranked, *sourced, *named, late]
    for order in permutations(wanted):
        assert in_fold_order(order) == wanted


def test_strings_are_ordered_as_utf_8_bytes():
    # in UTF-16 the astral one comes first
    ligature, emoji = logged("rated", "12 08:00", "ﬀ"), logged("rated", "12 08:00", "😀")
    assert "ﬀ".encode() < "😀".encode()
    assert fold_key(ligature) < fold_key(emoji)


def test_a_void_takes_out_the_event_it_names_whatever_its_time():
    assigned = logged("assigned", "13 08:00", "a")
    early = void(assigned, "01 08:00")
    assert ids(effective_events([early, RECEIVED, assigned])) == ["r"]
    assert ids(effective_events([RECEIVED, assigned, void(assigned)])) == ["r"]


def test_the_same_id_of_another_source_stays():
    mine, other = logged("assigned", "13 08:00", "a"), logged("assigned", "14 08:00", "a", source="t")
    assert effective_events([mine, other, void(mine)]) == [other]


def test_a_void_cannot_be_voided():
    assigned = logged("assigned", "13 08:00", "a")
    first = void(assigned, "14 08:00", "v1")
    second = void(first, "15 08:00", "v2")
    assert ids(effective_events([RECEIVED, assigned, first, second])) == ["r"]
    assert [(p.code, p.event_id) for p in void_problems([RECEIVED, assigned, first, second], ())] == [("void_of_void", "v2")]


def test_an_undone_void_is_the_event_sent_again_under_a_new_id():
    assigned, again = logged("assigned", "13 08:00", "a"), logged("assigned", "13 08:00", "a2")
    assert ids(effective_events([assigned, void(assigned), again])) == ["a2"]


def test_a_void_of_itself_is_a_void_of_a_void():
    own = void_of("s", "v", event_id="v")
    assert [p.code for p in void_problems([RECEIVED, own], ())] == ["void_of_void"]
    assert absent_void_targets([RECEIVED, own]) == frozenset()


def test_a_void_waits_for_an_event_that_is_missing_and_is_wrong_about_another_dossiers():
    waiting = void_of("s", "unheard", event_id="v1")
    elsewhere = void_of("s", "theirs", event_id="v2")
    events = [RECEIVED, waiting, elsewhere]
    assert absent_void_targets(events) == {("s", "unheard"), ("s", "theirs")}
    problems = void_problems(events, {("s", "theirs")})
    assert [(p.code, p.event_id) for p in problems] == [("void_waiting", "v1"), ("void_elsewhere", "v2")]
    assert ids(effective_events(events)) == ["r"]
    assert void_problems([*events, logged("assigned", "13 08:00", "unheard")], {("s", "theirs")}) == problems[1:]


def test_a_due_set_counts_only_while_the_event_it_follows_is_effective():
    supplemented = logged("supplemented", "13 08:00", "done")
    set_by_system = due_set("13 08:00", "20 17:00", supplemented, "d")
    assert "d" in ids(effective_events([RECEIVED, set_by_system, supplemented]))
    assert "d" not in ids(effective_events([RECEIVED, set_by_system, supplemented, void(supplemented)]))
    assert "d" not in ids(effective_events([RECEIVED, set_by_system]))
    assert "d" not in ids(effective_events([RECEIVED, set_by_system, supplemented, void(set_by_system)]))


def test_a_due_set_that_follows_nothing_counts_and_one_that_follows_a_due_set_hangs_on_it():
    free = due_set("13 08:00", "20 17:00", None, "d1")
    chained = due_set("14 08:00", "21 17:00", free, "d2")
    assert ids(effective_events([RECEIVED, free, chained])) == ["r", "d1", "d2"]
    assert ids(effective_events([RECEIVED, free, chained, void(free)])) == ["r"]
