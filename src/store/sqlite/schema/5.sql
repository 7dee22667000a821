-- The addresses of pages. The name of a page's topic is a digest, which does not tell the address.
CREATE TABLE address (
    topic TEXT PRIMARY KEY,
    address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
