/* Everything that a local serves, byte by byte. */
#include "local/routes.h"
#include "shared/clock.h"
#include "shared/lite.h"
#include "shared/log.h"
#include "tests/fuzz/front.h"
#include "tests/fuzz/fuzz.h"

static struct site {
	struct local local;
	struct router router;
	struct replica_status status; /* as it began */
} s;

static void must_put(const char *id, const char *body)
{
	struct draft d = {.id = span_of(id), .type = span_of("t"), .body = span_of(body)};
	struct written w;
	struct reason why;

	MUST(replica_put(s.local.replica, &d, NULL, &w, &why) == OK);
}

/* A database in memory with two records, one deleted and one changed: the same each time. */
static void open_site(void)
{
	static unsigned number;
	char path[64];
	struct replica_config c = {.path = path, .node = "site-a"};
	struct written w;
	struct reason why;

	front_chance_anew();
	snprintf(path, sizeof path, "file:/front%u?vfs=memdb", number++);
	MUST(replica_open(&s.local.replica, &c, &why) == OK);
	s.local.writer = writer_new(s.local.replica);
	MUST(replica_write_begin(s.local.replica, &why) == OK);
	must_put("a", "{\"n\":1}");
	must_put("b", "[1.50,\"\\u00e9\"]");
	must_put("gone", "0");
	must_put("a", "{\"n\":2}");
	MUST(replica_delete(s.local.replica, span_of("gone"), NULL, &w, &why) == OK);
	MUST(replica_write_commit(s.local.replica, &why) == OK);
	MUST(replica_status(s.local.replica, &s.status, &why) == OK);
}

static void close_site(void)
{
	writer_free(s.local.writer);
	replica_close(s.local.replica);
}

static bool moved(void)
{
	struct replica_status now;
	struct reason why;

	MUST(!atomic_load(&s.local.broken) && !atomic_load(&s.local.failing));
	MUST(replica_status(s.local.replica, &now, &why) == OK);
	return !epoch_equal(&now.epoch, &s.status.epoch) || !position_equal(now.head, s.status.head) ||
	       !digest_equal(now.digest, s.status.digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct front_answers answers;

	if (!s.local.replica) {
		log_init(LOG_ERROR, 0);
		s.local.never_wait = true;
		s.local.started_us = clock_mono_us();
		routes_init(&s.router, &s.local);
		s.router.hosts = "";
		open_site();
	}
	front_connect(&s.router, (struct span){(const char *)data, size}, &answers);
	if (moved()) {
		MUST(answers.good > 0);
		close_site();
		open_site();
	}
	return 0;
}
