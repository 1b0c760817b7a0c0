-- Jobs that verbs make while the daemon runs, beside those of the files, and jobs that have an end.
ALTER TABLE jobs ADD COLUMN source TEXT NOT NULL DEFAULT 'file' CHECK (source = 'file' OR source = 'verb');
-- The last instant that the schedule called for, written with the row that decided it; NULL while there are more.
ALTER TABLE jobs ADD COLUMN ended_at TEXT CHECK (ended_at GLOB '????-??-??T??:??:??.???Z');

DROP VIEW IF EXISTS job_overview;

-- A line per job: when next, and what became of the last instant.
CREATE VIEW job_overview AS
SELECT j.name AS job,
       j.schedule,
       j.timezone,
       CASE WHEN j.ended_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') THEN 'ended'
            WHEN j.paused_at IS NOT NULL THEN 'paused'
            WHEN j.enabled THEN 'active'
            ELSE 'disabled' END AS state,
       j.next_due_at,
       last.due_at AS last_due_at,
       last.decision AS last_decision,
       (SELECT group_concat(DISTINCT p.state) FROM pushes AS p WHERE p.fire_id = last.id) AS last_pushes,
       coalesce(open.pushes, 0) AS open_pushes,
       j.revision,
       j.loaded_at,
       j.source,
       j.ended_at
  FROM jobs AS j
  LEFT JOIN fires AS last
    ON last.id = (SELECT f.id
                    FROM fires AS f
                   WHERE f.job = j.name
                     AND f.due_at <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
                   ORDER BY f.due_at DESC
                   LIMIT 1)
  LEFT JOIN (SELECT f.job, count(*) AS pushes
               FROM pushes AS p INDEXED BY pushes_open
               JOIN fires AS f ON f.id = p.fire_id
              WHERE p.finished_at IS NULL
              GROUP BY f.job) AS open
    ON open.job = j.name
 WHERE j.removed_at IS NULL;
