# The tests' part of the Makefile.  tests/README.md says what belongs where.
TEST_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)

SUPPORT := $(B)/tests/support.a
$(SUPPORT): $(call objects,$(wildcard tests/support/*.c))

# One binary a file, each runs alone: build/debug/tests/unit/test_record
UNIT := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c tests/contract/test_*.c))
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(SUPPORT) $(CENTRAL) $(LOCAL) $(SHARED)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(TEST_LIBS) $(LDLIBS)
$(B)/tests/contract/%: $(B)/tests/contract/%.o $(SUPPORT) $(CENTRAL) $(LOCAL) $(SHARED)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(TEST_LIBS) $(LDLIBS)

# Calls that a test stands in for, or makes fail.
$(B)/tests/contract/test_apply $(B)/tests/contract/test_replica_faults $(B)/tests/contract/test_writer $(B)/tests/contract/test_store_faults: LDFLAGS += -Wl,--wrap=sqlite3_step
$(B)/tests/contract/test_store_faults: LDFLAGS += -Wl,--wrap=PQsendQueryPrepared,--wrap=PQsendQuery,--wrap=PQputCopyEnd,--wrap=PQgetResult
$(B)/tests/contract/test_torture: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup
$(B)/tests/contract/test_store_postgres: LDFLAGS += -Wl,--wrap=PQgetResult
$(B)/tests/contract/test_store_quarantine: LDFLAGS += -Wl,--wrap=store_meet,--wrap=store_bulk_meet
$(B)/tests/contract/test_store_bulk: LDFLAGS += -Wl,--wrap=store_heap_remove
$(B)/tests/contract/test_api_away: LDFLAGS += -Wl,--wrap=store_record,--wrap=store_ping,--wrap=store_counts,--wrap=store_node_add
$(B)/tests/contract/test_reload_nodes: LDFLAGS += -Wl,--wrap=db_begin,--wrap=stmt_begin
$(filter $(B)/tests/contract/test_scheduler%,$(UNIT)): LDFLAGS += -Wl,--wrap=store_node_row,--wrap=store_apply_pages,--wrap=store_events_add,--wrap=log_event
$(B)/tests/contract/test_scheduler: LDFLAGS += -Wl,--wrap=transfer_start_soon
$(B)/tests/contract/test_refill_four: LDFLAGS += -Wl,--wrap=store_push_page,--wrap=store_push_ahead
$(B)/tests/contract/test_resolver: LDFLAGS += -Wl,--wrap=getaddrinfo,--wrap=freeaddrinfo,--wrap=clock_mono_us
$(B)/tests/contract/test_transfer_names: LDFLAGS += -Wl,--wrap=getaddrinfo,--wrap=freeaddrinfo
$(B)/tests/unit/test_coding: LDFLAGS += -Wl,--wrap=ZSTD_decompressStream,--wrap=inflate
$(B)/tests/unit/test_clock: LDFLAGS += -Wl,--wrap=ntp_adjtime,--wrap=clock_gettime
$(B)/tests/contract/test_chrony_watch: LDFLAGS += -Wl,--wrap=ntp_adjtime
$(B)/tests/unit/test_progress: LDFLAGS += -Wl,--wrap=clock_mono_us
$(B)/tests/unit/test_log: LDFLAGS += -Wl,--wrap=write

# The whole system in one process: its own clock and chance stand in for shared/clock.o and entropy.o,
# and it decides what becomes of commits and of log lines.
$(B)/tests/sim/sim: $(call objects,$(wildcard tests/sim/*.c)) $(CENTRAL) $(LOCAL) $(SHARED)
	$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=lite_commit,--wrap=postgres_run,--wrap=log_event,--wrap=store_is_small,--wrap=store_heap_is_put_anew -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

# Many locals in one process.
$(B)/tests/crowd/crowd: $(call objects,$(wildcard tests/crowd/*.c)) $(SHARED)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

# Both programs, whose commits to SQLite now and then report an error.
UNCERTAIN := $(addprefix $(B)/tests/uncertain/tidemark-,local central)
$(UNCERTAIN): $(B)/tests/uncertain/tidemark-%: $(B)/tests/uncertain/commit.o
	$(CC) $(CFLAGS) $(LDFLAGS) -Wl,--wrap=sqlite3_step -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)
$(B)/tests/uncertain/tidemark-local: $(B)/local/main.o $(LOCAL) $(SHARED)
$(B)/tests/uncertain/tidemark-central: $(B)/central/main.o $(CENTRAL) $(SHARED)

# A disk that loses what was not flushed.
$(B)/tests/disk/disk: tests/disk/disk.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(shell $(PKG_CONFIG) --cflags fuse3) $(CFLAGS) $(LDFLAGS) -o $@ $< $(shell $(PKG_CONFIG) --libs fuse3)

# What is loaded before a real program.
$(B)/tests/preload/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O1 -g -fPIC -shared -D_GNU_SOURCE $(WARN) -o $@ $<
PRELOADS := $(patsubst %.c,$(B)/%.so,$(wildcard tests/preload/*.c))
.PHONY: preloads
preloads: $(PRELOADS)

#? make test                           all tests, as CI runs them; for some: tests/run NAME…
#? make unit|contract|sim|e2e|lint     one kind of them (tests/README.md)
#? make asan|tsan                      unit and contract under a sanitizer
#? make programme                      the test programme, made from the tests: build/programme.md
#? make lint-report                    what the checks of the sources say, as a page: build/lint/index.html
#? make nightly                        all of it for hours: more kills and seeds, TSan, valgrind, clang
.PHONY: test unit contract sim e2e lint asan tsan nightly programme lint-report test-programs sim-program crowd-program disk-program uncertain-programs
test:
	./tests/run
unit contract sim e2e lint asan tsan:
	./tests/run $@
nightly:
	./tests/nightly
programme:
	tests/programme
lint-report:
	tests/lint/report
test-programs: $(UNIT)
sim-program: $(B)/tests/sim/sim
crowd-program: $(B)/tests/crowd/crowd
disk-program: $(B)/tests/disk/disk
uncertain-programs: $(UNCERTAIN)

# The release build against what others take for the same work; BENCH_RECORDS and BENCH_ROUNDS say how much (tests/README.md).
$(B)/tests/bench/%: $(B)/tests/bench/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LDLIBS)
#? make bench                          how fast, as ratios to what others take; BENCH_RECORDS=… BENCH_ROUNDS=5; figures in $(B)/bench.json or BENCH_JSON=…
.PHONY: bench bench-programs
bench-programs: $(addprefix $(B)/tests/bench/,floor floor_postgres writers)
bench: all bench-programs crowd-program
	TIDEMARK_BIN=$(B) BENCH_JSON=$${BENCH_JSON:-$(B)/bench.json} tests/bench/bench.py

# Fuzz targets: with replay.c they run the files of tests/fuzz/corpus/TARGET; V=fuzz links libFuzzer's main instead.
FUZZ := json record page push exchange csv import chrony address session sse coding settings_local settings_central front_local front_central
FUZZ_PROGRAMS := $(addprefix $(B)/tests/fuzz/,$(FUZZ))
$(B)/tests/fuzz/record $(B)/tests/fuzz/page $(B)/tests/fuzz/push: $(B)/tests/fuzz/hashes.o
$(B)/tests/fuzz/record $(B)/tests/fuzz/page $(B)/tests/fuzz/push: LDFLAGS += -Wl,--wrap=hash_equal
$(B)/tests/fuzz/front_local $(B)/tests/fuzz/front_central: $(B)/tests/fuzz/front.o
$(B)/tests/fuzz/exchange: $(addprefix $(B)/tests/fuzz/,shelf.o honest.o turn.o)
$(B)/tests/fuzz/exchange: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
FUZZ_MAIN := $(if $(filter fuzz,$(V)),,$(B)/tests/fuzz/replay.o)
# Both programs have routes and settings of the same names: a target sees one of them.
$(filter %_local,$(FUZZ_PROGRAMS)): $(LOCAL)
$(filter-out %_local,$(FUZZ_PROGRAMS)): $(CENTRAL)
$(FUZZ_PROGRAMS): $(B)/tests/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(FUZZ_MAIN) $(SHARED)
	$(CC) $(CFLAGS) $(LDFLAGS) $(if $(FUZZ_MAIN),,-fsanitize=fuzzer) -o $@ $(filter %.o,$^) \
		$(filter-out $(SHARED),$(filter %.a,$^)) $(SHARED) $(LDLIBS)
.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)
#? make fuzz TARGET=page SECONDS=60    look for inputs that break a target (json, page, front_local, …: tests/README.md); needs clang
SECONDS ?= 60
fuzz:
	tests/fuzz/run '$(TARGET)' $(SECONDS)
