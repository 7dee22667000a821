-- The value that was claimed last, at the time `claimed`. It goes into the history with the first claim of another hour. NULL if the
-- topic is deleted or was not claimed since it was created, and of topics that were claimed in version 3.
ALTER TABLE topic ADD COLUMN claimed_value INTEGER;
-- 1 while no hour of the topic is complete and the value before its first claim was 0; otherwise 0.
ALTER TABLE topic ADD COLUMN is_new INTEGER NOT NULL DEFAULT 0;
