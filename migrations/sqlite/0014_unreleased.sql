-- Fires whose pushes are there and whose content is made once the first of them can go out (`at: release`). A row goes in the
-- transaction that writes the content.
CREATE TABLE unreleased_fires (
  fire_id INTEGER PRIMARY KEY REFERENCES fires (id) ON DELETE CASCADE
) STRICT;
