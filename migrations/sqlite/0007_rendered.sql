-- Texts that are templates until the first attempt of their push is opened.
ALTER TABLE pushes ADD COLUMN render TEXT CHECK (render IS NULL OR json_valid(render)); -- how; NULL: nothing is to be rendered
ALTER TABLE pushes ADD COLUMN content_hash TEXT; -- SHA-256 of the rendered message; NULL: the message is as the YAML has it
