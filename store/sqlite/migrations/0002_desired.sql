-- When and by whom a state was applied stands in its event.
CREATE TABLE desired (
    environment TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    digest      TEXT NOT NULL,
    description TEXT NOT NULL,
    event       INTEGER NOT NULL REFERENCES events (id),
    PRIMARY KEY (environment, revision)
) STRICT;
