-- One row per topic that has changed. Gates, leases and the outbox are in the memory of the one process that has the file. After
-- a restart, each topic that is not acknowledged is announced, perhaps for the second time.
CREATE TABLE topic (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    -- The revision claimed last, the value at that time, and the revision claimed before it; 0 if there is none.
    published INTEGER NOT NULL,
    published_value INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    -- The revision acknowledged last. If it is less than the revision, the topic still has to be announced.
    acknowledged INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The amount and the answer of the first use of an idempotency key.
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
-- A claim is repeated only if the topic has not changed since, so the claimed value is the present value.
ALTER TABLE topic DROP COLUMN published_value;

-- When the topic was claimed last, in milliseconds since 1970. Topics of version 1 count as claimed now.
ALTER TABLE topic ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
UPDATE topic SET claimed = 1000 * unixepoch();
