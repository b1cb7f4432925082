-- 0011_templates: what templates of the home were, each time they were changed over the API.
-- min_reader: 1
CREATE TABLE template_version (
    id            BIGINT NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL,
    ts_ms         BIGINT NOT NULL,
    manifest_toml TEXT NOT NULL,
    change_source TEXT NOT NULL                   -- create update restore
);
CREATE INDEX template_version_name ON template_version(name, id);
