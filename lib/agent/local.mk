noinst_LIBRARIES += libagent.a
libagent_a_SOURCES = \
	lib/agent/artifact.c \
	lib/agent/capability.c \
	lib/agent/clean.c \
	lib/agent/fit.c \
	lib/agent/guard.c \
	lib/agent/html.c \
	lib/agent/incoming.c \
	lib/agent/injections.c \
	lib/agent/manifest.c \
	lib/agent/manifest_keys.c \
	lib/agent/manifest_sign.c \
	lib/agent/manifest_write.c \
	lib/agent/message.c \
	lib/agent/pictures.c \
	lib/agent/policy.c \
	lib/agent/program.c \
	lib/agent/prompt.c \
	lib/agent/prompt_files.c \
	lib/agent/prompt_recall.c \
	lib/agent/prompt_tools.c \
	lib/agent/recover.c \
	lib/agent/regex.c \
	lib/agent/repair.c \
	lib/agent/repair_look.c \
	lib/agent/repair_merge.c \
	lib/agent/sandbox.c \
	lib/agent/scan.c \
	lib/agent/shared.c \
	lib/agent/speech.c \
	lib/agent/squeeze.c \
	lib/agent/taint.c \
	lib/agent/templates.c \
	lib/agent/tokens.c \
	lib/agent/tool.c \
	lib/agent/tools/agent_spawn.c \
	lib/agent/tools/agents.c \
	lib/agent/tools/artifact.c \
	lib/agent/tools/common.c \
	lib/agent/tools/file.c \
	lib/agent/tools/load.c \
	lib/agent/tools/memory.c \
	lib/agent/tools/patch.c \
	lib/agent/tools/place.c \
	lib/agent/tools/search.c \
	lib/agent/tools/system.c \
	lib/agent/tools/task.c \
	lib/agent/tools/web.c \
	lib/agent/trim.c \
	lib/agent/window.c \
	lib/agent/workspace.c

# embedded
lib/agent/templates.$(OBJEXT): share/agents/academic-researcher.toml share/agents/analyst.toml \
	share/agents/architect.toml share/agents/assistant.toml share/agents/code-reviewer.toml \
	share/agents/coder.toml share/agents/customer-support.toml share/agents/data-scientist.toml \
	share/agents/debugger.toml share/agents/devops-lead.toml share/agents/doc-writer.toml \
	share/agents/email-assistant.toml share/agents/health-tracker.toml \
	share/agents/hello-world.toml share/agents/home-automation.toml \
	share/agents/legal-assistant.toml share/agents/meeting-assistant.toml share/agents/ops.toml \
	share/agents/orchestrator.toml share/agents/personal-finance.toml share/agents/planner.toml \
	share/agents/recipe-assistant.toml share/agents/recruiter.toml share/agents/researcher.toml \
	share/agents/sales-assistant.toml share/agents/security-auditor.toml \
	share/agents/social-media.toml share/agents/test-engineer.toml share/agents/translator.toml \
	share/agents/travel-planner.toml share/agents/tutor.toml share/agents/writer.toml
