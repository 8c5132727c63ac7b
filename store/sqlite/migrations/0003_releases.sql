CREATE TABLE releases (
    digest        TEXT PRIMARY KEY,
    service       TEXT NOT NULL,
    source_commit TEXT NOT NULL,
    configuration TEXT NOT NULL,
    event         INTEGER NOT NULL REFERENCES events (id)
) STRICT;

CREATE INDEX releases_by_service ON releases (service, event);
CREATE INDEX releases_by_event ON releases (event);

CREATE TRIGGER releases_never_change BEFORE UPDATE ON releases
BEGIN SELECT RAISE(ABORT, 'releases never change'); END;
