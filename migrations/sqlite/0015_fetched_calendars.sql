-- Lists of days that lie at an address (`url` of a calendar), as the daemon fetched them last.
CREATE TABLE fetched_calendars (
  name       TEXT PRIMARY KEY,                       -- under `calendars`
  url        TEXT NOT NULL,
  list       TEXT,                                   -- the last good version, as a file of ours; NULL: there was none yet
  changed_at TEXT CHECK (changed_at GLOB '????-??-??T??:??:??.???Z'), -- since when it is that
  good_at    TEXT CHECK (good_at GLOB '????-??-??T??:??:??.???Z'), -- the last fetch without trouble
  tried_at   TEXT NOT NULL CHECK (tried_at GLOB '????-??-??T??:??:??.???Z'),
  error      TEXT,                                   -- what was the matter with the last one
  CHECK ((list IS NULL) = (good_at IS NULL))
) STRICT, WITHOUT ROWID;
