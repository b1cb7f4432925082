-- 0017_titles: how often a model was asked for a session's title.
-- min_reader: 1
ALTER TABLE session ADD COLUMN titled BIGINT NOT NULL DEFAULT 0;
