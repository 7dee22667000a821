-- A claim is repeated only while nothing has changed since, so the value then is the value now.
ALTER TABLE topic DROP COLUMN published_value;

-- When the topic was claimed last, in milliseconds since 1970. Topics from before count as claimed now.
ALTER TABLE topic ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
UPDATE topic SET claimed = 1000 * unixepoch();
