-- 0020_memory_category: what kind of thing a memory tells.
-- min_reader: 1
ALTER TABLE memory ADD COLUMN category TEXT;
