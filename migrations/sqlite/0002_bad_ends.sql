-- The ends that `on_failure` tells, in the order in which they became durable: an instant is no mark to go on from, since
-- an end may be recorded long after the instant that it carries, and a clock may be put back.
CREATE TABLE bad_ends (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,         -- never used twice: what was told is remembered by it
  push_id INTEGER NOT NULL REFERENCES pushes (id) ON DELETE CASCADE
) STRICT;

CREATE INDEX bad_ends_push ON bad_ends (push_id);

-- Whoever ends a push, and however: none is left out. Not on `state`, which changes when a push is begun too: every push
-- would pay for it twice.
CREATE TRIGGER pushes_end_badly
AFTER UPDATE OF finished_at ON pushes
WHEN NEW.state = 'failed' OR NEW.state = 'unknown' OR NEW.state = 'expired'
BEGIN
  INSERT INTO bad_ends (push_id) VALUES (NEW.id);
END;

-- What an earlier release may not have told yet.
INSERT INTO bad_ends (push_id)
SELECT id
  FROM pushes INDEXED BY pushes_troubled
 WHERE finished_at IS NOT NULL AND state <> 'sent'
   AND state IN ('failed', 'unknown', 'expired')
   AND finished_at > (SELECT min(way.value ->> 'until')
                        FROM account_state AS kept, json_each(kept.value) AS way
                       WHERE kept.account = '' AND kept.key = 'on_failure')
 ORDER BY finished_at, id;

-- Media that nothing used for long, without reading what lies before that column: the media themselves.
CREATE INDEX blobs_used ON blobs (used_at);
