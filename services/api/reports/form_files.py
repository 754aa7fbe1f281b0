"""A form as a file in an answer: a workbook or CSV."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.types import Receive, Scope, Send

from services.api.http.formats import MEDIA_TYPES, ReportFormat
from services.api.reports import printed_forms
from services.api.reports.printed_forms import Chunks, PrintedForm

ReceivingUnit = Annotated[
    str | None,
    Field(
        description="Who gets the report (đơn vị nhận báo cáo): stands in its head.",
        examples=["Văn phòng Chính phủ"],
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
    ),
]


class _File(StreamingResponse):
    """Closes what it is made of, also where nobody reads it to its end."""

    def __init__(self, chunks: Chunks, media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(chunks, media_type=media_type, headers=headers)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._chunks.close()


async def printed(form: PrintedForm, format_: ReportFormat) -> Response | None:
    """The form as a file of this format; None: it is none of a file."""
    match format_:
        case ReportFormat.XLSX:
            chunks: Chunks = printed_forms.file_chunks(await asyncio.to_thread(printed_forms.workbook_file, form))
        case ReportFormat.CSV:
            chunks = printed_forms.csv_chunks(form)
        case _:
            return None
    attached = f'attachment; filename="{printed_forms.file_name(form, format_)}"'
    return _File(chunks, MEDIA_TYPES[format_], {"content-disposition": attached})
