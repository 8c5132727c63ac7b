CREATE TABLE tokens (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    salt          BLOB NOT NULL,
    hash          BLOB NOT NULL,
    last_used     INTEGER, -- NULL until it is used
    created_event INTEGER NOT NULL REFERENCES events (id),
    revoked_event INTEGER REFERENCES events (id)
) STRICT;
