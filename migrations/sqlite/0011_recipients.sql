-- Lists of recipients that are read for a fire, and what they say of each recipient.
ALTER TABLE pushes ADD COLUMN recipient TEXT CHECK (recipient IS NULL OR json_valid(recipient)); -- NULL: on no list; null: the list was not read

CREATE TABLE recipient_lists (
  fire_id  INTEGER NOT NULL REFERENCES fires (id) ON DELETE CASCADE,
  number   INTEGER NOT NULL CHECK (number >= 0),
  name     TEXT NOT NULL,                            -- under `targets`
  source   TEXT NOT NULL,                            -- in words
  attempts INTEGER NOT NULL CHECK (attempts >= 1),
  began_at TEXT NOT NULL CHECK (began_at GLOB '????-??-??T??:??:??.???Z'),
  read_at  TEXT NOT NULL CHECK (read_at GLOB '????-??-??T??:??:??.???Z'),
  count    INTEGER CHECK (count >= 0),               -- recipients; NULL: it could not be read
  doubles  INTEGER NOT NULL CHECK (doubles >= 0),    -- who stood there once more, and got one push
  error    TEXT,                                     -- why it could not be read
  PRIMARY KEY (fire_id, number),
  CHECK ((count IS NULL) = (error IS NOT NULL))
) STRICT, WITHOUT ROWID;
