# Tidemark.  `make help` lists the targets.
V ?= release
CC ?= gcc
PREFIX ?= /usr/local
PKG_CONFIG ?= pkg-config
WERROR ?= -Werror
DESTDIR ?=
B := build/$(V)

LIBS := libmicrohttpd gnutls sqlite3 libpq libcurl libcjson libsodium libxxhash libzstd zlib
ifneq ($(filter-out help clean uninstall man deb,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(LIBS) 2>/dev/null && echo yes),yes)
$(error A library is missing. Run: apt-get install $(shell deploy/deps --print build))
endif
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wwrite-strings \
	-Wcast-qual -Wpointer-arith -Wundef -Wimplicit-fallthrough $(WERROR)
CPPFLAGS += -I. -I$(B) -D_GNU_SOURCE $(shell $(PKG_CONFIG) --cflags $(LIBS))
CFLAGS += -std=gnu17 -g -pthread -fstack-protector-strong -fPIE $(WARN) -Werror=format-security
LDFLAGS += -pthread -pie -Wl,-z,relro,-z,now,-z,noexecstack
LDLIBS += $(shell $(PKG_CONFIG) --libs $(LIBS)) -lm
# Hardening that not every compiler knows, nor for every machine: tests/hardening looks at what came of it.  The tests' own build has
# it, too, but for variables that are zero at first, which would hide from valgrind that nobody set them.
known = $(foreach flag,$(1),$(if $(shell $(CC) $(flag) -x c -c -o /dev/null /dev/null 2>&1),,$(flag)))
HARDENED = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(call known,-fstack-clash-protection -fcf-protection -mbranch-protection=standard)
# Debian 12's own start files lack the mark of -fcf-protection, for which the linker would leave it off the whole program.
MARKED = $(if $(findstring -fcf-protection,$(HARDENED)),-Wl$(comma)-z$(comma)ibt$(comma)-z$(comma)shstk)
comma := ,
# gcc's sanitizers hide from it how long a number can get.
SANITIZED := $(if $(findstring clang,$(CC)),,-Wno-format-truncation) -O1 -fno-omit-frame-pointer
ifeq ($(V),release)
CFLAGS := $(CFLAGS) -O2 $(HARDENED) $(call known,-ftrivial-auto-var-init=zero)
LDFLAGS := $(LDFLAGS) $(MARKED)
else ifeq ($(V),debug)
CFLAGS := $(CFLAGS) -O1 -fno-omit-frame-pointer $(HARDENED)
LDFLAGS := $(LDFLAGS) $(MARKED)
else ifeq ($(V),asan)
CFLAGS += $(SANITIZED) -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(V),fuzz)
override CC := clang
CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(V),tsan)
CFLAGS += $(SANITIZED) -fsanitize=thread
LDFLAGS += -fsanitize=thread
else ifeq ($(V),coverage)
CFLAGS += -O0 --coverage -fprofile-update=atomic
LDFLAGS += --coverage
else
$(error V is one of debug, release, asan, tsan, coverage, fuzz)
endif

sources = $(filter-out %/main.c,$(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(B)/%.o,$(1))

SHARED := $(B)/shared.a
LOCAL := $(B)/local.a
CENTRAL := $(B)/central.a
PROGRAMS := $(B)/tidemark-local $(B)/tidemark-central $(B)/tidemark

.PHONY: all libs help
all: $(PROGRAMS)
libs: $(SHARED) $(LOCAL) $(CENTRAL)
help:
	@sed -n 's/^#? //p' Makefile tests/tests.mk

#? make [V=release|debug|asan|tsan]    build the three programs into build/V/ (release)

#? make deb                            Debian packages in build/deb (wants: deploy/deps package)
.PHONY: deb
deb:
	deploy/deb

# SQL becomes C: a header of names and the texts.
GEN := $(addprefix $(B)/gen/,sql_local sql_local_migrations sql_central sql_central_migrations sql_postgres \
	sql_postgres_copy sql_postgres_migrations)
$(B)/gen/sql_local.% : SQL = sql/local/queries.sql
$(B)/gen/sql_local_migrations.% : SQL = $(sort $(wildcard sql/local/migrations/*.sql))
$(B)/gen/sql_central.% : SQL = $(addprefix sql/central/,queries.sql queries.sqlite.sql only.sqlite.sql)
$(B)/gen/sql_central_migrations.% : SQL = $(sort $(wildcard sql/central/migrations/*.sqlite.sql))
$(B)/gen/sql_postgres.% : SQL = $(addprefix sql/central/,queries.sql queries.postgres.sql only.postgres.sql)
$(B)/gen/sql_postgres_copy.% : SQL = sql/central/copy.postgres.sql
$(B)/gen/sql_postgres_migrations.% : SQL = $(sort $(wildcard sql/central/migrations/*.postgres.sql))
# Both dialects have the same statements, in the same order: a number means the same in both.
names = $(shell sed -n 's/^-- name: //p' sql/central/queries.$(1).sql)
ifneq ($(call names,sqlite),$(call names,postgres))
$(error sql/central/queries.sqlite.sql and queries.postgres.sql do not name the same statements in the same order)
endif
$(B)/gen/%.h: sql/embed.awk $(wildcard sql/*/*.sql sql/*/migrations/*.sql)
	@mkdir -p $(@D)
	awk -v prefix=$* -v out=header -f sql/embed.awk $(SQL) /dev/null > $@.new && mv $@.new $@
$(B)/gen/%.c: sql/embed.awk $(wildcard sql/*/*.sql sql/*/migrations/*.sql)
	@mkdir -p $(@D)
	awk -v prefix=$* -v out=source -f sql/embed.awk $(SQL) /dev/null > $@.new && mv $@.new $@
# So do the documents that the programs serve.
GEN += $(B)/gen/openapi_local $(B)/gen/openapi_central
$(B)/gen/openapi_%.h: %/openapi.yaml shared/embed.awk
	@mkdir -p $(@D)
	awk -v name=openapi_$* -v out=header -f shared/embed.awk $< > $@.new && mv $@.new $@
$(B)/gen/openapi_%.c: %/openapi.yaml shared/embed.awk
	@mkdir -p $(@D)
	awk -v name=openapi_$* -v out=source -f shared/embed.awk $< > $@.new && mv $@.new $@
# The page goes in byte for byte, by the assembler: as it is, and packed for who takes that.
PAGE := $(sort $(wildcard central/page/*.*))
PACKED := $(PAGE:central/page/%=$(B)/gen/page/%.gz)
$(PACKED): $(B)/gen/page/%.gz: central/page/%
	@mkdir -p $(@D)
	gzip -9nc $< > $@.new && mv $@.new $@
GEN += $(B)/gen/dashboard
$(B)/gen/dashboard.h: central/embed_page.awk
	@mkdir -p $(@D)
	awk -v out=header -f central/embed_page.awk > $@.new && mv $@.new $@
$(B)/gen/dashboard.c: central/embed_page.awk $(PAGE) $(PACKED) central/page
	@mkdir -p $(@D)
	awk -v out=source -v packed=$(B)/gen/page -f central/embed_page.awk $(PAGE) > $@.new && mv $@.new $@
# And the shells' scripts that the tool prints.
GEN += $(B)/gen/completion_bash $(B)/gen/completion_zsh
$(B)/gen/completion_%.h: central/tool/completion.% shared/embed.awk
	@mkdir -p $(@D)
	awk -v name=completion_$* -v out=header -f shared/embed.awk $< > $@.new && mv $@.new $@
$(B)/gen/completion_%.c: central/tool/completion.% shared/embed.awk
	@mkdir -p $(@D)
	awk -v name=completion_$* -v out=source -f shared/embed.awk $< > $@.new && mv $@.new $@
.PHONY: generated
generated: $(GEN:=.h)
.SECONDARY: $(GEN:=.c) $(GEN:=.h)

$(B)/gen/%.o: $(B)/gen/%.c $(B)/gen/%.h
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(B)/%.o: %.c | $(GEN:=.h)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(SHARED): $(call objects,$(call sources,shared))
$(LOCAL): $(call objects,$(call sources,local)) $(B)/gen/sql_local.o $(B)/gen/sql_local_migrations.o $(B)/gen/openapi_local.o
$(CENTRAL): $(call objects,$(call sources,central)) $(addprefix $(B)/gen/,sql_central.o sql_central_migrations.o \
	sql_postgres.o sql_postgres_copy.o sql_postgres_migrations.o openapi_central.o dashboard.o)
$(B)/%.a:
	@mkdir -p $(@D) && rm -f $@
	$(AR) rcs $@ $^

$(B)/tidemark-local: $(B)/local/main.o $(LOCAL) $(SHARED)
$(B)/tidemark-central: $(B)/central/main.o $(CENTRAL) $(SHARED)
$(B)/tidemark: $(call objects,$(wildcard central/tool/*.c)) $(addprefix $(B)/gen/,completion_bash.o completion_zsh.o) $(SHARED)
$(PROGRAMS):
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

include tests/tests.mk

#? make compile_commands.json          how each file is compiled, for editors and clang-tidy
ALL_SOURCES = $(wildcard $(addsuffix /*.c,shared local central central/tool tests/*))
.PHONY: compile_commands.json
compile_commands.json: generated
	@{ sep='['; for f in $(ALL_SOURCES); do \
		printf '%s\n{ "directory": "%s", "file": "%s", "command": "%s" }' \
			"$$sep" '$(CURDIR)' $$f "$(CC) $(CPPFLAGS) $(CFLAGS) -c $$f"; sep=,; \
	done; printf '\n]\n'; } > $@.new && mv $@.new $@

# The manual.  What --help says is in the pages already (deploy/man/renew), so that nothing that was built runs here: it may be
# for another machine.
PAGES := $(patsubst deploy/man/%.scd,$(B)/man/%,$(wildcard deploy/man/*.scd))
SCDOC ?= $(shell command -v scdoc)
#? make man                            the manual's pages into build/V/man (needs scdoc)
.PHONY: man
man: $(PAGES)
$(B)/man/%: deploy/man/%.scd
	@mkdir -p $(@D)
	$(or $(SCDOC),$(error The manual needs scdoc. Run: apt-get install scdoc)) < $< > $@.new && mv $@.new $@

#? make install DESTDIR= PREFIX=       programs, manual, completion and systemd's units into PREFIX (/usr/local)
#? make uninstall DESTDIR= PREFIX=     take them away
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
UNITDIR ?= $(PREFIX)/lib/systemd/system
# FILE:DIRECTORY:NAME:MODE
INSTALLED := $(foreach p,$(PROGRAMS),$(p):$(BINDIR):$(notdir $(p)):755) \
	$(if $(SCDOC),$(foreach p,$(PAGES),$(p):$(MANDIR)/man$(subst .,,$(suffix $(p))):$(notdir $(p)):644)) \
	deploy/certificates:$(BINDIR):tidemark-certificates:755 central/tool/completion.bash:$(BASHDIR):tidemark:644 central/tool/completion.zsh:$(ZSHDIR):_tidemark:644
part = $(word $(2),$(subst :, ,$(1)))
.PHONY: install uninstall clean
install: all $(if $(SCDOC),man)
	@$(foreach i,$(INSTALLED),install -D -m $(call part,$(i),4) $(call part,$(i),1) $(DESTDIR)$(call part,$(i),2)/$(call part,$(i),3) && ) :
	@install -d $(DESTDIR)$(UNITDIR)
	@for unit in deploy/systemd/*; do \
		sed 's|^ExecStart=/usr/bin/|ExecStart=$(BINDIR)/|' $$unit > $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit; \
		chmod 644 $(DESTDIR)$(UNITDIR)/$${unit##*/}; done
	@$(if $(SCDOC),:,echo 'The manual was left out: it needs scdoc (apt-get install scdoc)' >&2)
uninstall:
	rm -f $(foreach i,$(INSTALLED),$(DESTDIR)$(call part,$(i),2)/$(call part,$(i),3)) \
		$(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(wildcard deploy/systemd/*)))
#? make clean                          remove build/
clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
