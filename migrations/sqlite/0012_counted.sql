-- How many fires count for the `max_fires` of a job: more than that, where it was put below them.
ALTER TABLE jobs ADD COLUMN counted INTEGER NOT NULL DEFAULT 0 CHECK (counted >= 0);
UPDATE jobs SET counted = max(0, (definition ->> '$.life.max_fires') - fires_left) WHERE fires_left IS NOT NULL;
