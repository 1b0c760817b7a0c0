-- A push that ends badly may have others go out in its place: they stand in the same fire, and name it.
ALTER TABLE pushes ADD COLUMN role TEXT CHECK (role IS NULL OR role = 'fallback');
ALTER TABLE pushes ADD COLUMN parent_id INTEGER CHECK ((parent_id IS NULL) = (role IS NULL));
-- To whom the message goes after which end; never of a fallback, which has none.
ALTER TABLE pushes ADD COLUMN fallback TEXT CHECK (fallback IS NULL OR (json_valid(fallback) AND role IS NULL));

-- The few of them, by the push in whose place they went.
CREATE INDEX pushes_fallbacks ON pushes (parent_id) WHERE parent_id IS NOT NULL;
