"""The ledger of what the national portal should hold, was sent, and acknowledged."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from shared.database.tables.columns import Instant, metadata, required, tenant_column

sync_ledger = Table(
    "sync_ledger",
    metadata,
    tenant_column(),
    required("dossier_code", Text),
    # pending | sent | parked | unsendable
    required("state", Text),
    # log positions: what the portal should hold (and since when it should), what was last put on the wire, and what
    # the portal acknowledged for each step of the protocol
    required("wanted_position", BigInteger),
    required("wanted_at", Instant),
    required("sent_position", BigInteger, server_default="0"),
    required("dossier_position", BigInteger, server_default="0"),
    required("progress_position", BigInteger, server_default="0"),
    # of the body that the portal acknowledged; null: none, or not known for certain
    Column("dossier_body_hash", LargeBinary),
    # something older may have reached the portal after it: the newest version is sent once more
    required("in_doubt", Boolean, server_default=text("false")),
    # whether the portal knows the dossier as far as we know: decides create or update
    required("known_there", Boolean, server_default=text("false")),
    # the transaction in which the portal began to hold the dossier as far as we know, or ceased to
    required("held_change", BigInteger, server_default="0"),
    # shared.sync.rules.priorities: the lower the sooner; until live_until it goes before the backlog
    required("priority", SmallInteger, server_default="0"),
    Column("live_until", Instant),
    required("next_try_at", Instant),
    required("attempts", Integer, server_default="0"),
    Column("error_class", Text),
    Column("error_detail", Text),
    # lease: who is sending, until when; the fence rises with every claim
    required("fence", BigInteger, server_default="0"),
    Column("leased_until", Instant),
    Column("acknowledged_at", Instant),
    PrimaryKeyConstraint("tenant", "dossier_code"),
    Index(
        "ix_sync_ledger_pending",
        "tenant",
        "priority",
        "next_try_at",
        "dossier_code",
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_sync_ledger_held_change",
        "tenant",
        "held_change",
        postgresql_where=text("held_change > 0"),
    ),
    Index(
        "ix_sync_ledger_live",
        "tenant",
        "live_until",
        postgresql_where=text("state = 'pending' AND live_until IS NOT NULL"),
    ),
    Index(
        "ix_sync_ledger_parked",
        "tenant",
        "error_class",
        "dossier_code",
        postgresql_where=text("state IN ('parked', 'unsendable')"),
    ),
    postgresql_with={"fillfactor": "70"},
)

sync_step = Table(
    "sync_step",
    metadata,
    tenant_column(),
    required("dossier_code", Text),
    # the natural key of a progress step at the portal, to its resolution of a second. `staff` is the officer's code, '' when
    # the event names none; `officer` is the text that was sent for it and is never changed: an agency that is renamed
    # between a send and its repetition must not make a second step of it
    required("happened_at", Instant),
    required("status", SmallInteger),
    required("staff", Text),
    required("officer", Text),
    required("position", BigInteger),
    required("recorded_at", Instant),
    required("sent_at", Instant),
    Column("acknowledged_at", Instant),
    # when it was acknowledged before somebody asked to send it again; null: `acknowledged_at` is the first
    Column("acknowledged_before_at", Instant),
    PrimaryKeyConstraint("tenant", "dossier_code", "happened_at", "status", "staff"),
)

sync_attempt = Table(
    "sync_attempt",
    metadata,
    tenant_column(),
    required("dossier_code", Text),
    required("fence", BigInteger),
    # dossier | progress
    required("step", Text),
    required("position", BigInteger),
    Column("body_hash", LargeBinary),
    # create | update | append
    required("operation", Text),
    required("started_at", Instant),
    required("ended_at", Instant),
    # accepted, already_there, unknown_there, or an error class of shared.sync.rules.retry
    required("outcome", Text),
    Column("detail", Text),
    PrimaryKeyConstraint("tenant", "dossier_code", "fence", "step", "started_at"),
    # what is forgotten after a while: whatever is no version that the portal has; when a step was sent and taken stands
    # with the step
    Index(
        "ix_sync_attempt_forgettable",
        "tenant",
        "ended_at",
        postgresql_where=text("outcome <> 'accepted' OR step = 'progress'"),
    ),
)

sync_difference = Table(
    "sync_difference",
    metadata,
    tenant_column(),
    # what a comparison (a job) found
    required("job_id", Text),
    required("dossier_code", Text),
    # a DifferenceKind of shared.sync.rules.reconciliation
    required("kind", Text),
    # the fields that differ, or in what the steps do; never a value
    required("detail", Text),
    required("found_at", Instant),
    # whether it was sent again; what is missing here, or more there than here, cannot be
    required("reopened", Boolean),
    PrimaryKeyConstraint("tenant", "job_id", "dossier_code", "kind"),
    Index("ix_sync_difference_found", "tenant", "found_at"),
)

sync_alarm = Table(
    "sync_alarm",
    metadata,
    tenant_column(),
    # an Alarm of `shared.sync.rules.alarm_rules` that is raised; the row goes when it is over
    required("alarm", Text),
    required("raised_at", Instant),
    PrimaryKeyConstraint("tenant", "alarm"),
)

portal_session = Table(
    "portal_session",
    metadata,
    tenant_column(),
    Column("session", Text),
    required("generation", BigInteger, server_default="0"),
    Column("opened_at", Instant),
    # one worker at a time logs in; until then the others wait for the next generation
    Column("renewing_until", Instant),
    PrimaryKeyConstraint("tenant"),
)

portal_circuit = Table(
    "portal_circuit",
    metadata,
    tenant_column(),
    # a CircuitState of shared.sync.rules.circuit
    required("state", Text, server_default="closed"),
    required("failures", Integer, server_default="0"),
    required("openings", Integer, server_default="0"),
    Column("reason", Text),
    Column("opened_at", Instant),
    Column("retry_at", Instant),
    # share of the pace from that instant on, doubling to the whole: after an outage or when the portal asked for less
    required("ramp_share", Float, server_default="1"),
    Column("ramp_from", Instant),
    # the call after the last one that was let go may start now
    Column("paced_until", Instant),
    # rises with every change: changes are made by compare and set
    required("version", BigInteger, server_default="0"),
    PrimaryKeyConstraint("tenant"),
)
