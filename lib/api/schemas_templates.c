/*
 * Shapes of templates.
 */
#include "lib/api/schemas.h"

static const struct field template_request_fields[] = {
	F_STR(struct template_request, name, .flags = FF_NULLABLE, .doc = "1 to 64 letters, digits, - and _; required to make one"),
	F_STR(struct template_request, description, .flags = FF_NULLABLE),
	F_STR(struct template_request, system_prompt, .flags = FF_NULLABLE),
	F_STR(struct template_request, provider, .flags = FF_NULLABLE),
	F_STR(struct template_request, model, .flags = FF_NULLABLE),
	F_ARR(struct template_request, tools, .flags = FF_NULLABLE, .item = FT_STRING),
	F_ARR(struct template_request, skills, .flags = FF_NULLABLE, .item = FT_STRING),
	F_END
};
const struct schema template_request = {
	.name = "TemplateRequest", .fields = template_request_fields, .flags = SF_STRICT,
	.bytes = sizeof(struct template_request),
};

static const struct field template_item_fields[] = {
	R_(STRING, "name"),
	R_(STRING, "description"),
	R_(STRING, "provider"),
	R_(STRING, "model"),
	R_(STRING, "source", .doc = "builtin, or agent-type: in the home"),
	R_(BOOL, "editable"),
	F_END
};
static const struct schema template_item = { .name = "TemplateItem", .fields = template_item_fields };

static const struct field template_list_fields[] = {
	R_(ARRAY, "templates", .of = &template_item),
	R_(INT, "total"),
	F_END
};
const struct schema template_list = { .name = "TemplateList", .fields = template_list_fields };

static const struct field template_spec_fields[] = {
	R_(STRING, "name"),
	R_(STRING, "description"),
	R_(STRING, "system_prompt"),
	R_(STRING, "provider"),
	R_(STRING, "model"),
	R_(ARRAY, "tools", .item = FT_STRING),
	R_(ARRAY, "skills", .item = FT_STRING),
	F_END
};
static const struct schema template_spec = { .name = "TemplateSpec", .fields = template_spec_fields };

static const struct field template_model_fields[] = {
	R_(STRING, "provider"),
	R_(STRING, "model"),
	F_END
};
static const struct schema template_model = { .name = "TemplateModel", .fields = template_model_fields };

static const struct field template_can_fields[] = {
	R_(ARRAY, "tools", .item = FT_STRING),
	R_(ARRAY, "network", .item = FT_STRING),
	F_END
};
static const struct schema template_can = { .name = "TemplateCapabilities", .fields = template_can_fields };

static const struct field template_manifest_fields[] = {
	R_(STRING, "name"),
	R_(STRING, "description"),
	R_(STRING, "module"),
	R_(ARRAY, "tags", .item = FT_STRING),
	R_(OBJECT, "model", .of = &template_model),
	R_(OBJECT, "capabilities", .of = &template_can),
	F_END
};
static const struct schema template_manifest = { .name = "TemplateManifest", .fields = template_manifest_fields };

static const struct field template_detail_fields[] = {
	R_(STRING, "name"),
	R_(STRING, "source"),
	R_(BOOL, "editable"),
	R_(OBJECT, "spec", .of = &template_spec),
	R_(OBJECT, "manifest", .of = &template_manifest),
	R_(STRING, "manifest_toml"),
	F_END
};
const struct schema template_detail = { .name = "TemplateDetail", .fields = template_detail_fields };
const struct schema template_made = { .name = "TemplateMade", .fields = template_detail_fields, .status = 201 };

static const struct field template_gone_fields[] = {
	R_(BOOL, "deleted"),
	R_(STRING, "name"),
	F_END
};
const struct schema template_gone = { .name = "TemplateGone", .fields = template_gone_fields };

const struct schema template_toml = {
	.name = "TemplateToml", .flags = SF_TEXT, .media = "text/plain; charset=utf-8",
};

static const struct field template_version_fields[] = {
	R_(INT, "id"),
	R_(STRING, "template_name"),
	R_(TIME, "timestamp"),
	R_(STRING, "manifest_toml"),
	R_(STRING, "change_source", .doc = "create, dashboard (it was changed) or restore"),
	F_END
};
static const struct schema template_version = { .name = "TemplateVersion", .fields = template_version_fields };

static const struct field template_history_fields[] = {
	R_(ARRAY, "versions", .of = &template_version, .doc = "newest first"),
	F_END
};
const struct schema template_history = { .name = "TemplateHistory", .fields = template_history_fields };
