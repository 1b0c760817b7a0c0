-- How many attempts of an account have failed in a row by its own fault: the count goes on in the process that comes next.
ALTER TABLE accounts ADD COLUMN failures bigint NOT NULL DEFAULT 0 CHECK (failures >= 0);
