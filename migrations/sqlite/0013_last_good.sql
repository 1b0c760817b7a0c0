-- Sources that fail, and what they said the last time that stands in for it (`stale: last_good`).
ALTER TABLE contents ADD COLUMN stale_from TEXT CHECK (stale_from GLOB '????-??-??T??:??:??.???Z'); -- when the source said it; NULL: for this fire
ALTER TABLE contents ADD COLUMN stale_why TEXT; -- what was the matter with the source
ALTER TABLE recipient_lists ADD COLUMN stale_from TEXT CHECK (stale_from GLOB '????-??-??T??:??:??.???Z');
ALTER TABLE recipient_lists ADD COLUMN stale_why TEXT;

-- Lists of recipients as they were read the last time, where they may be used again.
CREATE TABLE last_lists (
  job     TEXT NOT NULL REFERENCES jobs (name) ON DELETE CASCADE,
  name    TEXT NOT NULL,                             -- under `targets`
  key     TEXT NOT NULL,                             -- the list as it was defined; another one is another list
  entries TEXT NOT NULL CHECK (json_valid(entries)),
  read_at TEXT NOT NULL CHECK (read_at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;
