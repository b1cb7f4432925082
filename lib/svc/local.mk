# libsvc: rules and SQL of each noun. libconfigfile: config.toml, apart
# because it needs libtoml (C++), which the pool never links.
noinst_LIBRARIES += libsvc.a libconfigfile.a
libsvc_a_SOURCES = \
	lib/svc/agent.c \
	lib/svc/agent_assigned.c \
	lib/svc/agent_family.c \
	lib/svc/agent_identity.c \
	lib/svc/agent_list.c \
	lib/svc/agent_stats.c \
	lib/svc/agent_write.c \
	lib/svc/audit.c \
	lib/svc/budget.c \
	lib/svc/budget_event.c \
	lib/svc/budget_show.c \
	lib/svc/caller.c \
	lib/svc/catalog.c \
	lib/svc/catalog_build.c \
	lib/svc/catalog_edit.c \
	lib/svc/catalog_file.c \
	lib/svc/catalog_index.c \
	lib/svc/catalog_models.c \
	lib/svc/catalog_rows.c \
	lib/svc/catalog_show.c \
	lib/svc/chat_command.c \
	lib/svc/config.c \
	lib/svc/config_budget.c \
	lib/svc/conversation.c \
	lib/svc/delegation.c \
	lib/svc/event.c \
	lib/svc/heartbeat.c \
	lib/svc/delivery.c \
	lib/svc/history.c \
	lib/svc/login.c \
	lib/svc/login_link.c \
	lib/svc/security.c \
	lib/svc/kv.c \
	lib/svc/leftover.c \
	lib/svc/memory.c \
	lib/svc/memory_edit.c \
	lib/svc/memory_episode.c \
	lib/svc/memory_learn.c \
	lib/svc/memory_show.c \
	lib/svc/memory_vector.c \
	lib/svc/memory_words.c \
	lib/svc/metrics.c \
	lib/svc/metrics_money.c \
	lib/svc/picture_keep.c \
	lib/svc/price.c \
	lib/svc/redact.c \
	lib/svc/run_paths.c \
	lib/svc/schedule.c \
	lib/svc/series.c \
	lib/svc/search.c \
	lib/svc/session_admin.c \
	lib/svc/session_compact.c \
	lib/svc/session_elsewhere.c \
	lib/svc/session_export.c \
	lib/svc/session_naming.c \
	lib/svc/session_show.c \
	lib/svc/session_summary.c \
	lib/svc/system.c \
	lib/svc/template_version.c \
	lib/svc/task.c \
	lib/svc/task_wake.c \
	lib/svc/toolcat.c \
	lib/svc/trajectory.c \
	lib/svc/turn_store.c \
	lib/svc/upload.c \
	lib/svc/upload_name.c \
	lib/svc/upload_sweep.c \
	lib/svc/usage.c \
	lib/svc/usage_show.c \
	lib/svc/user.c \
	lib/svc/user_policy.c \
	lib/svc/vault.c \
	lib/svc/vectors.c \
	lib/svc/vault_key.c
libconfigfile_a_SOURCES = \
	lib/svc/config_file.c \
	lib/svc/config_file_change.c \
	lib/svc/config_file_check.c \
	lib/svc/config_file_dashboard.c \
	lib/svc/config_file_edit.c \
	lib/svc/config_file_env.c \
	lib/svc/config_file_include.c

# embedded
lib/svc/catalog_build.$(OBJEXT): share/models.json share/providers.json share/aliases.json
lib/svc/toolcat.$(OBJEXT): share/tools.json
