-- A database as pushcron 0.1.0 wrote it, whole: every kind of message and every field of a policy stand in it.
-- Never edited: what it says must be read for ever.
PRAGMA application_id = 1885565550;
PRAGMA user_version = 1;
PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE account_state (
  account    TEXT NOT NULL,
  key        TEXT NOT NULL,
  value      TEXT NOT NULL,
  updated_at TEXT NOT NULL CHECK (updated_at GLOB '????-??-??T??:??:??.???Z'),
  PRIMARY KEY (account, key)
) STRICT, WITHOUT ROWID;
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
INSERT INTO "accounts" VALUES('bot',0,'qq','onebot11',1,0,0,'2026-11-28T16:03:43.794Z','get_status: cannot connect: Connection refused (os error 111)',NULL);
INSERT INTO "accounts" VALUES('screen',1,'console','console',0,1,1,'2026-11-28T16:03:43.794Z',NULL,NULL);
INSERT INTO "accounts" VALUES('tg',2,'telegram','telegram',0,1,1,'2026-11-28T16:03:45.007Z','text 2/2: 429: Too Many Requests','2026-11-29T15:57:05.007Z');
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
INSERT INTO "attempts" VALUES(1,14,1,'screen','first_online','console','2026-11-28T16:03:45.002Z','2026-11-28T16:03:45.003Z','sent',NULL,NULL,'pc-ece57521ab-14',NULL);
INSERT INTO "attempts" VALUES(2,15,1,'tg','first_online','telegram','2026-11-28T16:03:45.002Z','2026-11-28T16:03:45.007Z','throttled','text 2/2: 429: Too Many Requests',429,'7',NULL);
CREATE TABLE blobs (
  sha256  TEXT PRIMARY KEY CHECK (length(sha256) = 64),
  bytes   BLOB NOT NULL,
  used_at TEXT NOT NULL CHECK (used_at GLOB '????-??-??T??:??:??.???Z') -- last loaded, pushed or taken out of a job
) STRICT;
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
INSERT INTO "fires" VALUES(1,'text','cron','2026-11-28T16:03:45.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(2,'image','cron','2026-11-28T16:03:45.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(3,'voice','cron','2026-11-28T16:03:45.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(4,'video','cron','2026-11-28T16:03:45.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(5,'file','cron','2026-11-28T16:03:45.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(6,'mixed','cron','2026-11-28T16:03:45.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(7,'text','cron','2026-11-28T16:03:48.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(8,'image','cron','2026-11-28T16:03:48.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(9,'voice','cron','2026-11-28T16:03:48.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(10,'video','cron','2026-11-28T16:03:48.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(11,'file','cron','2026-11-28T16:03:48.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(12,'mixed','cron','2026-11-28T16:03:48.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:43.793Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(13,'policies','cron','2026-11-28T16:03:45.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:45.000Z','Asia/Shanghai 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(14,'parts','cron','2026-11-28T16:03:45.000Z',NULL,1,'fired',NULL,'2026-11-28T16:03:45.000Z','UTC 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(21,'policies','cron','2026-11-28T16:03:48.000Z',NULL,1,'skipped','overlap','2026-11-28T16:03:48.001Z','Asia/Shanghai 2025b',1,NULL,NULL);
INSERT INTO "fires" VALUES(22,'parts','cron','2026-11-28T16:03:48.000Z',NULL,1,'skipped','overlap','2026-11-28T16:03:48.001Z','UTC 2025b',1,NULL,NULL);
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
INSERT INTO "jobs" VALUES('text','every 3s','UTC',1,NULL,'2026-11-28T16:03:51.000Z','{"name":"text","schedule":{"every":3000},"timezone":"UTC","enabled":true,"push":[{"im":"qq","target":"group:1","message":{"title":"T","kind":"text","text":"hi"},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"latest","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"allow","dst_gap":"fire"}',310824039487789369,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('image','every 3s','UTC',1,NULL,'2026-11-28T16:03:51.000Z','{"name":"image","schedule":{"every":3000},"timezone":"UTC","enabled":true,"push":[{"im":"qq","target":"user:2","account":"bot","message":{"kind":"image","source":"https://example.org/a.png","filename":"a.png","mime_type":"image/png","caption":"c"},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"latest","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"allow","dst_gap":"fire"}',8275804942937940447,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('voice','every 3s','UTC',1,NULL,'2026-11-28T16:03:51.000Z','{"name":"voice","schedule":{"every":3000},"timezone":"UTC","enabled":true,"push":[{"im":"qq","target":"group:1","message":{"kind":"voice","source":"base64://SUQzBAA="},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"latest","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"allow","dst_gap":"fire"}',-4786978285954650519,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('video','every 3s','UTC',1,NULL,'2026-11-28T16:03:51.000Z','{"name":"video","schedule":{"every":3000},"timezone":"UTC","enabled":true,"push":[{"im":"qq","target":"group:1","message":{"kind":"video","source":"https://example.org/a.mp4","cover":"https://example.org/a.png"},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"latest","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"allow","dst_gap":"fire"}',-2027960982952530562,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('file','every 3s','UTC',1,NULL,'2026-11-28T16:03:51.000Z','{"name":"file","schedule":{"every":3000},"timezone":"UTC","enabled":true,"push":[{"im":"qq","target":"group:1","message":{"kind":"file","source":"data:text/plain;base64,aGk="},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"latest","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"allow","dst_gap":"fire"}',3902207734087405711,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('mixed','every 3s','UTC',1,NULL,'2026-11-28T16:03:51.000Z','{"name":"mixed","schedule":{"every":3000},"timezone":"UTC","enabled":true,"push":[{"im":"qq","target":"group:1","message":{"kind":"mixed","items":[{"type":"text","text":"a"},{"type":"markdown","text":"**b**"},{"type":"image","source":"https://example.org/a.png"},{"type":"voice","source":"https://example.org/a.mp3"},{"type":"video","source":"https://example.org/a.mp4"},{"type":"file","source":"https://example.org/a.pdf"},{"type":"at","user":"7"},{"type":"at_all"}]},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"latest","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"allow","dst_gap":"fire"}',6481576790763345683,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('policies','every 3s','Asia/Shanghai',1,NULL,'2026-11-28T16:03:51.000Z','{"name":"policies","schedule":{"every":3000},"timezone":"Asia/Shanghai","enabled":true,"push":[{"im":"qq","target":"group:1","message":{"kind":"text","text":"every policy"},"timeout_ms":7000,"retry":{"max_attempts":7,"backoff_ms":11000,"factor":3.0,"max_backoff_ms":780000,"jitter":0.5,"give_up_after_ms":43200000000,"resend_unknown":true}},{"im":"console","target":"user:u","message":{"kind":"text","text":"sent"},"timeout_ms":15000,"retry":{"max_attempts":7,"backoff_ms":11000,"factor":3.0,"max_backoff_ms":780000,"jitter":0.5,"give_up_after_ms":43200000000,"resend_unknown":true}}],"misfire":{"policy":"all","within_ms":10800000,"grace_ms":90000,"max":42},"overlap":"skip","dst_gap":"skip"}',8475419552390811243,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('cron','30 2 * * MON-FRI','UTC',0,NULL,'2026-11-30T02:30:00.000Z','{"name":"cron","schedule":{"cron":"30 2 * * MON-FRI"},"timezone":"UTC","enabled":false,"push":[{"im":"console","target":"user:u","message":{"kind":"text","text":"hi"},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"skip","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"replace","dst_gap":"fire"}',-4497634564157187635,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('at','at 2099-01-01T00:00:00.000Z','UTC',1,NULL,'2099-01-01T00:00:00.000Z','{"name":"at","schedule":{"at":"2099-01-01T00:00:00.000Z"},"timezone":"UTC","enabled":true,"push":[{"im":"console","target":"user:u","message":{"kind":"text","text":"hi"},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"latest","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"allow","dst_gap":"fire"}',-8481027480663713595,1,'2026-11-28T16:03:43.789Z',NULL);
INSERT INTO "jobs" VALUES('parts','every 3s','UTC',1,NULL,'2026-11-28T16:03:51.000Z','{"name":"parts","schedule":{"every":3000},"timezone":"UTC","enabled":true,"push":[{"im":"telegram","target":"group:-1","message":{"kind":"text","text":"长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长"},"timeout_ms":15000,"retry":{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}}],"misfire":{"policy":"latest","within_ms":3600000,"grace_ms":60000,"max":100},"overlap":"skip","dst_gap":"fire"}',-5499018480394518904,1,'2026-11-28T16:03:43.789Z',NULL);
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('created_at','2026-11-28T16:03:43.769Z');
INSERT INTO "meta" VALUES('database_id','ece57521ab');
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
INSERT INTO "pushes" VALUES(1,1,0,'qq','group:1',NULL,NULL,'text','{"title":"T","kind":"text","text":"hi"}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:14.980Z','2028-01-02T16:03:45.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(2,2,0,'qq','user:2','bot','bot','image','{"kind":"image","source":"https://example.org/a.png","filename":"a.png","mime_type":"image/png","caption":"c"}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:14.980Z','2028-01-02T16:03:45.000Z',NULL,'account_offline',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(3,3,0,'qq','group:1',NULL,NULL,'voice','{"kind":"voice","source":"base64://SUQzBAA="}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:14.980Z','2028-01-02T16:03:45.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(4,4,0,'qq','group:1',NULL,NULL,'video','{"kind":"video","source":"https://example.org/a.mp4","cover":"https://example.org/a.png"}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:14.980Z','2028-01-02T16:03:45.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(5,5,0,'qq','group:1',NULL,NULL,'file','{"kind":"file","source":"data:text/plain;base64,aGk="}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:14.980Z','2028-01-02T16:03:45.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(6,6,0,'qq','group:1',NULL,NULL,'mixed','{"kind":"mixed","items":[{"type":"text","text":"a"},{"type":"markdown","text":"**b**"},{"type":"image","source":"https://example.org/a.png"},{"type":"voice","source":"https://example.org/a.mp3"},{"type":"video","source":"https://example.org/a.mp4"},{"type":"file","source":"https://example.org/a.pdf"},{"type":"at","user":"7"},{"type":"at_all"}]}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:14.980Z','2028-01-02T16:03:45.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(7,7,0,'qq','group:1',NULL,NULL,'text','{"title":"T","kind":"text","text":"hi"}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:17.980Z','2028-01-02T16:03:48.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(8,8,0,'qq','user:2','bot','bot','image','{"kind":"image","source":"https://example.org/a.png","filename":"a.png","mime_type":"image/png","caption":"c"}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:17.980Z','2028-01-02T16:03:48.000Z',NULL,'account_offline',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(9,9,0,'qq','group:1',NULL,NULL,'voice','{"kind":"voice","source":"base64://SUQzBAA="}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:17.980Z','2028-01-02T16:03:48.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(10,10,0,'qq','group:1',NULL,NULL,'video','{"kind":"video","source":"https://example.org/a.mp4","cover":"https://example.org/a.png"}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:17.980Z','2028-01-02T16:03:48.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(11,11,0,'qq','group:1',NULL,NULL,'file','{"kind":"file","source":"data:text/plain;base64,aGk="}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:17.980Z','2028-01-02T16:03:48.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(12,12,0,'qq','group:1',NULL,NULL,'mixed','{"kind":"mixed","items":[{"type":"text","text":"a"},{"type":"markdown","text":"**b**"},{"type":"image","source":"https://example.org/a.png"},{"type":"voice","source":"https://example.org/a.mp3"},{"type":"video","source":"https://example.org/a.mp4"},{"type":"file","source":"https://example.org/a.pdf"},{"type":"at","user":"7"},{"type":"at_all"}]}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','pending',0,0,5,'2026-11-28T16:04:17.980Z','2028-01-02T16:03:48.000Z',NULL,'no_sender',NULL,NULL,NULL);
INSERT INTO "pushes" VALUES(13,13,0,'qq','group:1',NULL,NULL,'text','{"kind":"text","text":"every policy"}',7000,'{"max_attempts":7,"backoff_ms":11000,"factor":3.0,"max_backoff_ms":780000,"jitter":0.5,"give_up_after_ms":43200000000,"resend_unknown":true}','pending',0,0,7,'2026-11-28T16:04:15.001Z','2028-04-11T16:03:45.000Z',NULL,'no_sender',NULL,NULL,'policies');
INSERT INTO "pushes" VALUES(14,13,1,'console','user:u',NULL,'screen','text','{"kind":"text","text":"sent"}',15000,'{"max_attempts":7,"backoff_ms":11000,"factor":3.0,"max_backoff_ms":780000,"jitter":0.5,"give_up_after_ms":43200000000,"resend_unknown":true}','sent',1,1,7,NULL,'2028-04-11T16:03:45.000Z','2026-11-28T16:03:45.003Z',NULL,NULL,NULL,'policies');
INSERT INTO "pushes" VALUES(15,14,0,'telegram','group:-1',NULL,'tg','text','{"kind":"text","text":"长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长长"}',15000,'{"max_attempts":5,"backoff_ms":5000,"factor":2.0,"max_backoff_ms":600000,"jitter":0.2,"give_up_after_ms":34560000000,"resend_unknown":false}','retrying',0,1,5,'2026-11-29T15:57:05.007Z','2028-01-02T16:03:45.000Z',NULL,'throttled',NULL,'[{"part":"text 1/2","outcome":"sent","message_id":"7"},{"part":"text 2/2","outcome":"throttled"}]','parts');
CREATE INDEX fires_due ON fires (due_at);
CREATE INDEX fires_unfired ON fires (due_at) WHERE decision <> 'fired';
CREATE INDEX fires_spans ON fires (until_at) WHERE until_at IS NOT NULL;
CREATE INDEX pushes_open ON pushes (id) WHERE finished_at IS NULL;
CREATE INDEX pushes_exclusive ON pushes (exclusive_job) WHERE exclusive_job IS NOT NULL AND finished_at IS NULL;
CREATE INDEX pushes_troubled ON pushes (state, finished_at)
  WHERE finished_at IS NOT NULL AND state <> 'sent';
CREATE INDEX pushes_im ON pushes (im);
CREATE INDEX pushes_account ON pushes (account) WHERE account IS NOT NULL;
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('fires',28);
INSERT INTO "sqlite_sequence" VALUES('pushes',27);
COMMIT;
