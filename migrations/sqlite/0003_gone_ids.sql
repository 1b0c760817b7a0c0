-- How many ids of a kind have no row, and why. `sqlite_sequence` says how many were ever given: what is neither there nor
-- counted here has vanished, and `pushcron ledger` says so.
CREATE TABLE gone_ids (
  kind      TEXT PRIMARY KEY CHECK (kind = 'fires' OR kind = 'pushes'),
  before    INTEGER NOT NULL,                        -- had no row when this table was made
  withdrawn INTEGER NOT NULL DEFAULT 0,              -- recorded ahead of the instant, and taken back
  pruned    INTEGER NOT NULL DEFAULT 0,
  unused    INTEGER NOT NULL DEFAULT 0               -- given for an instant that had its row already
) STRICT, WITHOUT ROWID;

INSERT INTO gone_ids (kind, before)
VALUES ('fires',
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'fires'), 0) - (SELECT count(*) FROM fires)),
       ('pushes',
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'pushes'), 0) - (SELECT count(*) FROM pushes));
