"""Catalogues and given figures.

A row is one version as it was told, never changed in place: ``known_from`` until a later row of the same key.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables.columns import Instant, metadata, required, tenant_column

agency = Table(
    "agency",
    metadata,
    tenant_column(),
    required("code", Text),
    required("known_from", Instant),
    # a code may have several periods of validity: all that were told of it at `known_from`, numbered
    required("ordinal", SmallInteger, server_default="0"),
    required("name", Text),
    Column("parent", Text),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("legal_basis", Text),
    required("successors", ARRAY(Text), server_default="{}"),
    required("aliases", ARRAY(Text), server_default="{}"),
    # province, district or commune
    Column("level", Text),
    # what else is known of it, text by name
    required("facts", JSONB, server_default="{}"),
    required("removed", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "code", "known_from", "ordinal"),
)

procedure = Table(
    "procedure",
    metadata,
    tenant_column(),
    required("code", Text),
    required("known_from", Instant),
    required("name", Text),
    Column("field", Text),
    Column("field_name", Text),
    Column("level", Text),
    Column("limit_value", Integer),
    Column("limit_unit", Text),
    required("supplement_policy", Text, server_default="pause"),
    required("payment_pauses", Boolean, server_default=text("false")),
    required("result_is_document", Boolean, server_default=text("false")),
    required("has_fee", Boolean, server_default=text("false")),
    Column("online_level", Text),
    required("facts", JSONB, server_default="{}"),
    required("removed", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "code", "known_from"),
)

calendar_day = Table(
    "calendar_day",
    metadata,
    tenant_column(),
    required("date", Date),
    required("known_from", Instant),
    required("kind", Text),
    required("source", Text, server_default=""),
    required("removed", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "date", "known_from"),
)

calendar_year = Table(
    "calendar_year",
    metadata,
    tenant_column(),
    required("year", SmallInteger),
    required("known_from", Instant),
    required("confirmed", Boolean),
    PrimaryKeyConstraint("tenant", "year", "known_from"),
)

office_hours = Table(
    "office_hours",
    metadata,
    tenant_column(),
    # of this agency and those below it by code; the tenant's own code: of all that have no other
    required("agency", Text),
    required("known_from", Instant),
    # all that was told of an agency at `known_from`, numbered
    required("ordinal", SmallInteger, server_default="0"),
    # '07:30-11:30,13:30-17:00' on the ISO weekdays 1 (Monday) to 7
    required("spans", Text),
    required("weekdays", ARRAY(SmallInteger)),
    Column("valid_from", Date),
    Column("valid_to", Date),
    required("removed", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "agency", "known_from", "ordinal"),
)

index_input = Table(
    "index_input",
    metadata,
    tenant_column(),
    # an indicator of Decision 766 that dossiers do not feed, for an agency's subtree (the tenant's own code: for all of it)
    required("indicator", Text),
    required("agency", Text),
    required("from_on", Date),
    required("to_on", Date),
    required("known_from", Instant),
    # null: only the denominator is given (1.4: received by the national report)
    Column("numerator", BigInteger),
    required("denominator", BigInteger),
    # the paper it stands in, and its date
    required("source", Text),
    required("source_on", Date),
    # nothing is given any more, by this paper; the numbers are those that were
    required("withdrawn", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "indicator", "agency", "from_on", "to_on", "known_from"),
)

given_table = Table(
    "given_table",
    metadata,
    tenant_column(),
    # a published table as somebody gave it: of the whole tenant, one version a row
    required("id", Text),
    required("known_from", Instant),
    # the word of its figures in /v1/stats/{register}
    required("register", Text),
    required("issuer", Text),
    required("issued_on", Date),
    required("from_on", Date),
    required("to_on", Date),
    # as it was printed
    required("text", Text),
    # by id: a whole number, or the text of one that is only quoted
    required("figures", JSONB),
    PrimaryKeyConstraint("tenant", "id", "known_from"),
)
