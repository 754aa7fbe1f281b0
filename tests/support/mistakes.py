"""What somebody with psql can do to sums, codes and rows, and what audit and rebuild have to find."""

from tests.support.projection import sums_where

AGENCY_YEARS = sums_where("cut = 'agency' AND grain = 'year'")
AGENCY_MONTHS = sums_where("cut = 'agency' AND grain = 'month'")
CELL_YEARS = sums_where("cut = 'cell' AND grain = 'year'")
BY_PROCEDURE = sums_where("cut = 'procedure'")
BRANCHES = sums_where("cut LIKE 'branch%'")
BRANCH_DAYS = sums_where("cut = 'branch' AND grain = 'day'")
INVENT = "INSERT INTO figure_sum (tenant, slot, agency, procedure, channel, overdue)"

MISTAKES = {
    "a sum is changed": f"UPDATE figure_sum SET received = received + 7 WHERE {AGENCY_MONTHS}",
    "sums are lost": "DELETE FROM figure_sum WHERE hashtext(agency::text || slot) % 3 = 0",
    "all sums are lost": "DELETE FROM figure_sum",
    "sums of branches are lost": f"DELETE FROM figure_sum WHERE {BRANCHES}",
    "a branch is changed": f"UPDATE figure_sum SET overdue = overdue - 1 WHERE {BRANCH_DAYS}",
    "a bogus branch": f"{INVENT} VALUES ('H51', 520220500, 1234567, 0, 'online', 1)",
    "bogus sums": f"""{INVENT} SELECT 'H51', slot, 987654, 12345, 'none', 5
        FROM unnest(ARRAY[119990000, 319990101, 319990000]) AS slot""",
    # each of these adds up to nothing where all measures of a row weigh alike, or by small numbers
    "late is withdrawn": f"""UPDATE figure_sum SET resolved_late = resolved_late + 1, withdrawn = withdrawn - 1,
        within = within - 1, overdue = overdue + 1 WHERE {CELL_YEARS}""",
    "early is late": f"""UPDATE figure_sum SET resolved_early = resolved_early + 1, resolved_late = resolved_late - 1,
        stopped = stopped - 1, overdue = overdue + 1 WHERE {AGENCY_MONTHS}""",
    "received is on time": f"""UPDATE figure_sum SET received = received + 7, resolved_on_time = resolved_on_time - 7,
        withdrawn = withdrawn - 7, within = within + 7 WHERE {BY_PROCEDURE}""",
    "a prime too many": f"UPDATE figure_sum SET within = within + 2147483647 WHERE {AGENCY_YEARS}",
    "another prime too many": f"UPDATE figure_sum SET received = received + 2147483629 WHERE {BY_PROCEDURE}",
    "branches beyond all measure": f"UPDATE figure_sum SET overdue = 1000000000000000 WHERE {BRANCHES}",
    "a number that is no agency's": f"""{INVENT} SELECT 'H51', 120190000, number, 0, 'online', 7 FROM figure_code
        WHERE kind = 'branch'""",
    "a sum of no day": f"{INVENT} VALUES ('H51', 399999999, 0, 0, '', 5)",
    "a sum of no cut": f"{INVENT} VALUES ('H51', 920220512, 0, 0, '', 5)",
    "a sum of no month": f"{INVENT} VALUES ('H51', 320221300, 0, 0, '', 5)",
    "a code has another number": """UPDATE figure_code SET number = number + 1000
        WHERE (kind, code) IN (SELECT kind, max(code) FROM figure_code GROUP BY kind)""",
    "codes are lost": "DELETE FROM figure_code WHERE (kind, code) IN (SELECT kind, max(code) FROM figure_code GROUP BY kind)",
    "all codes are lost": "DELETE FROM figure_code",
    "agencies are no agencies": """UPDATE figure_code SET kind = 'branch' WHERE kind = 'agency'
        AND code LIKE 'H51.12.%'""",
    "branches are forgotten": "UPDATE figure_code SET branches = '{}'",
    "a dossier row is changed": """UPDATE dossier SET agency = 'H51.01', received_on = '2001-01-01', ended_on = NULL,
        within_days = '{[2001-01-01,)}' WHERE hashtext(code) % 4 = 0""",
    "a text is changed": "UPDATE dossier SET anomalies = '{}', due_at = now() WHERE hashtext(code) % 4 = 1",
    "dossier rows are lost": "DELETE FROM dossier WHERE hashtext(code) % 2 = 0",
    "all dossier rows are lost": "DELETE FROM dossier",
    "bogus dossier rows": """INSERT INTO dossier (tenant, code, position, agency, received_on, within_days)
        SELECT 'H51', c, 1, 'H51.12', '2020-01-01', '{[2020-01-01,)}' FROM unnest(ARRAY['', 'A', 'H51.12-x', 'Z99-1']) c""",
    "agencies and voids are forgotten": "WITH v AS (DELETE FROM waiting_void) DELETE FROM seen_agency",
}
