# Tests. A C test t/<room>/<name>.c needs one line:
#
#	check_PROGRAMS += t/<room>/<name>
#
# Its source is found by its name, and it links with every library.
# Tests in Perl are t/*.t: they need no line, except in QUICK when they take
# less than a few seconds.

QUICK = t/layers.t t/sources.t t/fuzzed.t t/build.t t/routes.t t/system.t t/kv.t \
	t/agents_read.t t/models.t t/compat.t

check_PROGRAMS += t/db/db
check_PROGRAMS += t/toml/edit
check_PROGRAMS += t/toml/toml
check_PROGRAMS += t/base/json_span
check_PROGRAMS += t/net/guard
check_PROGRAMS += t/net/sigv4
check_PROGRAMS += t/svc/agent
check_PROGRAMS += t/svc/catalog
check_PROGRAMS += t/svc/config_edit
check_PROGRAMS += t/svc/budget
check_PROGRAMS += t/svc/audit
check_PROGRAMS += t/svc/kv
check_PROGRAMS += t/svc/memory
check_PROGRAMS += t/svc/naming
check_PROGRAMS += t/svc/usage
check_PROGRAMS += t/svc/usage_kill
check_PROGRAMS += t/base/cron
check_PROGRAMS += t/base/ed25519
check_PROGRAMS += t/base/gcra
check_PROGRAMS += t/base/multipart
check_PROGRAMS += t/base/jw
check_PROGRAMS += t/base/memory
check_PROGRAMS += t/base/util
check_PROGRAMS += t/base/trace
check_PROGRAMS += t/handlers/read
check_PROGRAMS += t/handlers/starve
check_PROGRAMS += t/api/match
check_PROGRAMS += t/api/peer
check_PROGRAMS += t/api/schema
check_PROGRAMS += t/base/json
check_PROGRAMS += t/api/dispatch
check_PROGRAMS += t/api/reply
check_PROGRAMS += t/net/http
check_PROGRAMS += t/net/tls
check_PROGRAMS += t/llm/offline
check_PROGRAMS += t/llm/role
check_PROGRAMS += t/llm/limits
check_PROGRAMS += t/llm/usage
check_PROGRAMS += t/llm/words
check_PROGRAMS += t/llm/openai
check_PROGRAMS += t/daemon/queue
check_PROGRAMS += t/daemon/health
check_PROGRAMS += t/daemon/starve
check_PROGRAMS += t/daemon/pace
check_PROGRAMS += t/daemon/threads
check_PROGRAMS += t/agent/sandbox
check_PROGRAMS += t/daemon/loop
check_PROGRAMS += t/agent/fit
check_PROGRAMS += t/agent/capability
check_PROGRAMS += t/agent/code
check_PROGRAMS += t/agent/guard
check_PROGRAMS += t/agent/repair
check_PROGRAMS += t/agent/regex
check_PROGRAMS += t/agent/repair_random
check_PROGRAMS += t/agent/scan
check_PROGRAMS += t/agent/speech
check_PROGRAMS += t/agent/incoming
check_PROGRAMS += t/agent/html
check_PROGRAMS += t/agent/taint
check_PROGRAMS += t/db/line
check_PROGRAMS += t/db/shared
check_PROGRAMS += t/db/sql
check_PROGRAMS += t/agent/manifest
check_PROGRAMS += t/svc/run_paths
check_PROGRAMS += t/svc/schedule
check_PROGRAMS += t/agent/prompt
check_PROGRAMS += t/agent/pictures
check_PROGRAMS += t/agent/recalled
check_PROGRAMS += t/agent/tools
check_PROGRAMS += t/svc/config
check_PROGRAMS += t/svc/vault
check_PROGRAMS += t/llm/decode
check_PROGRAMS += t/llm/matrix
check_PROGRAMS += t/llm/embed
check_PROGRAMS += t/llm/cli
check_PROGRAMS += t/llm/responses
check_PROGRAMS += t/llm/pause
check_PROGRAMS += t/llm/tokens
check_PROGRAMS += t/llm/bedrock
check_PROGRAMS += t/llm/cohere
check_PROGRAMS += t/llm/gemini
check_PROGRAMS += t/llm/ollama
check_PROGRAMS += t/llm/anthropic
check_PROGRAMS += t/base/file
check_PROGRAMS += t/base/uhttp

# tests in the source tree, programs in the build tree
prove = cd $(srcdir) && LC_ALL=C.UTF-8 \
	LF_SRCDIR=$(abs_top_srcdir) LF_BUILDDIR=$(abs_top_builddir) \
	ASAN_OPTIONS=detect_leaks=1:$${ASAN_OPTIONS-} \
	UBSAN_OPTIONS=print_stacktrace=1:$${UBSAN_OPTIONS-} \
	$(PROVE) --exec t/limit $(PROVE_FLAGS)
# A test waits more than it computes: four at a time are what two cores have room for.
PROVE_FLAGS = -j4
# The longest first, those in C, which are short, last: so all ends together. What is named twice runs once.
c_long = $(abs_top_builddir)/t/handlers/starve
CHECK_T = t/fuzz.t t/growth.t $(c_long) t/webchat*.t t/librefang_dashboard.t t/upgrade.t t/*.t
c_tests = $(c_long) $(check_PROGRAMS:%=$(abs_top_builddir)/%)

# What failed beside another test runs once more by itself: a machine that does much else
# may have kept it from its time. What is wrong fails again.
state = --statefile=$(abs_top_builddir)/.prove
once_more = { echo "Once more, alone: what has failed"; \
	$(prove) -j1 $(state) --state=failed,save; }

# make check: everything. make check-quick: under a minute.
check-local:
	@rm -f .prove
	@( $(prove) $(state) --state=save $(CHECK_T) $(c_tests) ) || $(once_more)

check-quick: all $(check_PROGRAMS)
	@rm -f .prove
	@( $(prove) $(state) --state=save $(c_tests) $(QUICK) ) || $(once_more)

# The quick suite under the sanitizers, built in a directory of its own.
check-sanitize:
	@if test -f $(srcdir)/config.status; then \
		echo "$@: configure beside the source first: mkdir build && cd build && ../configure"; \
		exit 1; fi
	$(MKDIR_P) _san
	test -f _san/Makefile || (cd _san && $(abs_top_srcdir)/configure \
		--enable-sanitize --enable-werror CFLAGS="-O1 -g" CXXFLAGS="-O1 -g")
	cd _san && $(MAKE) check-quick

# Longer than make check does it: every fuzz target for a minute.
FUZZ_SECONDS = 60
check-fuzz: version.h
	FUZZ_SECONDS=$(FUZZ_SECONDS); export FUZZ_SECONDS; $(prove) t/fuzz.t

# Longer than make check does it: memory after 50,000 requests of each kind.
growth: all
	LF_GROWTH=50000; LF_TEST_SECONDS=86400; export LF_GROWTH LF_TEST_SECONDS; $(prove) -v t/growth.t

# Longer than make check does it: every row of the daemon while each allocation and each operation in turn is refused.
# Built once more, in _starve: each function must tell who called it.
starve:
	@if test -f $(srcdir)/config.status; then \
		echo "$@: configure beside the source first: mkdir build && cd build && ../configure"; \
		exit 1; fi
	$(MKDIR_P) _starve
	test -f _starve/Makefile || (cd _starve && $(abs_top_srcdir)/configure --enable-werror)
	cd _starve && $(MAKE) LF_UNWIND= all && LF_STARVE=all && export LF_STARVE && $(MAKE) LF_UNWIND= starve-here

starve-here:
	LF_TEST_SECONDS=7200; export LF_TEST_SECONDS; LF_STARVE_JOBS=$${LF_STARVE_JOBS:-`nproc`}; export LF_STARVE_JOBS; \
		$(prove) -j$$LF_STARVE_JOBS -v t/starve.t t/starve_start.t t/starve_first.t

# An hour of load, kills and reloads, LF_SOAK=seconds for less; then 10,000 kills in the middle of turns, LF_SOAK_KILLS for fewer.
soak: all
	LF_TEST_SECONDS=86400; export LF_TEST_SECONDS; ($(prove) -v t/bench/soak.pl) && $(prove) -v t/bench/kills.pl

EXTRA_PROGRAMS = t/bench/assembly
bench: all t/bench/assembly$(EXEEXT)
	@if test -x $(srcdir)/t/bench/run; then \
		LF_SRCDIR=$(abs_top_srcdir) LF_BUILDDIR=$(abs_top_builddir) $(srcdir)/t/bench/run; \
	else echo "no benchmarks in this tree"; fi

cppcheck:
	cd $(srcdir) && $(CPPCHECK) -q -j2 --std=c11 --error-exitcode=1 --inline-suppr \
		--enable=warning,portability,performance --suppressions-list=t/cppcheck.txt \
		--library=t/cppcheck.cfg -D__GNUC__=12 -I . lib db handlers fcgi daemon cli backup

clean-local:
	rm -rf _san _starve t/fuzz/obj t/fuzz/fuzz-* t/fuzz/replay-* t/fuzz/crash-*

.PHONY: growth starve starve-here soak check-quick check-sanitize check-fuzz bench cppcheck FORCE
