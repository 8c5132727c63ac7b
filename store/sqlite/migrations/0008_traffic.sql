-- Hours are many and kept for years, so services stand in them as numbers.
CREATE TABLE traffic_services (
    id          INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    service     TEXT NOT NULL,
    UNIQUE (environment, service)
) STRICT;

CREATE TABLE traffic_hours (
    service  INTEGER NOT NULL REFERENCES traffic_services (id),
    hour     INTEGER NOT NULL, -- hours since 1970
    requests INTEGER NOT NULL,
    errors   INTEGER NOT NULL,
    peak     REAL NOT NULL,    -- requests a second in the busiest minute
    observed REAL NOT NULL,    -- seconds
    PRIMARY KEY (service, hour)
) STRICT, WITHOUT ROWID;

-- How far requests were counted: one row.
CREATE TABLE traffic_mark (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    at       INTEGER NOT NULL,
    counters TEXT NOT NULL
) STRICT;
