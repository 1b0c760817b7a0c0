-- Fires whose content is still to be made: they have no pushes yet. A row goes in the transaction that writes the pushes,
-- so that a fire whose source was asked when somebody was killed asks it again, and one that has its pushes never does.
CREATE TABLE unexpanded_fires (
  fire_id INTEGER PRIMARY KEY REFERENCES fires (id) ON DELETE CASCADE,
  goes_at TEXT NOT NULL CHECK (goes_at GLOB '????-??-??T??:??:??.???Z') -- its pushes go out no sooner
) STRICT;

-- What `content_from` of a job made for one fire, written once, with the pushes that send it.
CREATE TABLE contents (
  fire_id   INTEGER PRIMARY KEY REFERENCES fires (id) ON DELETE CASCADE,
  source    TEXT NOT NULL,                           -- in words
  outcome   TEXT NOT NULL CHECK (outcome = 'made' OR outcome = 'empty' OR outcome = 'failed'),
  attempts  INTEGER NOT NULL CHECK (attempts >= 1),  -- how often the source was asked by whoever wrote this
  began_at  TEXT NOT NULL CHECK (began_at GLOB '????-??-??T??:??:??.???Z'),
  made_at   TEXT NOT NULL CHECK (made_at GLOB '????-??-??T??:??:??.???Z'),
  exit_code INTEGER,                                 -- of a command
  content   TEXT,
  sha256    TEXT CHECK (length(sha256) = 64),
  error     TEXT,                                    -- why there is none, or what a command said on standard error
  CHECK ((content IS NULL) = (sha256 IS NULL)),
  CHECK (outcome <> 'made' OR content IS NOT NULL),
  CHECK (outcome <> 'failed' OR error IS NOT NULL)
) STRICT;
