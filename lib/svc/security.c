/*
 * The report on protections. Its lists are told from one table, so that a protection cannot be on in one of them
 * and off in another.
 */
#include "lib/svc/security.h"

#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { FRAME_BYTES = 65536 };

enum state { OFF, ON, IF_SIGNERS };

/*
 * system: its name among the sixteen; core: among core_protections. There is no WebAssembly, no peer protocol and no tool
 * that runs foreign code; what leaves is looked at for secrets, but where a text came from is not followed.
 */
static const struct protection { const char *system, *core; enum state state; } all[] = {
	{ "merkle_audit_trail", NULL, ON },
	{ "taint_tracking", NULL, OFF },
	{ "wasm_dual_metering", NULL, OFF },
	{ "security_headers", "security_headers", ON },
	{ "health_redaction", NULL, ON },
	{ "subprocess_sandbox", "subprocess_isolation", OFF },
	{ "manifest_signing", NULL, IF_SIGNERS },
	{ "gcra_rate_limiter", NULL, ON },
	{ "secret_zeroization", NULL, ON },
	{ "path_traversal_prevention", "path_traversal", ON },
	{ "ssrf_protection", "ssrf_protection", ON },
	{ "capability_inheritance_validation", "capability_system", ON },
	{ "ofp_hmac_auth", "wire_hmac_auth", OFF },
	{ "prompt_injection_scanning", NULL, ON },
	{ "loop_guard", NULL, ON },
	{ "session_repair", NULL, ON },
	{ NULL, "privilege_escalation_prevention", ON },
	{ NULL, "request_id_tracking", ON },
};

/* At least one key, and each is one. */
static bool
has_signers(const struct config *cfg)
{
	struct json_object *list = js_arr(cfg->raw, "trusted_manifest_signers");
	size_t n = list == NULL ? 0 : json_object_array_length(list);
	uint8_t key[32];

	for (size_t i = 0; i < n; i++) {
		struct json_object *v = json_object_array_get_idx(list, i);

		if (!json_object_is_type(v, json_type_string) || !hex_to(json_object_get_string(v), key, sizeof(key)))
			return false;
	}
	return n > 0;
}

static bool
is_on(const struct protection *p, bool signers)
{
	return p->state == ON || (p->state == IF_SIGNERS && signers);
}

/* The chain has no gaps, as it is only ever shortened at its beginning. */
static enum err
count_entries(struct ctx *c, int64_t *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT coalesce((SELECT max(seq) FROM audit_entries) - (SELECT min(seq) FROM audit_entries) + 1, 0) AS n"));

	for (*ret = 0; db_step(st);)
		*ret = col_i64(st, "n");
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static void
core_write(struct jw *w, bool signers)
{
	jw_object(w, "core_protections");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].core != NULL)
			jw_bool(w, all[i].core, is_on(&all[i], signers));
	jw_end(w);
}

static void
settings_write(const struct config *cfg, struct jw *w)
{
	bool open_to_all = cfg->open_mode && cfg->allow_no_auth;

	jw_object(w, "configurable");
	jw_object(w, "rate_limiter");
	jw_bool(w, "enabled", true);
	jw_i64(w, "tokens_per_minute", (int64_t)cfg->api_requests_per_minute);
	jw_str(w, "algorithm", "GCRA");
	jw_end(w);
	jw_object(w, "websocket_limits");
	jw_i64(w, "max_per_ip", cfg->max_ws_per_ip);
	jw_i64(w, "idle_timeout_secs", cfg->ws_idle_s);
	jw_i64(w, "max_message_size", FRAME_BYTES);
	jw_i64(w, "max_messages_per_minute", cfg->ws_messages_per_minute);
	jw_end(w);
	jw_object(w, "wasm_sandbox");
	jw_bool(w, "fuel_metering", false);
	jw_bool(w, "epoch_interruption", false);
	jw_i64(w, "default_timeout_secs", 0);
	jw_i64(w, "default_fuel_limit", 0);
	jw_end(w);
	jw_object(w, "auth");
	jw_str(w, "mode", open_to_all ? "none" : cfg->open_mode ? "localhost_only" : "bearer_token");
	jw_bool(w, "api_key_set", cfg->key_sha256 != NULL || cfg->key_hash != NULL || cfg->key_vault != NULL);
	jw_end(w);
	jw_end(w);
}

static void
monitoring_write(struct jw *w, int64_t entries, bool signers)
{
	jw_object(w, "monitoring");
	jw_object(w, "audit_trail");
	jw_bool(w, "enabled", true);
	jw_str(w, "algorithm", "SHA-256 Merkle Chain");
	jw_i64(w, "entry_count", entries);
	jw_end(w);
	jw_object(w, "taint_tracking");
	jw_bool(w, "enabled", false);
	jw_array(w, "tracked_labels");
	jw_end(w);
	jw_end(w);
	jw_object(w, "outbound_filter");
	jw_bool(w, "enabled", true);
	jw_array(w, "labels");
	jw_str(w, NULL, "PII");
	jw_str(w, NULL, "Secret");
	jw_end(w);
	jw_end(w);
	jw_object(w, "manifest_signing");
	jw_str(w, "algorithm", "Ed25519");
	jw_bool(w, "available", signers);
	jw_end(w);
	jw_end(w);
}

static void
systems_write(struct jw *w, bool signers)
{
	int64_t systems = 0, active = 0;

	jw_object(w, "security_systems");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].system != NULL) {
			bool on = is_on(&all[i], signers);

			jw_str(w, all[i].system, on ? "active" : "inactive");
			systems++;
			active += on;
		}
	jw_end(w);
	jw_i64(w, "total_systems", systems);
	jw_bool(w, "all_active", active == systems);
	jw_i64(w, "total_features", active);
}

enum err
security_write(struct ctx *c, struct jw *w)
{
	bool signers = has_signers(c->cfg);
	int64_t entries;
	enum err e = count_entries(c, &entries);

	if (e != ERR_OK)
		return e;
	jw_object(w, NULL);
	core_write(w, signers);
	settings_write(c->cfg, w);
	monitoring_write(w, entries, signers);
	jw_bool(w, "secret_zeroization", true);
	systems_write(w, signers);
	jw_end(w);
	return ERR_OK;
}
