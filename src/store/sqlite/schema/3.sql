-- 0 if the topic is not deleted. A deletion is announced like any other change; the row of the topic stays until the deletion is
-- acknowledged, and for a minute more. In this time the column has the time of the deletion, and after the acknowledgement the time
-- of the acknowledgement, in milliseconds since 1970.
ALTER TABLE topic ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX topic_deleted ON topic (deleted) WHERE deleted > 0;

-- The change for which the key was used: 0 to add the amount, 1 to set the amount, 2 to delete. Of a deletion, the amount is 1 if
-- the topic existed, and 0 otherwise.
ALTER TABLE idempotency ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;

-- The value claimed last of a topic in an hour (unit 0) or a day (unit 1). The number of the hour or day is counted from 1970.
CREATE TABLE history (
    topic TEXT NOT NULL,
    unit INTEGER NOT NULL,
    number INTEGER NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (topic, unit, number)
) STRICT, WITHOUT ROWID;
