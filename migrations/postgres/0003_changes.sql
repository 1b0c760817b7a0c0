-- Whoever writes what jobs, fires and pushes are takes a number first, one after the other. A process that knows its own numbers sees
-- by the newest one whether anybody else wrote, and no row has to be changed for that.
CREATE SEQUENCE changes;
