"""The figures of digitisation (số hóa): dossiers received in the period, their components and results that are files."""

from collections.abc import Iterator

from shared.registers.catalogue.precedence import truth_of
from shared.registers.catalogue.publications import published
from shared.registers.component.files import files_of
from shared.registers.measures import ByUnit, Check, FigureSet, OneDay, Rate, Unit, World


def units(world: World) -> Iterator[Unit]:
    """Every received dossier, on the day of its reception (N)."""
    records, synced = world.records("component"), world.synced()
    item_of, sheets = published(world), world.procedures
    for code, dossier in world.dossiers().items():
        row = dossier.row
        if row.received_on is None:
            continue
        known = records.get(code)
        files = files_of(known.facts if known else {}, row.marks, is_synced=code in synced)
        document = truth_of("result_document", item_of(row.procedure, row.received_on), sheets.get(row.procedure or ""))
        ended = document and row.end_kind == "processed"
        counts = {
            "dossiers": 1,
            "components_owed": files.owed,
            "components_filed": files.filed,
            "with_file": files.any,
            "with_owed": files.owed > 0,
            "with_all_owed": 0 < files.owed == files.filed,
            "document": document,
            "document_filed": document and files.result,
            "ended_document": ended,
            "ended_document_filed": ended and files.result,
            "both": files.any and (files.result or not document),
            "with_reused": files.reused,
            "with_stored": files.stored,
        }
        told: dict[str, int | None] = {name: int(amount) for name, amount in counts.items() if amount}
        day = OneDay(row.received_on, told | dict.fromkeys(known.anomalies if known else (), 1))
        yield Unit(
            case=code,
            code=code,
            agency=row.agency,
            procedure=row.procedure,
            counts=day.counts,
            turns=day.turns,
            dossier=code,
            channel=row.channel,
        )


_BY_UNIT = ByUnit(units=units, cases=frozenset({"dossier"}), shared=frozenset({"catalogue"}), sheet=True)

FIGURE_SET = FigureSet(
    path="digitisation",
    title="Số hóa hồ sơ, kết quả",
    unit="dossier",
    needs=frozenset({"component", "dossier", "catalogue"}),
    portal=True,
    figures={"dossiers": "hồ sơ tiếp nhận trong kỳ"},
    count=_BY_UNIT.count,
    by_unit=_BY_UNIT,
    parts={
        "components_owed": "thành phần hồ sơ phải số hóa",
        "components_filed": "thành phần hồ sơ phải số hóa, đã có tệp",
        "with_file": "hồ sơ có ít nhất một thành phần có tệp",
        "with_owed": "hồ sơ có thành phần phải số hóa",
        "with_all_owed": "hồ sơ có đủ tệp của mọi thành phần phải số hóa",
        "document": "hồ sơ của thủ tục có kết quả là văn bản",
        "document_filed": "hồ sơ của thủ tục có kết quả là văn bản, có tệp kết quả",
        "ended_document": "hồ sơ đã xử lý xong của thủ tục có kết quả là văn bản",
        "ended_document_filed": "hồ sơ đã xử lý xong của thủ tục có kết quả là văn bản, có tệp kết quả",
        "both": "hồ sơ có thành phần có tệp, và tệp kết quả nếu kết quả là văn bản",
        "with_reused": "hồ sơ có thành phần tái sử dụng",
        "with_stored": "hồ sơ có thành phần từ kho quốc gia, hoặc liên kết kết quả đã đồng bộ",
        "file_without_submission": "hồ sơ có tệp của thành phần chưa nộp",
        "exempt_and_file": "hồ sơ có thành phần không phải số hóa nhưng có tệp",
        "unknown_component": "hồ sơ có thành phần không ai nộp được miễn số hóa",
    },
    rates=(
        Rate("dig.components", "components_filed", "components_owed", "owed components with a file / owed components"),
        Rate("dig.any", "with_file", "dossiers", "dossiers with >= 1 component with a file / N"),
        Rate("dig.full", "with_all_owed", "with_owed", "all owed components with a file / with >= 1 owed"),
        Rate("dig.results", "document_filed", "document", "with a result file / result is a document"),
        Rate("dig.results.ended", "ended_document_filed", "ended_document", "dig.results of those processed"),
        Rate("dig.both", "both", "dossiers", "dig.any and (result file, where the result is a document) / N"),
        Rate("dig.reuse", "with_reused", "dossiers", "dossiers with >= 1 reused / N"),
        Rate("dig.store", "with_stored", "dossiers", "from national_store, or a result link synced / N"),
    ),
    checks=(
        Check(("components_filed",), ("components_owed",), "<="),
        Check(("with_all_owed",), ("with_owed",), "<="),
        Check(("both",), ("with_file",), "<="),
        Check(("document_filed",), ("document",), "<="),
    ),
)
