"""Who may do what, and whose dossiers they are: tenants, keys, and the only table with personal data."""

from sqlalchemy import ARRAY, Column, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables.columns import Instant, metadata, required, tenant_column

tenant = Table(
    "tenant",
    metadata,
    tenant_column(),
    required("name", Text),
    required("created_at", Instant, server_default=text("now()")),
    # keys the hash by which personal data enters an event's content hash
    required("content_key", LargeBinary),
    PrimaryKeyConstraint("tenant"),
)

api_key = Table(
    "api_key",
    metadata,
    tenant_column(),
    required("key_id", Text),
    required("key_hash", LargeBinary),
    required("label", Text, server_default=""),
    required("scopes", ARRAY(Text)),
    # root of the agency subtree that the key may see; null: the whole tenant
    Column("agency", Text),
    required("created_at", Instant, server_default=text("now()")),
    Column("revoked_at", Instant),
    PrimaryKeyConstraint("tenant", "key_id"),
)

applicant = Table(
    "applicant",
    metadata,
    tenant_column(),
    required("dossier_code", Text),
    required("source", Text),
    required("id", Text),
    Column("name", Text),
    Column("id_type", Text),
    Column("id_number", Text),
    Column("phone", Text),
    Column("email", Text),
    Column("address", Text),
    # the other personal fields of an event's data, by name; `dossier_code` is the code of its record, whatever the register
    Column("texts", JSONB),
    PrimaryKeyConstraint("tenant", "dossier_code", "source", "id"),
)

applicant_reading = Table(
    "applicant_reading",
    metadata,
    tenant_column(),
    required("reading_id", Text),
    required("read_at", Instant, server_default=text("now()")),
    required("dossier_code", Text),
    required("reader", Text),
    required("purpose", Text),
    required("request_id", Text),
    PrimaryKeyConstraint("tenant", "reading_id"),
    Index("ix_applicant_reading_tenant_dossier_code", "tenant", "dossier_code", "read_at"),
)

applicant_erasure = Table(
    "applicant_erasure",
    metadata,
    tenant_column(),
    required("erasure_id", Text),
    required("erased_at", Instant, server_default=text("now()")),
    required("dossier_code", Text),
    required("eraser", Text),
    required("reason", Text),
    PrimaryKeyConstraint("tenant", "erasure_id"),
    Index("ix_applicant_erasure_tenant_dossier_code", "tenant", "dossier_code"),
)
