-- The fields of entities, as a JSON object with the names in ascending order. A row is written in the transaction that writes the
-- revision of the topic, and deleted in the one that deletes the topic. The column `idempotency.kind` is 3 for a change of fields.
CREATE TABLE document (
    topic TEXT PRIMARY KEY,
    fields TEXT NOT NULL,
    -- When the entity is to be deleted, in milliseconds since 1970; NULL if it lives on.
    ends INTEGER
) STRICT;
CREATE INDEX document_ends ON document (ends) WHERE ends IS NOT NULL;
