-- The events of feeds. Their revisions are those of the topic, in its epoch.
CREATE TABLE event (
    topic TEXT NOT NULL,
    revision INTEGER NOT NULL,
    -- Milliseconds since 1970.
    at INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (topic, revision)
) STRICT, WITHOUT ROWID;

-- What a change of a feed was answered: the epoch and the revision of its last event, and when the store took it, in milliseconds since 1970. The
-- column `kind` is 4 for such a change, and `amount` a digest of the events.
ALTER TABLE idempotency ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE idempotency ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE idempotency ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
