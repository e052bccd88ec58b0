#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shared/chrony.h"
#include "shared/clock.h"
#include "shared/log.h"

static struct watch {
	struct chrony_config config;
	pthread_t thread;
	int stop_fd; /* readable: end */
	bool running;
	pthread_mutex_t mutex; /* of the two below */
	struct chrony last;
	int64_t last_us; /* monotonic */
} watch = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Once per change of state, so that a log without it is the log of a clock that is kept. */
static void tell_change(enum chrony_state before, const struct chrony *c, const struct reason *why)
{
	bool worse = before == CHRONY_SYNCHRONISED;
	if (c->state == before)
		return;
	if (c->state == CHRONY_SYNCHRONISED)
		log_event(LOG_INFO, "clock", "chrony", chrony_state_name(c->state), "source", c->source,
			"stratum", LOG_I64(c->stratum), "error_us", LOG_I64(c->error_us), NULL);
	else
		log_event(worse ? LOG_WARN : LOG_INFO, "clock", "chrony", chrony_state_name(c->state),
			"reason", why->text[0] ? why->text : chrony_state_words(c->state), NULL);
}

static void keep(const struct chrony *c)
{
	pthread_mutex_lock(&watch.mutex);
	watch.last = *c;
	watch.last_us = clock_mono_us();
	int64_t age_us = clock_wall_us() - c->updated_at_us;
	watch.last.age_s = age_us >= 0 ? age_us / 1000000 : -1; /* the clock may have been set since */
	pthread_mutex_unlock(&watch.mutex);
	clock_tell_error_us(c->state == CHRONY_SYNCHRONISED ? c->error_us : -1);
}

/* False: it is time to end. */
static bool pause_between(void)
{
	int64_t until_us = clock_mono_us() + watch.config.every_ms * 1000;
	for (;;) {
		struct pollfd fd = {watch.stop_fd, POLLIN, 0};
		int64_t left_ms = (until_us - clock_mono_us() + 999) / 1000;
		if (left_ms <= 0)
			return true;
		if (poll(&fd, 1, (int)left_ms) > 0)
			return false;
	}
}

static void *run(void *ctx)
{
	enum chrony_state before = CHRONY_UNKNOWN;
	(void)ctx;
	do {
		struct chrony c;
		struct reason why = {""};
		chrony_ask(watch.config.program, watch.config.timeout_ms, watch.stop_fd, &c, &why);
		if (c.state == CHRONY_UNKNOWN)
			break; /* stopped */
		keep(&c);
		tell_change(before, &c, &why);
		before = c.state;
	} while (pause_between());
	return NULL;
}

enum err chrony_start(const struct chrony_config *c, struct reason *why)
{
	if (!c->program || !*c->program)
		return OK;
	watch.config = *c;
	watch.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch.stop_fd < 0)
		return fail(RETRY, why, "no eventfd: %s", strerror(errno));
	int error = pthread_create(&watch.thread, NULL, run, NULL);
	if (error != 0) {
		close(watch.stop_fd);
		return fail(RETRY, why, "no thread: %s", strerror(error));
	}
	watch.running = true;
	return OK;
}

void chrony_stop(void)
{
	const uint64_t one = 1;
	if (!watch.running)
		return;
	ssize_t written = write(watch.stop_fd, &one, sizeof one);
	(void)written; /* EAGAIN: asked 2^64 times already */
	pthread_join(watch.thread, NULL);
	close(watch.stop_fd);
	watch.running = false;
	keep(&(struct chrony){.state = CHRONY_UNKNOWN});
}

void chrony_now(struct chrony *ret)
{
	pthread_mutex_lock(&watch.mutex);
	*ret = watch.last;
	int64_t age_us = clock_mono_us() - watch.last_us;
	pthread_mutex_unlock(&watch.mutex);
	if (ret->state != CHRONY_UNKNOWN && age_us > CLOCK_TOLD_KEPT_US)
		*ret = (struct chrony){.state = CHRONY_UNKNOWN};
	if (ret->age_s >= 0)
		ret->age_s += age_us / 1000000;
}

void chrony_put_clock(struct buf *out)
{
	struct chrony c;
	struct reason words;
	int64_t error_us = clock_error_us();
	chrony_now(&c);
	const char *source = chrony_source_of(&c, error_us);
	buf_printf(out, "{\"synchronised\":%s,\"error_us\":", error_us < 0 ? "false" : "true");
	if (source)
		buf_printf(out, "%lld,\"source\":\"%s\"", (long long)error_us, source);
	else
		buf_text(out, "null,\"source\":null");
	buf_text(out, ",\"reason\":");
	chrony_describe(&c, error_us, &words);
	buf_json_text(out, span_of(words.text));
	buf_text(out, ",\"chrony\":");
	chrony_put(&c, out);
	buf_char(out, '}');
}

void chrony_put_metrics(struct buf *out)
{
	int64_t error_us = clock_error_us();
	buf_printf(out,
		"# HELP tidemark_clock_synchronised 1 when something keeps this machine's clock.\n"
		"# TYPE tidemark_clock_synchronised gauge\ntidemark_clock_synchronised %d\n"
		"# HELP tidemark_clock_error_seconds The bound on the error of this machine's clock.\n"
		"# TYPE tidemark_clock_error_seconds gauge\n",
		error_us >= 0);
	if (error_us >= 0)
		buf_printf(out, "tidemark_clock_error_seconds %.9g\n", (double)error_us / 1e6);
}

void chrony_follow(const char *program)
{
	const struct chrony_config c = {program, CHRONY_EVERY_MS, CHRONY_TIMEOUT_MS};
	struct reason why;
	chrony_stop();
	if (chrony_start(&c, &why) != OK)
		log_event(LOG_WARN, "setting.refused", "option", "chronyc", "reason", why.text, NULL);
}
