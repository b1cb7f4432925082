noinst_LIBRARIES += libllm.a
libllm_a_SOURCES = \
	lib/llm/anthropic.c \
	lib/llm/anthropic_decode.c \
	lib/llm/aws_stream.c \
	lib/llm/azure.c \
	lib/llm/bedrock.c \
	lib/llm/bedrock_request.c \
	lib/llm/blocks.c \
	lib/llm/child.c \
	lib/llm/cli.c \
	lib/llm/cli_decode.c \
	lib/llm/cli_profile.c \
	lib/llm/cohere.c \
	lib/llm/copilot.c \
	lib/llm/driver.c \
	lib/llm/embed.c \
	lib/llm/errors.c \
	lib/llm/gemini.c \
	lib/llm/gemini_decode.c \
	lib/llm/intake.c \
	lib/llm/intake_parts.c \
	lib/llm/llm.c \
	lib/llm/offline.c \
	lib/llm/ollama.c \
	lib/llm/openai.c \
	lib/llm/openai_decode.c \
	lib/llm/openai_request.c \
	lib/llm/openai_rescue.c \
	lib/llm/responses.c \
	lib/llm/role.c \
	lib/llm/schema.c \
	lib/llm/sse.c \
	lib/llm/text.c \
	lib/llm/token.c \
	lib/llm/translate.c \
	lib/llm/vertex.c \
	lib/llm/wishes.c
