-- What fired of a job and was pruned since, in stretches: whatever the clock shows afterwards, no instant of the schedule
-- that called for it fires again. A few stretches of each job are kept, the latest.
CREATE TABLE pruned_fires (
  job      TEXT NOT NULL REFERENCES jobs (name) ON DELETE CASCADE,
  schedule TEXT NOT NULL CHECK (json_valid(schedule)), -- the schedule, its zone, and what it does in a gap of summer time
  from_at  TEXT NOT NULL CHECK (from_at GLOB '????-??-??T??:??:??.???Z'),
  until_at TEXT NOT NULL CHECK (until_at GLOB '????-??-??T??:??:??.???Z'),
  goes_on  INTEGER NOT NULL CHECK (goes_on IN (0, 1)), -- nothing was pruned after it that did not fire
  PRIMARY KEY (job, from_at)
) STRICT, WITHOUT ROWID;
