noinst_LIBRARIES += libdb.a
libdb_a_SOURCES = \
	db/backup.c \
	db/conn.c \
	db/flush.c \
	db/line.c \
	db/mark.c \
	db/migrate.c \
	db/shared.c \
	db/stmt.c

# embedded
db/migrate.$(OBJEXT): db/migrations/0001_base.sql db/migrations/0002_login.sql \
	db/migrations/0003_sessions.sql db/migrations/0004_usage.sql \
	db/migrations/0005_loops.sql \
	db/migrations/0006_uploads.sql db/migrations/0007_catalog.sql \
	db/migrations/0008_events.sql \
	db/migrations/0009_audit.sql db/migrations/0010_turn_open.sql \
	db/migrations/0011_templates.sql \
	db/migrations/0012_tasks.sql \
	db/migrations/0013_search.sql \
	db/migrations/0014_audit_rows.sql \
	db/migrations/0015_task_board.sql \
	db/migrations/0016_memory.sql \
	db/migrations/0017_titles.sql \
	db/migrations/0018_pins.sql \
	db/migrations/0019_usage_agent.sql \
	db/migrations/0020_memory_category.sql \
	db/migrations/0021_task_wake.sql \
	db/migrations/0022_memory_learn.sql \
	db/migrations/0023_leftovers.sql \
	db/migrations/0024_budget_event.sql \
	db/migrations/0025_usage_use.sql \
	db/migrations/0026_program_model.sql \
	db/migrations/0027_usage_days.sql
