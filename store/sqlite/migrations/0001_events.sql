-- Times everywhere are nanoseconds since 1970, UTC.
CREATE TABLE events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    time        INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    environment TEXT NOT NULL,
    service     TEXT NOT NULL,
    subject     TEXT NOT NULL,
    message     TEXT NOT NULL,
    evidence    TEXT -- a JSON object
) STRICT;

CREATE INDEX events_by_time ON events (time);
CREATE INDEX events_by_kind ON events (kind);
CREATE INDEX events_by_service ON events (environment, service);
CREATE INDEX events_by_subject ON events (subject) WHERE subject <> '';

CREATE TRIGGER events_never_change BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events never change'); END;

CREATE TRIGGER events_never_go BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;
