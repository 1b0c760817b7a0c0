-- Ten million pushes of a thousand jobs over two years, for `cargo bench --bench store -- history FILE`.
-- Into an empty database that pushcron has made: sqlite3 FILE < benches/history.sql
PRAGMA foreign_keys = OFF;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -500000;

BEGIN;
INSERT INTO jobs (name, schedule, timezone, enabled, next_due_at, definition, definition_hash, revision, loaded_at)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
SELECT printf('job-%03d', i), 'every 7000s', 'UTC', 1, '2026-01-01T09:00:00.000Z',
       '{"overlap":"allow","schedule":{"every":7000000},"misfire":{},"push":[]}', i, 1, '2023-10-01T00:00:00.000Z'
  FROM n;

INSERT INTO fires (id, job, triggered_by, due_at, decision, recorded_at, zone, revision)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000)
SELECT i, printf('job-%03d', i % 1000), 'cron', strftime('%Y-%m-%dT%H:%M:%fZ', 1696118400 + 7 * i, 'unixepoch'),
       'fired', strftime('%Y-%m-%dT%H:%M:%fZ', 1696118400 + 7 * i, 'unixepoch'), 'UTC 2026a', 1
  FROM n;

INSERT INTO pushes (id, fire_id, ordinal, im, target, account, kind, message, timeout_ms, state, sent_count, attempts,
                    max_attempts, expires_at, finished_at, reason)
SELECT id, id, 0,
       CASE WHEN id % 100000 = 7 THEN 'rare' WHEN id % 3 = 0 THEN 'qq' WHEN id % 3 = 1 THEN 'wechat' ELSE 'telegram' END,
       'group:' || (id % 200), CASE WHEN id % 100000 = 7 THEN 'rarebot' ELSE 'bot_' || (id % 5) END, 'text',
       '{"kind":"text","text":"Today''s tasks are complete, and here is a line of the usual length."}', 30000,
       CASE WHEN id % 1000 = 1 THEN 'failed' WHEN id % 5000 = 2 THEN 'unknown' ELSE 'sent' END,
       id % 1000 <> 1 AND id % 5000 <> 2, 1, 5, due_at, due_at,
       CASE WHEN id % 1000 = 1 THEN 'rejected' WHEN id % 5000 = 2 THEN 'unknown' END
  FROM fires;

INSERT INTO attempts (id, push_id, number, account, rule, sender, started_at, finished_at, outcome, http_status)
SELECT id, id, 1, account, 'im_default', 'onebot11', expires_at, finished_at,
       CASE state WHEN 'failed' THEN 'rejected' WHEN 'unknown' THEN 'unknown' ELSE 'sent' END, 200
  FROM pushes;
COMMIT;
