-- 0026_program_model: the model that a command-line program's own configuration names.
-- min_reader: 1
ALTER TABLE provider_state ADD COLUMN program_model TEXT;
