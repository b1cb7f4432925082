/*
 * The handlers of the pool, one per row that runs there (lib/api/routes). What
 * each accepts and answers stands in its row and shapes; here are only names, for
 * tests that call one without a server.
 */
#ifndef LF_HANDLERS_H
#define LF_HANDLERS_H
#include "lib/api/api.h"

#define HANDLER(name) struct reply name(struct ctx *, const struct request *)

HANDLER(system_health);
HANDLER(system_health_detail);
HANDLER(system_ready);
HANDLER(system_status);
HANDLER(system_version);
HANDLER(system_versions);
HANDLER(system_metrics);
HANDLER(system_openapi);
HANDLER(dashboard_snapshot);
HANDLER(commands_list);
HANDLER(commands_show);
HANDLER(system_security);

HANDLER(usage_agents);
HANDLER(usage_summary);
HANDLER(usage_models);
HANDLER(usage_performance);
HANDLER(usage_days);
HANDLER(budget_show);
HANDLER(budget_agents);
HANDLER(budget_agent);
HANDLER(budget_users);
HANDLER(budget_user);

HANDLER(auth_link);
HANDLER(dashboard_check);
HANDLER(dashboard_login);
HANDLER(auth_logout);
HANDLER(auth_whoami);
HANDLER(auth_leave);

HANDLER(agents_list);
HANDLER(agents_show);
HANDLER(agents_session);
HANDLER(agents_sessions);
HANDLER(agents_tools);
HANDLER(agents_skills);
HANDLER(agents_servers);
HANDLER(agents_channels);
HANDLER(agents_metrics);
HANDLER(agents_stats);
HANDLER(agents_traces);
HANDLER(agents_runtime);
HANDLER(agents_events);
HANDLER(agents_identities);
HANDLER(agents_identity_reset);
HANDLER(agents_memory_export);
HANDLER(agents_memory_import);

HANDLER(sessions_list);
HANDLER(sessions_search);
HANDLER(sessions_show);
HANDLER(sessions_label);
HANDLER(sessions_model);
HANDLER(sessions_by_label);
HANDLER(sessions_export);
HANDLER(sessions_import);
HANDLER(sessions_clean);

HANDLER(agents_logs);
HANDLER(audit_recent);
HANDLER(audit_check);
HANDLER(agents_deliveries);
HANDLER(sessions_trajectory);
HANDLER(uploads_show);

HANDLER(memories_list);
HANDLER(memories_search);
HANDLER(memories_stats);
HANDLER(memories_cleanup);
HANDLER(memories_decay);
HANDLER(memories_bulk_delete);
HANDLER(memories_replace);
HANDLER(memories_delete);
HANDLER(memories_history);
HANDLER(memories_of_user);
HANDLER(memories_of_agent);
HANDLER(memories_delete_agent);
HANDLER(memories_search_agent);
HANDLER(memories_stats_agent);
HANDLER(memories_count);
HANDLER(memories_duplicates);
HANDLER(memories_consolidate);
HANDLER(memories_delete_level);
HANDLER(memories_export);
HANDLER(memories_import);
HANDLER(memory_kv_list);
HANDLER(memory_kv_show);
HANDLER(memory_kv_store);
HANDLER(memory_kv_remove);

HANDLER(users_list);
HANDLER(users_show);
HANDLER(users_policy);
HANDLER(users_groups);

HANDLER(models_list);
HANDLER(models_aliases);
HANDLER(models_show);
HANDLER(providers_list);
HANDLER(providers_show);
HANDLER(tools_list);
HANDLER(tools_show);
HANDLER(profiles_list);
HANDLER(profiles_show);
HANDLER(openai_models);

#undef HANDLER

/* Add the OpenAPI document, made from the rows when the program was built. NOMEM. */
enum err openapi_text(struct ctx *, struct buf *out) MUST_CHECK;
#endif
