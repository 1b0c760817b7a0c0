-- What a person says of an attempt that ended unknown holds for whatever comes after: it did not arrive.
ALTER TABLE attempts ADD COLUMN denied_at TEXT CHECK (denied_at GLOB '????-??-??T??:??:??.???Z');

-- How each account stood when none could send a push: what is known of them later says nothing of then.
ALTER TABLE pushes ADD COLUMN detail TEXT;

DROP VIEW IF EXISTS push_history;
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
       coalesce(substr(f.zone, 1, instr(f.zone, ' ') - 1), j.timezone) AS timezone,
       p.detail
  FROM pushes AS p
  JOIN fires AS f ON f.id = p.fire_id
  LEFT JOIN jobs AS j ON j.name = f.job
  LEFT JOIN attempts AS first ON first.push_id = p.id AND first.number = 1
  LEFT JOIN attempts AS last ON last.push_id = p.id AND last.number = p.attempts;
