#include "central/tool/clocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_true(const struct json_doc *d, const char *path)
{
	bool flag = false;
	struct reason why;

	return json_doc_bool(d, path, &flag, &why) == OK && flag;
}

static bool is_false(const struct json_doc *d, const char *path)
{
	bool flag = true;
	struct reason why;

	return json_doc_bool(d, path, &flag, &why) == OK && !flag;
}

const char *clocks_alarm(const struct json_doc *node)
{
	if (is_true(node, "clock.skewed"))
		return "SKEWED";
	return is_true(node, "clock.disagrees") ? "DISAGREES" : NULL;
}

/* Three digits that matter, in a unit that fits. */
static void put_span(struct buf *out, double us)
{
	double size = us < 0 ? -us : us;

	if (size < 1000)
		buf_printf(out, "%.0f us", us);
	else if (size < 1e6)
		buf_printf(out, "%.1f ms", us / 1e3);
	else if (size < 7200e6)
		buf_printf(out, "%.3f s", us / 1e6);
	else if (size < 172800e6)
		buf_printf(out, "%.1f hours", us / 3600e6);
	else
		buf_printf(out, "%.1f days", us / 86400e6);
}

void clocks_put(struct buf *out, const struct json_doc *node)
{
	double offset_us, error_us;
	struct reason why;
	const char *alarm = clocks_alarm(node);

	if (json_doc_number(node, "clock.offset_us", &offset_us, &why) != OK ||
		json_doc_number(node, "clock.error_us", &error_us, &why) != OK) {
		buf_char(out, '-');
	} else {
		put_span(out, offset_us);
		buf_text(out, " ±");
		put_span(out, error_us);
	}
	if (alarm)
		buf_printf(out, " %s", alarm);
	else if (is_false(node, "clock.synchronised"))
		buf_text(out, " not kept");
	else if (!strcmp(tool_text(node, "clock.chrony.state"), "silent"))
		buf_text(out, " chronyd silent");
}

void clocks_print_own(const struct json_doc *status)
{
	double error_us;
	struct reason why;

	if (json_doc_number(status, "clock.error_us", &error_us, &why) == OK)
		printf("clock      synchronised to within %.3f ms, says %s: %s\n", error_us / 1000,
			!strcmp(tool_text(status, "clock.source"), "chrony") ? "chronyd" : "the kernel",
			tool_text(status, "clock.reason"));
	else
		printf("clock      not synchronised: %s\n", tool_text(status, "clock.reason"));
}
