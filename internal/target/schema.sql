CREATE SCHEMA IF NOT EXISTS walferry;

CREATE TABLE IF NOT EXISTS walferry.version (version integer NOT NULL);

CREATE TABLE IF NOT EXISTS walferry.migration (
    name             text PRIMARY KEY,
    command          text NOT NULL,
    database         text NOT NULL,
    system_id        text NOT NULL,
    -- Of the source's log: what a standby that took over has is known by its history.
    timeline         integer NOT NULL DEFAULT 0,
    phase            text NOT NULL,
    slot             text NOT NULL,
    publications     text[] NOT NULL,
    -- What walferry made on the source, and cleanup may therefore drop. Written before
    -- it is made, so that a run killed in between finds it.
    owns_slot        boolean NOT NULL DEFAULT false,
    owned_publications text[] NOT NULL DEFAULT '{}',
    consistent_point pg_lsn,
    rung             text NOT NULL DEFAULT '',
    -- The databases of the command that began it, when there are several.
    databases        text[] NOT NULL DEFAULT '{}',
    -- Whether walferry made the database on the target.
    made_database    boolean NOT NULL DEFAULT false,
    epoch            bigint NOT NULL DEFAULT 0,
    error            text NOT NULL DEFAULT '',
    started_at       timestamptz NOT NULL DEFAULT pg_catalog.now(),
    run_at           timestamptz NOT NULL DEFAULT pg_catalog.now(),
    -- Which command runs it, or ran it last, and for whom.
    run_command      text NOT NULL DEFAULT '',
    run_by           text NOT NULL DEFAULT '',
    -- Who asks the instance at work to let go; empty when nobody does.
    handover         text NOT NULL DEFAULT '',
    -- What its last run was asked to move, for the commands that end it.
    choices          jsonb NOT NULL DEFAULT '{}',
    final_lsn        pg_lsn,
    fenced_at        timestamptz,
    -- The point of no return of its cutover.
    decided_at       timestamptz
);

-- One row for each lane, updated by every batch: room for HOT updates.
CREATE TABLE IF NOT EXISTS walferry.checkpoint (
    migration    text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    lane         integer NOT NULL,
    epoch        bigint NOT NULL,
    lsn          pg_lsn NOT NULL,
    commit_lsn   pg_lsn NOT NULL,
    commit_time  timestamptz,
    transactions bigint NOT NULL DEFAULT 0,
    changes      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (migration, lane)
) WITH (fillfactor = 10);

CREATE TABLE IF NOT EXISTS walferry."table" (
    migration      text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    namespace      text NOT NULL,
    name           text NOT NULL,
    state          text NOT NULL,
    -- Changes in transactions that committed before the watermark are in the copied rows.
    watermark      pg_lsn,
    -- In how many chunks it is copied, zero for as a whole, and the epoch of the run that
    -- began them: no other run may add to them.
    chunks         integer NOT NULL DEFAULT 0,
    copy_epoch     bigint,
    rows           bigint NOT NULL DEFAULT 0,
    bytes          bigint NOT NULL DEFAULT 0,
    seconds        double precision NOT NULL DEFAULT 0,
    missed_updates bigint NOT NULL DEFAULT 0,
    missed_deletes bigint NOT NULL DEFAULT 0,
    reason         text NOT NULL DEFAULT '',
    -- Why its changes are applied one by one, not as sets; empty when they are not.
    row_by_row     text NOT NULL DEFAULT '',
    -- The lane that its changes are applied in, once there was a stream.
    lane           integer,
    -- The key columns by whose hash its rows are spread over all lanes instead, and why
    -- they no longer may be.
    split          text[],
    one_lane       text NOT NULL DEFAULT '',
    PRIMARY KEY (migration, namespace, name)
);

-- The chunks that are copied of tables that are not complete.
CREATE TABLE IF NOT EXISTS walferry.chunk (
    migration text NOT NULL,
    namespace text NOT NULL,
    name      text NOT NULL,
    number    integer NOT NULL,
    rows      bigint NOT NULL,
    bytes     bigint NOT NULL,
    PRIMARY KEY (migration, namespace, name, number),
    FOREIGN KEY (migration, namespace, name) REFERENCES walferry."table" ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS walferry.entry (
    migration    text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    -- The order in which to restore; id is what dependencies name.
    ord          integer NOT NULL,
    id           integer NOT NULL,
    stage        text NOT NULL,
    kind         text NOT NULL,
    namespace    text NOT NULL,
    name         text NOT NULL,
    owner        text NOT NULL,
    sql          text NOT NULL,
    owner_sql    text NOT NULL,
    dependencies integer[] NOT NULL,
    state        text NOT NULL DEFAULT 'pending',
    message      text NOT NULL DEFAULT '',
    PRIMARY KEY (migration, ord)
);

-- Where walferry last set a sequence: one that stands elsewhere was used on the target.
CREATE TABLE IF NOT EXISTS walferry.sequence (
    migration  text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    namespace  text NOT NULL,
    name       text NOT NULL,
    last_value bigint NOT NULL,
    is_called  boolean NOT NULL,
    PRIMARY KEY (migration, namespace, name)
);

-- The large objects that walferry made or took over: no others are changed or removed.
CREATE TABLE IF NOT EXISTS walferry.large_object (
    migration text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    oid       oid NOT NULL,
    PRIMARY KEY (migration, oid)
);

-- The steps of the cutover, as they went the last time.
CREATE TABLE IF NOT EXISTS walferry.step (
    migration    text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    ord          integer NOT NULL,
    name         text NOT NULL,
    state        text NOT NULL,
    detail       text NOT NULL DEFAULT '',
    started_at   timestamptz NOT NULL,
    seconds      double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (migration, name)
);

-- What closes the source, and what opens it again. Written before it is closed.
CREATE TABLE IF NOT EXISTS walferry.fence (
    migration    text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    ord          integer NOT NULL,
    close_sql    text NOT NULL,
    open_sql     text NOT NULL,
    PRIMARY KEY (migration, ord)
);

-- Where both sides were, for forecasts: the last hour, kept by the instance at work.
CREATE TABLE IF NOT EXISTS walferry.sample (
    migration    text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    at           timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    source_lsn   pg_lsn NOT NULL,
    applied_lsn  pg_lsn NOT NULL,
    PRIMARY KEY (migration, at)
);

-- Where verify and a run meet: a point of the source's stream that the target is to hold
-- exactly, for the moment in which its snapshot is exported. See docs/design/verify.md.
CREATE TABLE IF NOT EXISTS walferry.barrier (
    migration text PRIMARY KEY REFERENCES walferry.migration ON DELETE CASCADE,
    id        text NOT NULL,
    state     text NOT NULL DEFAULT 'asked',
    -- What commits at or behind it is not applied yet.
    gate      pg_lsn NOT NULL,
    lsn       pg_lsn,
    snapshot  text NOT NULL DEFAULT '',
    message   text NOT NULL DEFAULT '',
    -- When verify last showed that it lives, and when the gate was last moved.
    beat      timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    moved     timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- The last verification of a migration; finished_at is null while it runs, or was killed.
CREATE TABLE IF NOT EXISTS walferry.verification (
    migration   text PRIMARY KEY REFERENCES walferry.migration ON DELETE CASCADE,
    choice      text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    equal       boolean,
    lsn         pg_lsn
);

CREATE TABLE IF NOT EXISTS walferry.verdict (
    migration   text NOT NULL REFERENCES walferry.verification ON DELETE CASCADE,
    namespace   text NOT NULL,
    name        text NOT NULL,
    lsn         pg_lsn NOT NULL,
    verified_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    verdict     jsonb NOT NULL,
    PRIMARY KEY (migration, namespace, name)
);

-- What became of the source's roles.
CREATE TABLE IF NOT EXISTS walferry.role (
    migration text NOT NULL REFERENCES walferry.migration ON DELETE CASCADE,
    name      text NOT NULL,
    status    text NOT NULL,
    message   text NOT NULL,
    PRIMARY KEY (migration, name)
);
