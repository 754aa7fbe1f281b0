"""What every table of motcua is made with: the metadata, and the columns that all have."""

from sqlalchemy import Column, DateTime, MetaData, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Instant = DateTime(timezone=True)


def tenant_column() -> Column[str]:
    """The province or ministry; first in every key."""
    return Column("tenant", Text, nullable=False)


def required(name: str, type_: object, **options: object) -> Column[object]:
    """A column that is never null."""
    return Column(name, type_, nullable=False, **options)  # type: ignore[arg-type]
