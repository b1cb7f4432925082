# libdaemon: all but main and the table of rows with their handlers, so that
# tests link the parts.
noinst_LIBRARIES += libdaemon.a
libdaemon_a_SOURCES = \
	daemon/alarm.c \
	daemon/aliases.c \
	daemon/assigned.c \
	daemon/audit_note.c \
	daemon/background.c \
	daemon/compact.c \
	daemon/conf.c \
	daemon/config_write.c \
	daemon/crew.c \
	daemon/dbpool.c \
	daemon/delegate.c \
	daemon/feed.c \
	daemon/embedding.c \
	daemon/events.c \
	daemon/health.c \
	daemon/heartbeat.c \
	daemon/hub.c \
	daemon/job.c \
	daemon/journal.c \
	daemon/keep.c \
	daemon/keys.c \
	daemon/lanes.c \
	daemon/learn.c \
	daemon/live.c \
	daemon/live/agent_files.c \
	daemon/live/agents.c \
	daemon/live/agents_bulk.c \
	daemon/live/agents_out.c \
	daemon/live/agents_settings.c \
	daemon/live/agents_state.c \
	daemon/live/catalog.c \
	daemon/live/budget.c \
	daemon/live/message.c \
	daemon/live/models.c \
	daemon/live/openai.c \
	daemon/live/openai_read.c \
	daemon/live/openai_write.c \
	daemon/live/copilot.c \
	daemon/live/providers.c \
	daemon/live/providers_set.c \
	daemon/live/session_context.c \
	daemon/live/session_stream.c \
	daemon/live/sessions.c \
	daemon/live/system.c \
	daemon/live/templates.c \
	daemon/live/uploads.c \
	daemon/live/usage.c \
	daemon/live/users.c \
	daemon/live/users_import.c \
	daemon/live/users_policy.c \
	daemon/live/vault.c \
	daemon/loop.c \
	daemon/loop_http.c \
	daemon/loop_wal.c \
	daemon/loop_write.c \
	daemon/loop_ws.c \
	daemon/meter.c \
	daemon/model_choice.c \
	daemon/model_route.c \
	daemon/pace.c \
	daemon/parting.c \
	daemon/place.c \
	daemon/probe.c \
	daemon/programs.c \
	daemon/proxies.c \
	daemon/rest.c \
	daemon/queue.c \
	daemon/remember.c \
	daemon/restore.c \
	daemon/retell.c \
	daemon/side.c \
	daemon/running.c \
	daemon/schedule.c \
	daemon/spawn.c \
	daemon/standing.c \
	daemon/summary.c \
	daemon/threads.c \
	daemon/title.c \
	daemon/template_file.c \
	daemon/turn.c \
	daemon/turn_agents.c \
	daemon/turn_answer.c \
	daemon/turn_ask.c \
	daemon/turn_boot.c \
	daemon/turn_budget.c \
	daemon/turn_context.c \
	daemon/turn_end.c \
	daemon/turn_files.c \
	daemon/turn_fit.c \
	daemon/turn_fold.c \
	daemon/turn_history.c \
	daemon/turn_loop.c \
	daemon/turn_model.c \
	daemon/turn_prune.c \
	daemon/turn_recall.c \
	daemon/turn_routing.c \
	daemon/turn_run.c \
	daemon/turn_spill.c \
	daemon/turn_text.c \
	daemon/turn_tools.c \
	daemon/turn_wishes.c \
	daemon/underway.c \
	daemon/user_follow.c \
	daemon/ws_chat.c \
	daemon/ws_command.c \
	daemon/ws_frame.c \
	daemon/ws_turn.c

bin_PROGRAMS += librefangd
librefangd_SOURCES = \
	daemon/main.c \
	daemon/routes.c
librefangd_LDADD = libdaemon.a libhandlers.a $(AGENT_LIBS) $(CONFIG_LIBS) \
	$(API_LIBS) $(LWS_LIBS) $(ZLIB_LIBS) $(STDCXX_LIBS)
