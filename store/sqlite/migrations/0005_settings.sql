-- The revision of a value is the id of its event: it is never used twice,
-- not even when the value is deleted and made again.
CREATE TABLE settings (
    scope TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    event INTEGER NOT NULL REFERENCES events (id),
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
