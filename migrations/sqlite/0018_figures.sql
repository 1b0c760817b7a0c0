-- What charts show, counted beforehand, so that no page counts millions of rows. The daemon makes both tables of fires, pushes
-- and attempts; where both are empty it makes them anew.

-- What was due in an hour, by im and account.
CREATE TABLE hours (
  hour         TEXT NOT NULL CHECK (hour GLOB '????-??-??T??:00:00.000Z'), -- when it begins
  im           TEXT NOT NULL,
  account      TEXT NOT NULL,                        -- of the newest attempt; '' where there was none
  sent         INTEGER NOT NULL,
  failed       INTEGER NOT NULL,
  unknown      INTEGER NOT NULL,
  expired      INTEGER NOT NULL,
  cancelled    INTEGER NOT NULL,
  open         INTEGER NOT NULL,                     -- not at their end when the hour was counted
  -- First attempts, by how long after the instant they began: later than the bound before, and no later than this one.
  late_10      INTEGER NOT NULL,
  late_50      INTEGER NOT NULL,
  late_100     INTEGER NOT NULL,
  late_500     INTEGER NOT NULL,
  late_1000    INTEGER NOT NULL,
  late_5000    INTEGER NOT NULL,
  late_30000   INTEGER NOT NULL,
  late_60000   INTEGER NOT NULL,
  late_300000  INTEGER NOT NULL,
  late_3600000 INTEGER NOT NULL,
  late_more    INTEGER NOT NULL,
  most_ms      INTEGER,                              -- NULL: no attempt began
  PRIMARY KEY (hour, im, account)
) STRICT, WITHOUT ROWID;

-- What became of a job's instants on one of its days.
CREATE TABLE job_days (
  job       TEXT NOT NULL,
  day       TEXT NOT NULL CHECK (day GLOB '????-??-??'),
  zone      TEXT NOT NULL,                           -- in which the day began and ended
  fired     INTEGER NOT NULL,
  skipped   INTEGER NOT NULL,
  missed    INTEGER NOT NULL,
  sent      INTEGER NOT NULL,
  failed    INTEGER NOT NULL,
  unknown   INTEGER NOT NULL,
  expired   INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  open      INTEGER NOT NULL,
  PRIMARY KEY (job, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_days_day ON job_days (day, zone, skipped, missed);
