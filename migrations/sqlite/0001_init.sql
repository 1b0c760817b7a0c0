-- The first schema of pushcron. docs/schema.md explains every table, column and state for people.
--
-- Instants are UTC text of one width, 2026-01-01T01:00:00.000Z, which sorts as it reads. JSON columns hold the
-- domain types as serde writes them. An applied migration is never edited: a change is a new file.
--
-- Checks of every row that is written say `a = 'x' OR a = 'y'`: a list of three or more after IN would make SQLite
-- build a temporary index for it in every statement, which took as long as writing the row.

-- What the database knows of itself.
--   database_id  the stem of every idempotency key, so that two databases never use the same one
--   created_at   when this file was made
--   backup_of    only inside a backup: when it was taken
--   restored_at  when this file was first opened as a restored backup
--   pruned_until the last instant of which pruning has taken a fire
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per job ever loaded; a job that left the files keeps its row, marked removed.
CREATE TABLE jobs (
  name            TEXT PRIMARY KEY CHECK (name <> ''),
  schedule        TEXT NOT NULL,                     -- as people read it: a cron text, 'every 30s', 'at …'
  timezone        TEXT NOT NULL,                     -- IANA name
  enabled         INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  paused_at       TEXT CHECK (paused_at GLOB '????-??-??T??:??:??.???Z'),
  next_due_at     TEXT CHECK (next_due_at GLOB '????-??-??T??:??:??.???Z'), -- the first instant without a row in fires
  definition      TEXT NOT NULL CHECK (json_valid(definition)),
  definition_hash INTEGER NOT NULL,                  -- equal hashes mean equal definitions
  revision        INTEGER NOT NULL CHECK (revision >= 1),
  loaded_at       TEXT NOT NULL CHECK (loaded_at GLOB '????-??-??T??:??:??.???Z'), -- since when this revision holds
  removed_at      TEXT CHECK (removed_at GLOB '????-??-??T??:??:??.???Z')
) STRICT;

-- Revisions that no longer hold; the one that holds is the job's own row.
CREATE TABLE job_revisions (
  job        TEXT NOT NULL REFERENCES jobs (name) ON DELETE CASCADE,
  revision   INTEGER NOT NULL,
  schedule   TEXT NOT NULL,
  timezone   TEXT NOT NULL,
  enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  definition TEXT NOT NULL CHECK (json_valid(definition)),
  from_at    TEXT NOT NULL CHECK (from_at GLOB '????-??-??T??:??:??.???Z'),
  until_at   TEXT NOT NULL CHECK (until_at GLOB '????-??-??T??:??:??.???Z'),
  UNIQUE (job, revision)
) STRICT;

-- One row per instant that a schedule called for, and per fire by hand or by a chat.
CREATE TABLE fires (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  job          TEXT REFERENCES jobs (name),          -- NULL: a push outside any job
  triggered_by TEXT NOT NULL CHECK (triggered_by = 'cron' OR triggered_by = 'manual' OR triggered_by = 'message'),
  due_at       TEXT NOT NULL CHECK (due_at GLOB '????-??-??T??:??:??.???Z'),
  until_at     TEXT CHECK (until_at GLOB '????-??-??T??:??:??.???Z'), -- the last instant that this row stands for
  count        INTEGER NOT NULL DEFAULT 1 CHECK (count >= 1),         -- how many instants it stands for
  decision     TEXT NOT NULL CHECK (decision = 'fired' OR decision = 'skipped' OR decision = 'missed'),
  reason       TEXT,
  recorded_at  TEXT NOT NULL CHECK (recorded_at GLOB '????-??-??T??:??:??.???Z'),
  zone         TEXT,                                 -- the zone, and the version of its rules, that gave due_at
  revision     INTEGER,                              -- the job's revision that called for it
  chat_im      TEXT,                                 -- the chat that asked, for trigger 'message'
  chat_account TEXT,
  UNIQUE (job, due_at, triggered_by),
  CHECK (decision = 'fired' OR reason IS NOT NULL),
  CHECK (decision <> 'fired' OR count = 1),
  CHECK ((count > 1) = (until_at IS NOT NULL)),
  CHECK (triggered_by <> 'cron' OR job IS NOT NULL),
  CHECK ((job IS NULL) = (revision IS NULL)),
  CHECK ((chat_im IS NULL) = (chat_account IS NULL)),
  CHECK (chat_im IS NULL OR triggered_by = 'message')
) STRICT;

-- Pruning and questions about a span of time.
CREATE INDEX fires_due ON fires (due_at);
-- What did not fire, among millions that did.
CREATE INDEX fires_unfired ON fires (due_at) WHERE decision <> 'fired';

-- The few rows that stand for many instants, by the last of them.
CREATE INDEX fires_spans ON fires (until_at) WHERE until_at IS NOT NULL;

-- One row per message to one target, because of one fire.
CREATE TABLE pushes (
  id              INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: idempotency keys are made of it
  fire_id         INTEGER NOT NULL REFERENCES fires (id) ON DELETE CASCADE,
  ordinal         INTEGER NOT NULL CHECK (ordinal >= 0), -- place in the job's list of pushes
  im              TEXT NOT NULL,
  target          TEXT NOT NULL CHECK (target GLOB 'group:?*' OR target GLOB 'user:?*'),
  named_account   TEXT,                              -- the account that the push names; no other may carry it
  account         TEXT,                              -- the account of the newest attempt; before it, the named one
  kind            TEXT NOT NULL CHECK (kind = 'text' OR kind = 'image' OR kind = 'voice' OR kind = 'video'
                    OR kind = 'file' OR kind = 'mixed'),
  message         TEXT NOT NULL CHECK (json_valid(message)),
  timeout_ms      INTEGER NOT NULL CHECK (timeout_ms > 0),
  retry           TEXT CHECK (retry IS NULL OR json_valid(retry)), -- NULL: the built-in policy
  state           TEXT NOT NULL,                     -- the CHECK below lists them, with what each says of the rest
  sent_count      INTEGER NOT NULL DEFAULT 0 CHECK (sent_count = (state = 'sent')),
  attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),   -- rows in attempts, and the newest number
  max_attempts    INTEGER NOT NULL CHECK (max_attempts >= 1),
  next_attempt_at TEXT CHECK (next_attempt_at GLOB '????-??-??T??:??:??.???Z'),
  expires_at      TEXT NOT NULL CHECK (expires_at GLOB '????-??-??T??:??:??.???Z'),
  finished_at     TEXT CHECK (finished_at GLOB '????-??-??T??:??:??.???Z'),
  reason          TEXT,
  confirmed_at    TEXT CHECK (confirmed_at GLOB '????-??-??T??:??:??.???Z'),
  parts           TEXT CHECK (parts IS NULL OR json_valid(parts)), -- results of a split or mixed message, part by part
  exclusive_job   TEXT,                              -- the job, where its overlap is 'skip' or 'replace'
  UNIQUE (fire_id, ordinal),
  CHECK (CASE state
           WHEN 'pending'   THEN next_attempt_at IS NOT NULL AND finished_at IS NULL AND attempts = 0
           WHEN 'sending'   THEN next_attempt_at IS NULL AND finished_at IS NULL AND attempts > 0
           WHEN 'retrying'  THEN next_attempt_at IS NOT NULL AND finished_at IS NULL AND reason IS NOT NULL
           WHEN 'sent'      THEN next_attempt_at IS NULL AND finished_at IS NOT NULL
           WHEN 'failed'    THEN next_attempt_at IS NULL AND finished_at IS NOT NULL AND reason IS NOT NULL
           WHEN 'unknown'   THEN next_attempt_at IS NULL AND finished_at IS NOT NULL AND reason IS NOT NULL
           WHEN 'expired'   THEN next_attempt_at IS NULL AND finished_at IS NOT NULL AND reason IS NOT NULL
           WHEN 'cancelled' THEN next_attempt_at IS NULL AND finished_at IS NOT NULL AND reason IS NOT NULL
           ELSE false
         END),
  CHECK (confirmed_at IS NULL OR state = 'sent')
) STRICT;

-- The few open ones among millions.
CREATE INDEX pushes_open ON pushes (id) WHERE finished_at IS NULL;
-- Is anything of an earlier fire still open? (overlap: skip and replace)
CREATE INDEX pushes_exclusive ON pushes (exclusive_job) WHERE exclusive_job IS NOT NULL AND finished_at IS NULL;
-- What did not go well.
CREATE INDEX pushes_troubled ON pushes (state, finished_at)
  WHERE finished_at IS NOT NULL AND state <> 'sent';
-- The newest pushes of one im, and of one account.
CREATE INDEX pushes_im ON pushes (im);
CREATE INDEX pushes_account ON pushes (account) WHERE account IS NOT NULL;

-- One row per try through one account; opened before the first byte leaves, closed once.
CREATE TABLE attempts (
  id          INTEGER PRIMARY KEY,
  push_id     INTEGER NOT NULL REFERENCES pushes (id) ON DELETE CASCADE,
  number      INTEGER NOT NULL CHECK (number >= 1),
  account     TEXT NOT NULL,
  rule        TEXT NOT NULL CHECK (rule = 'explicit' OR rule = 'message_account' OR rule = 'im_default'
                OR rule = 'first_online'),
  sender      TEXT NOT NULL,
  started_at  TEXT NOT NULL CHECK (started_at GLOB '????-??-??T??:??:??.???Z'),
  finished_at TEXT CHECK (finished_at GLOB '????-??-??T??:??:??.???Z'),
  outcome     TEXT CHECK (outcome = 'sent' OR outcome = 'unknown' OR outcome = 'rejected'
                OR outcome = 'target_gone' OR outcome = 'account_down' OR outcome = 'throttled'
                OR outcome = 'unreachable'),
  error       TEXT,                                  -- what the platform said, without secrets
  http_status INTEGER,
  message_id  TEXT,                                  -- the platform's own
  note        TEXT,                                  -- how it went out when not as asked: 'voice as file'
  UNIQUE (push_id, number),
  CHECK ((finished_at IS NULL) = (outcome IS NULL)),
  CHECK (outcome IS NOT NULL OR (error IS NULL AND http_status IS NULL AND message_id IS NULL AND note IS NULL))
) STRICT;

-- The accounts of the files and what is known of their health. Settings and secrets stay in the files.
CREATE TABLE accounts (
  id             TEXT PRIMARY KEY CHECK (id <> ''),
  position       INTEGER NOT NULL,                   -- the order of the files decides who is first
  im             TEXT NOT NULL,
  sender         TEXT NOT NULL,
  is_default     INTEGER NOT NULL CHECK (is_default IN (0, 1)),
  online         INTEGER CHECK (online IN (0, 1)),   -- NULL: never probed, or the platform cannot tell
  sendable       INTEGER CHECK (sendable IN (0, 1)),
  checked_at     TEXT CHECK (checked_at GLOB '????-??-??T??:??:??.???Z'),
  last_error     TEXT,
  cooldown_until TEXT CHECK (cooldown_until GLOB '????-??-??T??:??:??.???Z')
) STRICT;

-- What a sender keeps over restarts, such as a context token.
CREATE TABLE account_state (
  account    TEXT NOT NULL,
  key        TEXT NOT NULL,
  value      TEXT NOT NULL,
  updated_at TEXT NOT NULL CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;

-- Inline media, once per content; messages name it as blob:SHA256.
CREATE TABLE blobs (
  sha256  TEXT PRIMARY KEY CHECK (length(sha256) = 64),
  bytes   BLOB NOT NULL,
  used_at TEXT NOT NULL CHECK (used_at GLOB '????-??-??T??:??:??.???Z') -- last loaded, pushed or taken out of a job
) STRICT;

-- A line per push, for people: "order by id desc limit 20" is the newest page.
CREATE VIEW push_history AS
SELECT p.id,
       f.job,
       f.due_at,
       p.target,
       p.im,
       p.kind,
       p.state,
       p.account,
       last.rule,
       last.error,
       p.reason,
       last.message_id,
       CAST(round((julianday(first.started_at) - julianday(f.due_at)) * 86400000) AS INTEGER) AS lateness_ms,
       p.attempts,
       p.finished_at,
       p.confirmed_at,
       f.triggered_by,
       coalesce(substr(f.zone, 1, instr(f.zone, ' ') - 1), j.timezone) AS timezone
  FROM pushes AS p
  JOIN fires AS f ON f.id = p.fire_id
  LEFT JOIN jobs AS j ON j.name = f.job
  LEFT JOIN attempts AS first ON first.push_id = p.id AND first.number = 1
  LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts;

-- Open pushes: what is waiting, for what, and until when.
CREATE VIEW due_pushes AS
SELECT p.id,
       f.job,
       f.due_at,
       p.target,
       p.im,
       p.kind,
       p.state,
       p.account,
       p.next_attempt_at,
       p.reason,
       p.attempts,
       p.max_attempts,
       p.expires_at
  FROM pushes AS p INDEXED BY pushes_open
  JOIN fires AS f ON f.id = p.fire_id
 WHERE p.finished_at IS NULL;

-- Perhaps delivered, and nobody can say: look at the chat, then `pushcron resolve ID sent|failed`.
CREATE VIEW unknown_pushes AS
SELECT p.id,
       f.job,
       f.due_at,
       p.target,
       p.im,
       p.kind,
       p.account,
       last.error,
       p.reason,
       p.attempts,
       p.finished_at
  FROM pushes AS p INDEXED BY pushes_troubled
  JOIN fires AS f ON f.id = p.fire_id
  LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts
 WHERE p.finished_at IS NOT NULL AND p.state <> 'sent'
   AND p.state = 'unknown';

-- A line per job in the files: when next, and what became of the last instant.
CREATE VIEW job_overview AS
SELECT j.name AS job,
       j.schedule,
       j.timezone,
       CASE WHEN j.paused_at IS NOT NULL THEN 'paused' WHEN j.enabled THEN 'active' ELSE 'disabled' END AS state,
       j.next_due_at,
       last.due_at AS last_due_at,
       last.decision AS last_decision,
       (SELECT group_concat(DISTINCT p.state) FROM pushes AS p WHERE p.fire_id = last.id) AS last_pushes,
       coalesce(open.pushes, 0) AS open_pushes,
       j.revision,
       j.loaded_at
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

-- A line per account, in the order of the files.
CREATE VIEW account_overview AS
SELECT a.id AS account,
       a.im,
       a.sender,
       a.is_default,
       a.online,
       a.sendable,
       a.checked_at,
       a.cooldown_until,
       a.last_error,
       last.started_at AS last_attempt_at,
       last.outcome AS last_outcome
  FROM accounts AS a
  LEFT JOIN pushes AS p
    ON p.id = (SELECT t.id FROM pushes AS t WHERE t.account = a.id AND t.attempts > 0 ORDER BY t.id DESC LIMIT 1)
  LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts
 ORDER BY a.position;

-- What went wrong since midnight, by the clock and zone of the machine that asks.
CREATE VIEW failures_today AS
SELECT p.id,
       f.job,
       f.due_at,
       p.target,
       p.im,
       p.kind,
       p.state,
       p.account,
       last.error,
       p.reason,
       p.attempts,
       p.finished_at
  FROM pushes AS p INDEXED BY pushes_troubled
  JOIN fires AS f ON f.id = p.fire_id
  LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts
 WHERE p.finished_at IS NOT NULL AND p.state <> 'sent'
   AND p.state IN ('failed', 'unknown', 'expired')
   AND p.finished_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', 'localtime', 'start of day', 'utc');
