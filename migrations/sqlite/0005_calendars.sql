-- Lists of days (workdays, holidays) by which schedules went: each version once, so that the past is judged by the list of
-- the past.
CREATE TABLE calendars (
  digest    TEXT PRIMARY KEY,                        -- of the whole list: definitions name it by this
  name      TEXT NOT NULL,
  version   TEXT NOT NULL,
  list      TEXT NOT NULL CHECK (json_valid(list)),
  loaded_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a list had to say of the day: `cn 2026-11-28: 国庆节`.
ALTER TABLE fires ADD COLUMN calendar TEXT;
