CREATE TABLE steps (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    plan        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    environment TEXT NOT NULL,
    service     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    detail      TEXT,
    began       INTEGER NOT NULL,
    ended       INTEGER, -- NULL while the step is open
    outcome     TEXT NOT NULL DEFAULT '',
    reason      TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX steps_by_plan ON steps (plan);
CREATE INDEX steps_open ON steps (id) WHERE ended IS NULL;
