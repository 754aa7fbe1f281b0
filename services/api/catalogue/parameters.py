"""What catalogues are asked and told with."""

from typing import Annotated

from fastapi import Query

Replace = Annotated[
    bool, Query(description="True: the body is all there is; what it leaves out is marked as removed (thay thế toàn bộ).")
]
AsOf = Annotated[
    str | None,
    Query(
        description="The catalogue as it was known then: a date (its local end of day) or an RFC 3339 instant.",
        examples=["2026-01-31"],
    ),
]
