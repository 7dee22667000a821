-- One row per topic that has ever changed. Gates, leases and the outbox live in the memory of the one process that
-- has the file: after a restart, whatever is not acknowledged is announced (again).
CREATE TABLE topic (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    -- The revision claimed last, the value then, and the revision claimed before it; 0 where there is none.
    published INTEGER NOT NULL,
    published_value INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    -- The revision acknowledged last. Less than the revision: the topic still has to be announced.
    acknowledged INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the first use of an idempotency key was answered with.
CREATE TABLE idempotency (
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    amount INTEGER NOT NULL,
    value INTEGER NOT NULL,
    -- Milliseconds since 1970.
    expires INTEGER NOT NULL,
    PRIMARY KEY (topic, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_expires ON idempotency (expires);
