-- Holds a row only while a transaction prunes: it is put in and taken out
-- within that transaction, so nobody else ever sees it.
CREATE TABLE pruning (
    under_way INTEGER PRIMARY KEY CHECK (under_way = 1)
) STRICT;

DROP TRIGGER events_never_go;

CREATE TRIGGER events_go_by_pruning BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM pruning)
BEGIN SELECT RAISE(ABORT, 'events are removed by pruning only'); END;

CREATE TRIGGER events_of_people_never_go BEFORE DELETE ON events
WHEN OLD.actor GLOB 'user:*' OR OLD.actor GLOB 'token:*'
BEGIN SELECT RAISE(ABORT, 'what people did is never removed'); END;

-- An event goes only when nothing refers to it: without these each of them
-- would cost a walk through the table that might.
CREATE INDEX desired_by_event ON desired (event);
CREATE INDEX settings_by_event ON settings (event);
CREATE INDEX tokens_by_created_event ON tokens (created_event);
CREATE INDEX tokens_by_revoked_event ON tokens (revoked_event);
