"""The columns of form II.06 follow from the rows of the figures."""

from shared.counting.rules.figure_definitions import FIGURES, Figure
from shared.counting.rules.period_sums import SUM_NAMES, Sums, figures_of
from shared.reports.rules.form_ii06 import BESIDE, COLUMNS, Line

SUMS = Sums.of(**{name: 3**place for place, name in enumerate(SUM_NAMES)})


def test_the_columns_are_those_of_the_form() -> None:
    assert [column.number for column in COLUMNS] == list(range(3, 14))
    assert {column.number: column.label for column in COLUMNS if column.sum_of} == {
        3: "(3)=(4)+(5)+(6)",
        7: "(7)=(8)+(9)+(10)",
        11: "(11)=(12)+(13)",
    }


def test_a_line_has_the_figures_of_its_columns() -> None:
    figures, line = figures_of(SUMS), Line.of(1, "H51", "H51", SUMS)
    assert line.columns == [sum(figures[one] for one in column.figures) for column in COLUMNS]
    assert line.columns[2] == figures[Figure.RECEIVED_DIRECT] + figures[Figure.RECEIVED_POSTAL]
    assert line.beside == [figures[figure] for figure, _ in BESIDE.values()]


def test_every_figure_is_told_in_a_column_or_beside_one() -> None:
    told = {figure for column in COLUMNS for figure in column.figures} | {figure for figure, _ in BESIDE.values()}
    assert set(FIGURES) - told == {Figure.RECEIVED_NEW}
