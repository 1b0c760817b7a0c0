-- Who did what by hand, and by which door: a row in the transaction that did it.
CREATE TABLE acts (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z'),
  actor   TEXT NOT NULL,
  via     TEXT NOT NULL CHECK (via = 'cli' OR via = 'socket' OR via = 'token' OR via = 'web'),
  verb    TEXT NOT NULL,
  job     TEXT,
  push_id INTEGER,
  fire_id INTEGER,
  before  TEXT,                                      -- the state, or the revision, that it found
  after   TEXT,                                      -- and what it made of it
  request TEXT                                       -- the id of the request over HTTP
) STRICT;
CREATE INDEX acts_at ON acts (at);
CREATE INDEX acts_job ON acts (job) WHERE job IS NOT NULL;
CREATE INDEX acts_push ON acts (push_id) WHERE push_id IS NOT NULL;
CREATE INDEX acts_fire ON acts (fire_id) WHERE fire_id IS NOT NULL;

-- Requests that asked to be carried out once, and the pushes that they made, written with them.
CREATE TABLE request_keys (
  key      TEXT PRIMARY KEY CHECK (length(key) = 64),     -- SHA-256 of who asked, where, and the key that came along
  payload  TEXT NOT NULL CHECK (length(payload) = 64),    -- of what was asked for
  push_ids TEXT NOT NULL CHECK (json_valid(push_ids)),
  at       TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z')
) STRICT, WITHOUT ROWID;
CREATE INDEX request_keys_at ON request_keys (at);
