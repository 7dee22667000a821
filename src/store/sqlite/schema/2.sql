-- A claim is repeated only if the topic has not changed since, so the claimed value is the present value.
ALTER TABLE topic DROP COLUMN published_value;

-- When the topic was claimed last, in milliseconds since 1970. Topics of version 1 count as claimed now.
ALTER TABLE topic ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
UPDATE topic SET claimed = 1000 * unixepoch();
