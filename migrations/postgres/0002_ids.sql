-- Ids of fires and pushes are counted in one row: a sequence keeps what it gave to a transaction that is undone, and then
-- nobody could tell an id that was never used from one whose row vanished.
CREATE TABLE given_ids (
  fires  bigint NOT NULL CHECK (fires >= 0),
  pushes bigint NOT NULL CHECK (pushes >= 0)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
INSERT INTO given_ids
SELECT (SELECT coalesce(max(id), 0) FROM fires), (SELECT coalesce(max(id), 0) FROM pushes);
ALTER TABLE fires ALTER COLUMN id DROP IDENTITY;
ALTER TABLE pushes ALTER COLUMN id DROP IDENTITY;
