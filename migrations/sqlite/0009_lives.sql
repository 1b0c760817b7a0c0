-- How often a job has fired by its schedule, and how many fires it may have yet where it has a `max_fires`.
ALTER TABLE jobs ADD COLUMN fired INTEGER NOT NULL DEFAULT 0 CHECK (fired >= 0);
ALTER TABLE jobs ADD COLUMN fires_left INTEGER CHECK (fires_left >= 0); -- 0: it has come to its end; NULL: it may fire for ever
-- The last instant that a definition had, of a job that fired as often as it might while that held.
ALTER TABLE job_revisions ADD COLUMN ended_at TEXT CHECK (ended_at GLOB '????-??-??T??:??:??.???Z');
