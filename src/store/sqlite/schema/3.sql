-- 0 if the topic is there. A deleted topic is announced like any other change; its row stays until that is acknowledged, and for a
-- minute more. Then it has the time of its deletion, and later that of the acknowledgement, in milliseconds since 1970.
ALTER TABLE topic ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX topic_deleted ON topic (deleted) WHERE deleted > 0;

-- What the key was used for: 0 to add the amount, 1 to set the amount, 2 to delete. Of a deletion, the amount is 1 if there was a
-- topic, and 0 otherwise.
ALTER TABLE idempotency ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;

-- What a topic stood at in an hour (unit 0) or day (unit 1), whose number is counted from 1970; written by claims.
CREATE TABLE history (
    topic TEXT NOT NULL,
    unit INTEGER NOT NULL,
    number INTEGER NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (topic, unit, number)
) STRICT, WITHOUT ROWID;
