"""The rows of dossiers with a regular history, made by PostgreSQL from their events: the same as by the fold.

Most dossiers are received, worked on, perhaps postponed, and ended, each step as section 4 of the rules expects it. What
their steps come to is known by path (`shared.projection.rules.path_outcomes`, which folds each path once); instants, dates
and marks are picked out here, for any number of dossiers in one statement. Whatever is not regular - an anomaly, a second
request for supplements, a void, a date that came after lateness, a value that is not as it should be - is none of this
module's business: the fold decides. Property tests hold the two equal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.database.engine import DriverConnection
from shared.dossiers.rules.instant_facts import ONLINE_GATEWAYS, DossierMark
from shared.events.store.event_log import OF_DOSSIERS
from shared.projection.rules.path_outcomes import (
    ENDS,
    LONGEST_PATH,
    OTHER,
    PAID_STEP_SYMBOLS,
    SETTINGS,
    STEP_SYMBOLS,
    PathOutcome,
    path_outcome,
)
from shared.projection.store.dossier_rows import DossierRow, given_column_sql
from shared.vocabulary.codes import AGENCY_PAIR_MARK
from shared.vocabulary.events import SYSTEM_SOURCE, Channel, DossierCode, EventName, Tenant

MOST_PATH_OUTCOMES: Final = 2_000
"""So many regular paths are known at most; further ones are left to the fold."""
MOST_OTHERS: Final = 10_000
"""So many paths are remembered as not regular."""


def _symbol_sql(name: EventName) -> str:
    return f"'{STEP_SYMBOLS[name]}'"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


_PAID_OK: Final = f"'{PAID_STEP_SYMBOLS['succeeded']}'"
_STEP: Final = (
    "CASE name "
    + " ".join(f"WHEN '{name.value}' THEN '{symbol}'" for name, symbol in STEP_SYMBOLS.items())
    + f" WHEN '{EventName.PAID.value}' THEN CASE data->>'outcome' "
    + " ".join(f"WHEN '{outcome}' THEN '{symbol}'" for outcome, symbol in PAID_STEP_SYMBOLS.items())
    + f" ELSE '{OTHER}' END ELSE '{OTHER}' END"
)


def _data(alias: str, symbol: str) -> str:
    return f"(array_agg(data) FILTER (WHERE step = {symbol}))[1] AS {alias}"


def _time(alias: str, symbols: str) -> str:
    return f"max(time) FILTER (WHERE step IN ({symbols})) AS {alias}"


_DUE: Final = (
    f"CASE WHEN step IN ({_texts(SETTINGS)}) THEN"
    f" CASE step WHEN {_symbol_sql(EventName.RECEIVED)} THEN data->>'due_at' ELSE data->>'new_due_at' END END"
)
_MAY_BE_FOLLOWED: Final = ", ".join(
    _symbol_sql(name) for name in (EventName.RECEIVED, EventName.TAKEN_OVER, EventName.SUPPLEMENTED)
)
_MUST_DATE: Final = f"{_symbol_sql(EventName.DUE_SET)}, {_symbol_sql(EventName.EXTENDED)}"


def histories_sql(events: str) -> str:
    """SQL: a row a dossier, with its path and what is read of its events; ``events`` selects rows of the log."""
    return f"""
SELECT dossier_code AS code, count(*) AS events, max(position) AS position, max(recorded_at) AS recorded_at,
       string_agg(step, '') AS path, max(time) AS last_event_at,
       max(time) FILTER (WHERE source <> '{SYSTEM_SOURCE}') AS touched_at,
       {_time("received_at", _symbol_sql(EventName.RECEIVED))},
       {_time("taken_over_at", _symbol_sql(EventName.TAKEN_OVER))},
       {_time("ended_at", _texts(ENDS))},
       {_time("requested_at", _symbol_sql(EventName.SUPPLEMENT_REQUESTED))},
       {_time("supplemented_at", _symbol_sql(EventName.SUPPLEMENTED))},
       array_agg(time) FILTER (WHERE due IS NOT NULL) AS set_at,
       array_agg(due) FILTER (WHERE due IS NOT NULL) AS due_told,
       string_agg(step, '') FILTER (WHERE due IS NOT NULL) AS set_by,
       array_agg((data->'follows'->>'source') || ' ' || (data->'follows'->>'id'))
           FILTER (WHERE step = {_symbol_sql(EventName.DUE_SET)}) AS followed,
       array_agg(source || ' ' || id) FILTER (WHERE step IN ({_MAY_BE_FOLLOWED})) AS may_be_followed,
       bool_or(due IS NULL) FILTER (WHERE step IN ({_MUST_DATE})) AS lacks_date,
       {_data("received", _symbol_sql(EventName.RECEIVED))},
       {_data("transferred", _symbol_sql(EventName.TRANSFERRED))},
       {_data("fees", _symbol_sql(EventName.PAYMENT_REQUESTED))},
       {_data("paid", _PAID_OK)},
       {_data("processed", _symbol_sql(EventName.PROCESSED))},
       {_data("returned", _symbol_sql(EventName.RETURNED))},
       {_data("rated", _symbol_sql(EventName.RATED))}
FROM (
    SELECT *, {_DUE} AS due
    FROM (
        SELECT dossier_code, position, recorded_at, source, id, time, data, {_STEP} COLLATE "C" AS step
        FROM ({events}) AS log
        ORDER BY dossier_code, time, step
    ) AS ordered
) AS given
GROUP BY dossier_code"""


_DESK: Final = "received->>'receiving_agency_code'"
# codes of the old form, which begin with a digit, name the same agencies in other letters: the fold compares them
_READABLE_DESK: Final = f"""
(received->'receiving_agency_code' IS NULL OR (jsonb_typeof(received->'receiving_agency_code') = 'string'
     AND {_DESK} > 'A' AND received->>'agency_code' > 'A' AND (transferred->>'agency_code' > 'A') IS NOT FALSE))"""
_AGENCIES: Final = f"""
coalesce(transferred->>'agency_code', received->>'agency_code')
|| CASE WHEN {_DESK} <> received->>'agency_code' AND {_DESK} <> transferred->>'agency_code' IS NOT FALSE
        THEN '{AGENCY_PAIR_MARK}' || ({_DESK}) ELSE '' END"""

# Values as they must be for the fold to read them; what is not is left to it.
_READABLE: Final = f"""
jsonb_typeof(received->'agency_code') = 'string' AND jsonb_typeof(received->'procedure_code') = 'string'
AND (received->'flags' IS NULL OR jsonb_typeof(received->'flags') = 'object') AND received->>'channel' IN ({_texts(Channel)})
AND (transferred IS NULL OR jsonb_typeof(transferred->'agency_code') = 'string') AND {_READABLE_DESK}
AND lacks_date IS NOT TRUE AND (followed IS NULL OR array_remove(followed, NULL) <@ may_be_followed)
AND (fees IS NULL OR jsonb_typeof(fees->'fees') = 'array' AND NOT jsonb_path_exists(fees, '$.fees[*] ? (!exists(@.amount_vnd)
     || !exists(@.code) || !exists(@.name) || @.amount_vnd.type() != "number")'))
AND (paid IS NULL OR paid->'amount_vnd' IS NOT NULL AND paid->'gateway' IS NOT NULL)
AND (processed IS NULL OR processed->'results' IS NULL OR (jsonb_typeof(processed->'results') = 'array'
     AND NOT jsonb_path_exists(processed, '$.results[*] ? (!exists(@.code))')))
AND (returned IS NULL OR received->>'return_method' IS NOT NULL OR returned->>'method' IS NOT NULL)
AND (rated IS NULL OR jsonb_typeof(rated->'satisfied') = 'boolean')"""

_LOCAL: Final = "AT TIME ZONE INTERVAL '07:00'"

# Each date lies after its telling and was not over when the next one came, or, at the end of a pause, when that began:
# so no lateness is erased. None came within the pause. Where none comes at its end, the last one held when it began.
_IN_TURN: Final = """
due_at IS NULL OR (
    due_at < '9999-12-30' AND -- Python knows no day after the last one of that year
    CASE WHEN cardinality(set_at) = 1 THEN due_at >= set_at[1] AND due_at >= received_at
    ELSE (
        SELECT bool_and(due >= at AND due >= received_at
                        AND (requested_at IS NULL OR at <= requested_at OR at >= coalesce(waited_until, 'infinity')))
               -- of two due_sets of one instant only their ids tell the order
               AND bool_and((next_at > at OR substr(set_by, nth::int, 1) <> substr(set_by, nth::int + 1, 1))
                            AND due >= CASE WHEN next_at = waited_until THEN requested_at ELSE next_at END)
                   FILTER (WHERE next_at IS NOT NULL)
        FROM (SELECT at, due, nth, lead(at) OVER (ORDER BY nth) AS next_at
              FROM unnest(set_at, dues) WITH ORDINALITY AS setting(at, due, nth)) AS settings
    ) END
    AND (requested_at IS NULL OR (set_at[cardinality(set_at)] <= requested_at AND due_at >= requested_at)
         OR set_at[cardinality(set_at)] >= waited_until))"""

# A date in the code that lies after the reception is an anomaly, an impossible one is none: what looks like either, and any
# other text in that place, is left to the fold. A regular expression took as long as all the rest of a row.
_CODE_IN_TIME: Final = """
CASE length(split_part(code, '-', 2)) WHEN 0 THEN true
     WHEN 6 THEN '20' || split_part(code, '-', 2) <= to_char(received_on, 'YYYYMMDD')
     WHEN 8 THEN split_part(code, '-', 2) <= to_char(received_on, 'YYYYMMDD') ELSE false END"""


def _mark(condition: str, mark: DossierMark) -> str:
    return f"CASE WHEN {condition} THEN {mark.value} ELSE 0 END"


_FLAGS: Final = " + ".join(
    _mark(f"received->'flags'->'{mark.name.lower()}' = 'true'", mark)
    for mark in (
        DossierMark.VNEID_VERIFIED,
        DossierMark.COMPONENTS_DIGITISED,
        DossierMark.COMPONENTS_REUSED,
        DossierMark.FROM_NATIONAL_STORE,
    )
    if mark.name is not None
)
_HAS_LINK: Final = "processed->'results' IS NOT NULL AND jsonb_path_exists(processed, '$.results[*].url ? (@ != \"\")')"
_MARKS: Final = f"""
CASE WHEN received->'flags' IS NULL THEN 0 ELSE {_FLAGS} END
+ {_mark(_HAS_LINK, DossierMark.RESULT_LINK)}
+ CASE WHEN fees IS NULL OR jsonb_array_length(fees->'fees') = 0 THEN 0
       WHEN jsonb_path_exists(fees, '$.fees[*] ? (@.amount_vnd > 0)') THEN {DossierMark.FEE.value}
       ELSE {DossierMark.FEES_ALL_ZERO.value} END
+ {_mark(f"paid->>'gateway' IN ({_texts(sorted(ONLINE_GATEWAYS))})", DossierMark.PAID_ONLINE)}
+ CASE WHEN rated IS NULL THEN 0 WHEN rated->'satisfied' = 'false' THEN {(DossierMark.RATED | DossierMark.DISLIKED).value}
       ELSE {DossierMark.RATED.value} END"""


def _microseconds(instant: str) -> str:
    return f"(extract(epoch FROM {instant}) * 1000000)::bigint"


# where a dossier is not regular its dates may be in any order: no range is made of them
_ROW: Final[Mapping[str, str]] = {
    "code": "code",
    "position": "position",
    "status": "status",
    "agency": "agency",
    "procedure": "received->>'procedure_code'",
    "channel": "received->>'channel'",
    "received_at": "received_at",
    "due_at": "due_at",
    "promised_at": "due_at",
    "ended_at": "ended_at",
    "end_kind": "end_kind",
    "last_event_at": "last_event_at",
    "touched_at": "touched_at",
    "anomalies": "CASE WHEN due_at IS NULL THEN ARRAY['no_due_date'] ELSE ARRAY[]::text[] END",
    "received_on": "received_on",
    "ended_on": "ended_on",
    "resolution": "CASE WHEN ended_on > due_on THEN 'late' WHEN ended_on < due_on THEN 'early'"
    " WHEN ended_on IS NOT NULL THEN 'on_time' END",
    "within_days": "CASE WHEN NOT in_turn OR ended_on <= received_on THEN '{}'::datemultirange"
    " ELSE datemultirange(daterange(received_on, least(ended_on, overdue_from))) END",
    "overdue_days": "CASE WHEN NOT in_turn OR overdue_from IS NULL OR ended_on <= overdue_from THEN '{}'::datemultirange"
    " ELSE datemultirange(daterange(overdue_from, ended_on)) END",
    "paused_days": "CASE WHEN NOT in_turn OR requested_at IS NULL OR waited_on <= requested_on THEN '{}'::datemultirange"
    " ELSE datemultirange(daterange(requested_on, waited_on)) END",
    "handled_at": "ended_at",
    "promised_from": "set_at[1]",
    "late_instants": "CASE WHEN NOT in_turn OR late_after IS NULL OR ended_at <= late_after THEN '{}'::int8multirange"
    f" ELSE int8multirange(int8range({_microseconds('late_after')} + 1, NULL)) END",
    "waits": "CASE WHEN NOT in_turn OR requested_at IS NULL OR waited_until <= requested_at THEN '{}'::int8multirange"
    f" ELSE int8multirange(int8range({_microseconds('requested_at')}, {_microseconds('waited_until')})) END",
    "marks": f"CASE WHEN readable THEN {_MARKS} END",
    "taken_over_at": "taken_over_at",
}
assert tuple(_ROW) == DossierRow._fields


def regular_rows_sql(known: str, known_paths: str) -> str:
    """SQL: for each dossier of ``known`` (as `histories_sql` selects) whether it is regular, and then its row as stored.

    ``known_paths``: regular paths, with ``path``, ``status`` and ``end_kind``. Beside ``is_regular`` and the row's columns
    (without a meaning where it is not) there are ``path``, ``events``, and ``recorded_at`` of the last event.
    """
    return f"""
SELECT {", ".join(f"{expression} AS {column}" for column, expression in _ROW.items())},
       in_turn AND ({_CODE_IN_TIME}) AS is_regular, path, events, recorded_at
FROM (
    SELECT *,
           -- a day that passes during a pause is over when the pause ends; while the pause goes on, none is
           CASE WHEN is_waiting THEN NULL WHEN due_at IS NOT NULL THEN greatest(due_on + 1, waited_on) END AS overdue_from,
           CASE WHEN is_waiting THEN NULL ELSE due_at + coalesce(waited_until - requested_at, interval '0') END AS late_after
    FROM (
        SELECT *, coalesce({_IN_TURN}, false) AND readable AS in_turn,
               (received_at {_LOCAL})::date AS received_on, (ended_at {_LOCAL})::date AS ended_on,
               (due_at {_LOCAL})::date AS due_on, (requested_at {_LOCAL})::date AS requested_on,
               (waited_until {_LOCAL})::date AS waited_on,
               requested_at IS NOT NULL AND waited_until IS NULL AS is_waiting
        FROM (
            SELECT *, dues[cardinality(dues)] AS due_at,
                   CASE WHEN requested_at IS NOT NULL THEN coalesce(supplemented_at, ended_at) END AS waited_until,
                   {_AGENCIES} AS agency
            FROM (
                SELECT *, CASE WHEN readable THEN due_told::timestamptz[] END AS dues
                FROM (
                    SELECT h.*, c.status, c.end_kind,
                           CASE WHEN c.path IS NULL THEN false ELSE coalesce({_READABLE}, false) END AS readable
                    FROM {known} AS h LEFT JOIN {known_paths} AS c ON c.path = h.path
                    OFFSET 0 -- here and below: or every use of a value would compute it again
                ) AS coursed
                OFFSET 0
            ) AS dated
            OFFSET 0
        ) AS waiting
        OFFSET 0
    ) AS placed
    OFFSET 0
) AS whole"""


def given_path_outcomes_sql(first: int) -> str:
    """SQL: the regular paths that a statement is given, in its arguments from ``$first`` on (`PathOutcomes.arguments`)."""
    return (
        f"SELECT * FROM unnest(${first}::text[], ${first + 1}::smallint[], ${first + 2}::text[])"
        " AS course(path, status, end_kind)"
    )


@dataclass(slots=True)
class PathOutcomes:
    """The regular paths that this process has met. What is new is learnt for the next statement."""

    _regular: dict[str, PathOutcome] = field(default_factory=dict)
    _others: set[str] = field(default_factory=set)

    def arguments(self) -> tuple[list[str], list[int], list[str | None]]:
        """For `given_path_outcomes_sql`."""
        return (
            list(self._regular),
            [path_outcome.status.value for path_outcome in self._regular.values()],
            [
                None if path_outcome.end_kind is None else path_outcome.end_kind.value
                for path_outcome in self._regular.values()
            ],
        )

    def learn(self, paths: Iterable[str]) -> bool:
        """Take in paths of dossiers; answer whether one of them is regular and was not known."""
        known = len(self._regular)
        for path in paths:
            if len(path) > LONGEST_PATH or path in self._others or path in self._regular:
                continue
            outcome = path_outcome(path)
            if outcome is None:
                if len(self._others) >= MOST_OTHERS:
                    self._others.clear()  # there is no end of them; what is common is soon known again
                self._others.add(path)
            elif len(self._regular) < MOST_PATH_OUTCOMES:
                self._regular[path] = outcome
        return len(self._regular) > known


# by the dossiers' index whatever the statistics say
_OF_DOSSIERS: Final = f"""
SELECT e.* FROM unnest($2::text[]) AS wanted(code) CROSS JOIN LATERAL (
    SELECT dossier_code, position, recorded_at, source, id, name, time, data FROM event_log
    WHERE tenant = $1 AND dossier_code = wanted.code AND position <= $3 AND {OF_DOSSIERS} OFFSET 0
) AS e"""

_READ: Final = f"""
WITH known AS MATERIALIZED ({histories_sql(_OF_DOSSIERS)}), course AS MATERIALIZED ({given_path_outcomes_sql(4)})
SELECT is_regular, path, {", ".join(given_column_sql(column, "row_of") for column in DossierRow._fields)}, recorded_at
FROM ({regular_rows_sql("known", "course")}) AS row_of
"""


@dataclass(frozen=True, slots=True)
class RegularRows:
    """The regular ones of some dossiers, with the instant at which the last event of each was recorded; and the others."""

    rows: list[tuple[DossierRow, "datetime"]]
    others: list[DossierCode]


async def read(
    connection: DriverConnection, tenant: Tenant, codes: Sequence[DossierCode], up_to: int, known_paths: PathOutcomes
) -> RegularRows:
    """What dossiers with a regular history are after their events up to position ``up_to``; the others are left to the fold.

    Raises:
        asyncpg.DataError: the events of one hold a value that PostgreSQL cannot read: all must be left to the fold.
    """
    while True:
        found = await connection.fetch(_READ, tenant, codes, up_to, *known_paths.arguments())
        if not known_paths.learn({path for is_regular, path, *_ in found if not is_regular}):
            break
    rows = [(DossierRow(*row[2:-1]), row[-1]) for row in found if row[0]]
    regular_ones = {row.code for row, _ in rows}
    return RegularRows(rows, [code for code in codes if code not in regular_ones])
