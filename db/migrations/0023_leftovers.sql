-- 0023_leftovers: directories of agents that are no more, until nothing of them is left.
-- min_reader: 1
CREATE TABLE leftover (
    dir TEXT NOT NULL PRIMARY KEY
);
