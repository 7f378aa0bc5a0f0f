# actsearch: one non-recursive Makefile.   make help   lists the targets.
#
# MODE=release|debug|asan|tsan|coverage picks the flags and the folder build/$(MODE).
# A source named NAME.simd.c is compiled once for each instruction set (see common/simd.h).

MODE   ?= release
PREFIX ?= /usr/local
# Where `make install` puts things, below $(DESTDIR); the GNU names.
prefix  ?= $(PREFIX)
bindir  ?= $(prefix)/bin
datadir ?= $(prefix)/share
mandir  ?= $(datadir)/man
docdir  ?= $(datadir)/doc/actsearch
bashdir ?= $(datadir)/bash-completion/completions
zshdir  ?= $(datadir)/zsh/site-functions
unitdir ?= $(prefix)/lib/systemd/system
usersdir ?= $(prefix)/lib/sysusers.d
TIME   ?= 60
B      := build/$(MODE)

CC       ?= gcc
PACKAGES := libczmq libzmq sqlite3 libsodium zlib openblas libcjson libmicrohttpd
STD      := -std=c11 -D_GNU_SOURCE -I. -pthread
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wvla -Wno-psabi
EXACT    := -ffp-contract=off -fno-math-errno

OPT_release  := -O2 -g
OPT_debug    := -O0 -g3
OPT_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_tsan     := -O1 -g -fsanitize=thread
OPT_coverage := -O0 -g --coverage
# The inner loops; with sanitizers, what is unrolled there would take minutes to compile at -O3.
OPT_SIMD_release := -O3
ifeq ($(OPT_$(MODE)),)
$(error MODE=$(MODE): expected release, debug, asan, tsan or coverage)
endif

VERSION  := $(shell sed -n 's/.*ACTSEARCH_VERSION "\(.*\)".*/\1/p' common/version.h)
CFLAGS_ALL  = $(CPPFLAGS) $(STD) $(WARN) $(EXACT) $(OPT_$(MODE)) $(shell pkg-config --cflags $(PACKAGES)) $(CFLAGS)
LDLIBS_ALL := $(shell pkg-config --libs $(PACKAGES)) -lmsgpackc -linih -lsleef -lm

# The instruction sets that a .simd.c file is compiled for.
SIMD_FLAGS_avx512   := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
SIMD_FLAGS_avx2     := -mavx2 -mfma
SIMD_FLAGS_portable :=
SIMD_PATHS          := avx512 avx2 portable

# ---- parts ----------------------------------------------------------------------------------------------
sources = $(sort $(wildcard $(addsuffix /*.c,$(1))))
objects = $(foreach f,$(1),$(if $(filter %.simd.c,$(f)),\
            $(foreach p,$(SIMD_PATHS),$(B)/$(f:.simd.c=.$(p).o)),$(B)/$(addsuffix .o,$(basename $(f)))))

SRC_common      := $(call sources,common common/expr)
SRC_proto       := $(call sources,proto)
SRC_coordinator := $(filter-out coordinator/main.c,$(call sources,coordinator coordinator/search coordinator/status)) coordinator/schema.sql
SRC_nn          := $(call sources,worker/nn)
SRC_worker      := $(filter-out worker/main.c,$(call sources,worker))
SRC_cli         := $(filter-out cli/main.c,$(call sources,cli))
PARTS           := common proto coordinator nn worker cli
$(foreach p,$(PARTS),$(eval LIB_$(p) := $(B)/lib$(p).a))

PROGRAMS := $(if $(wildcard coordinator/main.c),$(B)/actsearchd) $(if $(wildcard worker/main.c),$(B)/actsearch-worker) \
            $(if $(wildcard cli/main.c),$(B)/actsearch)
UNIT     := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*_test.c))
BENCH    := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))
E2E      := $(patsubst tests/e2e/%.c,$(B)/e2e/%,$(wildcard tests/e2e/*.c))
SOAK     := $(B)/soak/workers
FUZZ     := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))

.PHONY: all check fire soak e2e simulate chaos browser bench results fuzz lint format coverage install clean help valgrind slurm manual uninstall deb deb-test
.DEFAULT_GOAL := all
all: $(PROGRAMS) ## build the three programs into build/$(MODE)

$(B)/actsearchd: $(B)/coordinator/main.o $(LIB_coordinator) $(LIB_proto) $(LIB_common)
$(B)/actsearch-worker: $(B)/worker/main.o $(LIB_worker) $(LIB_nn) $(LIB_proto) $(LIB_common)
$(B)/actsearch: $(B)/cli/main.o $(LIB_cli) $(LIB_coordinator) $(LIB_nn) $(LIB_proto) $(LIB_common)
$(PROGRAMS):
	@echo "  LINK  $@"; $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LDLIBS_ALL)

define library
$(LIB_$(1)): $(call objects,$(SRC_$(1)))
	@echo "  AR    $$@"; rm -f $$@; ar rcs $$@ $$^
endef
$(foreach p,$(PARTS),$(eval $(call library,$(p))))

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D); echo "  CC    $<"; $(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
# A .sql file becomes a C string named for it: coordinator/schema.sql is `const char schema_sql[]` (coordinator/schema.h).
$(B)/%.sql.c: %.sql Makefile
	@mkdir -p $(@D); { echo '#include "$*.h"'; echo 'const char $(notdir $*)_sql[] ='; \
	sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/    "&\\n"/' $<; echo '    ;'; } >$@
$(B)/%.o: $(B)/%.sql.c
	@echo "  CC    $*.sql"; $(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
# The files of the web page and its chart library (package libjs-dygraphs) become part of the program: coordinator/status/assets.c.
DYGRAPHS  ?= /usr/share/javascript/dygraphs
DYGRAPHS_LICENCE ?= /usr/share/doc/libjs-dygraphs/copyright
WEB_FILES := $(notdir $(wildcard coordinator/web/*)) dygraph.js dygraph.css licences.txt
$(B)/coordinator/status/assets.o: CFLAGS += -DWEB_FILES='"$(B)/web"'
$(B)/coordinator/status/assets.o: $(foreach f,$(WEB_FILES),$(B)/web/$(f) $(B)/web/$(f).gz)
$(B)/web/licences.txt: LICENSE $(DYGRAPHS_LICENCE)
	@mkdir -p $(@D); { cat LICENSE; printf '\n\nThe charts of the web page are drawn by dygraphs:\n\n'; cat $(DYGRAPHS_LICENCE); } >$@
$(B)/web/dygraph.%: $(DYGRAPHS)/dygraph.min.%
	@mkdir -p $(@D); cp $< $@
$(B)/web/%: coordinator/web/%
	@mkdir -p $(@D); cp $< $@
$(B)/web/%.gz: $(B)/web/%
	@gzip -9nc $< >$@
define simd_rule
$(B)/%.$(1).o: %.simd.c Makefile
	@mkdir -p $$(@D); echo "  CC    $$< ($(1))"; $(CC) $(CFLAGS_ALL) $(OPT_SIMD_$(MODE)) $(SIMD_FLAGS_$(1)) -DSIMD_PATH=$(1) -DSIMD_PATH_$(1)=1 -MMD -MP -c -o $$@ $$<
endef
$(foreach p,$(SIMD_PATHS),$(eval $(call simd_rule,$(p))))

# ---- tests ----------------------------------------------------------------------------------------------
TEST_LIBS := $(foreach p,cli worker coordinator nn proto common,$(LIB_$(p)))
$(B)/tests/%: $(B)/tests/unit/%.o $(TEST_LIBS)
	@mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $< -Wl,--start-group $(TEST_LIBS) -Wl,--end-group $(LDLIBS_ALL) -lcmocka
$(B)/e2e/%: $(B)/tests/e2e/%.o $(TEST_LIBS)
	@mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $< -Wl,--start-group $(TEST_LIBS) -Wl,--end-group $(LDLIBS_ALL)
$(B)/bench/%: $(B)/tests/bench/%.o $(TEST_LIBS)
	@mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $< -Wl,--start-group $(TEST_LIBS) -Wl,--end-group $(LDLIBS_ALL)
$(B)/soak/%: $(B)/tests/soak/%.o $(TEST_LIBS)
	@mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $< -Wl,--start-group $(TEST_LIBS) -Wl,--end-group $(LDLIBS_ALL)
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/driver.o $(TEST_LIBS)
	@mkdir -p $(@D); $(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(TEST_LIBS) -Wl,--end-group $(LDLIBS_ALL)
# The one test that lets allocations fail.
$(B)/tests/store_memory_test: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=vasprintf
.SECONDARY:

PICKED = $(if $(NAME),$(foreach t,$(UNIT),$(if $(findstring $(NAME),$(t)),$(t))),$(UNIT))
check: all $(PICKED) ## build and run the unit tests (NAME=pattern picks some)
	@BUILD=$(B) TSAN_OPTIONS=suppressions=tests/tsan.supp:$$TSAN_OPTIONS scripts/run-tests $(PICKED)
# What reads input, keeps state, and writes databases; no trainings, and nothing that tries thousands of random cases.
VALGRIND := admit agent agent_leave audit bounded consistent core core_end core_keys core_outcome endpoint err experiment \
            expr_parse finals halving ini json judge keys lease link log migrate msg msg_fields pipe \
            protocol queue ranking resume space store store_check store_place store_read text
valgrind: all $(VALGRIND:%=$(B)/tests/%_test) ## the unit tests of what reads input and keeps state, under valgrind
	@BUILD=$(B) UNDER="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite" \
		scripts/run-tests $(VALGRIND:%=$(B)/tests/%_test)
e2e: all $(E2E) $(SOAK) ## run the end-to-end tests, which start the real programs
	@BUILD=$(B) scripts/run-tests $(sort $(filter-out %/lib.sh,$(wildcard tests/e2e/*.sh)))
SEEDS ?= 1000
FIRST ?= 1
simulate: $(B)/tests/agent_simulation_test ## run SEEDS made-up worlds from seed FIRST on, or one and tell it (SEED=N)
	@$< $(if $(SEED),seed $(SEED),$(SEEDS) $(FIRST))
KILLS ?= 100
chaos: all ## a real search among KILLS random kills, stops and cut cables: the same list, byte for byte
	@BUILD=$(B) KILLS=$(KILLS) tests/e2e/chaos.sh 2>/dev/null | tee $(B)/chaos.log; ! grep -q '^FAIL' $(B)/chaos.log
PICTURES ?= $(B)/pictures
browser: all ## all of the web page in headless Chromium; pictures of each view go to PICTURES=build/release/pictures
	@mkdir -p $(PICTURES); BUILD=$(B) SHORT= PICTURES=$(abspath $(PICTURES)) scripts/run-tests tests/e2e/browser.sh
fire: all $(B)/tests/store_fire_test $(B)/tests/store_memory_test ## the store with every write, fsync and allocation failing in turn (minutes)
	@BUILD=$(B) ACTSEARCH_FIRE=all TEST_TIMEOUT=3600 scripts/run-tests $(filter %_test,$^)
soak: all $(SOAK) ## a million trials that take no time, through the real coordinator (about ten minutes)
	@BUILD=$(B) tests/soak/soak.sh
slurm: all ## a search on a Slurm of its own: workers preempted, a node killed, the same list (minutes; needs slurmd, root)
	@BUILD=$(B) tests/slurm/campaign.sh 2>/dev/null | tee $(B)/slurm.log; ! grep -q '^FAIL' $(B)/slurm.log
bench: all $(BENCH) ## run the benchmarks
	@set -e; for b in $(BENCH); do echo "== $$b"; $$b; done
results: all $(B)/bench/search_table ## docs/results from the table of the one-unit space: findings, and searches compared (ten minutes)
	scripts/findings && scripts/bench-search
FUZZED = $(if $(NAME),$(foreach t,$(FUZZ),$(if $(findstring /$(NAME)_fuzz,$(t)),$(t))),$(FUZZ))
fuzz: $(FUZZED) ## run each fuzz target (NAME=one), TIME seconds in all, or RUNS times each (use MODE=asan)
	@BUILD=$(B) scripts/fuzz $(if $(RUNS),$(RUNS)x,$(TIME)) $(FUZZED)
lint: ## include directions, file lengths, one includer per library, no libm in the numerics
	@scripts/lint
format: ## lay out all C sources with clang-format
	clang-format -i $(shell git ls-files '*.c' '*.h')
coverage: ## line coverage of the unit tests
	$(MAKE) MODE=coverage check && scripts/coverage build/coverage
# The manual pages and what shells complete by, from what the programs say of themselves with --help.
MANUAL := $(B)/manual/done
$(MANUAL): scripts/manual scripts/completion docs/experiment-file.md docs/expressions.md $(PROGRAMS)
	@echo "  MAN   $(@D)"; rm -rf $(@D); BUILD=$(B) scripts/manual $(@D) && BUILD=$(B) scripts/completion $(@D)/completion && touch $@
manual: $(MANUAL) ## the manual pages and shell completion, into build/$(MODE)/manual

# These go with the documentation, as examples.
EXAMPLES := scripts/fetch_cifar scripts/launch scripts/trainers
install: all $(MANUAL) ## install it all below $(DESTDIR)$(prefix); prefix=/usr/local, and bindir, mandir, … of their own
	install -d $(addprefix $(DESTDIR),$(bindir) $(mandir)/man1 $(mandir)/man5 $(mandir)/man7 $(docdir)/examples $(bashdir) $(zshdir) \
	    $(datadir)/actsearch/experiments)
	install -m 755 $(PROGRAMS) $(DESTDIR)$(bindir)
	for section in 1 5 7; do install -m 644 $(B)/manual/man$$section/* $(DESTDIR)$(mandir)/man$$section || exit 1; done
	install -m 644 $(B)/manual/completion/actsearch.bash $(DESTDIR)$(bashdir)/actsearch
	for program in actsearchd actsearch-worker; do ln -sf actsearch $(DESTDIR)$(bashdir)/$$program || exit 1; done
	install -m 644 $(B)/manual/completion/actsearch.zsh $(DESTDIR)$(zshdir)/_actsearch
	install -m 644 experiments/*.ini $(DESTDIR)$(datadir)/actsearch/experiments
	install -m 644 docs/*.md docs/*.png $(DESTDIR)$(docdir)
	cp -r $(EXAMPLES) $(DESTDIR)$(docdir)/examples
	install -d $(DESTDIR)$(unitdir) $(DESTDIR)$(usersdir)
	for unit in scripts/launch/systemd/*.service; do sed 's|/usr/bin/|$(bindir)/|g' $$unit >$(DESTDIR)$(unitdir)/$${unit##*/} || exit 1; done
	install -m 644 scripts/launch/systemd/actsearch.sysusers $(DESTDIR)$(usersdir)/actsearch.conf
# What it removes is what an installation into an empty folder has, so that there is one list.
uninstall: all $(MANUAL) ## remove what `make install` with the same folders put there
	rm -rf $(B)/installed
	$(MAKE) --no-print-directory -s install DESTDIR=$(abspath $(B))/installed >/dev/null
	cd $(B)/installed && find . ! -type d -printf '%P\n' | while read -r file; do rm -f "$(DESTDIR)/$$file"; done
	cd $(B)/installed && find . -depth -type d -path '*actsearch*' -printf '%P\n' | while read -r folder; do \
	    rmdir --ignore-fail-on-non-empty "$(DESTDIR)/$$folder" 2>/dev/null || true; done
	rm -rf $(B)/installed
deb: ## the Debian package, build/actsearch_VERSION_ARCHITECTURE.deb (needs debhelper, dpkg-dev)
	scripts/deb build
deb-test: ## build it, then install and run it on a bare Debian in a folder (needs root, debootstrap and a mirror; minutes)
	scripts/deb build && scripts/deb-test build/actsearch_$(VERSION)_*.deb
clean: ## remove build/
	rm -rf build
help: ## this list
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## (.*)/  make \1\t\2/' | expand -t 20

-include $(shell [ -d $(B) ] && find $(B) -name '*.d')
