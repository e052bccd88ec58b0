#include "central/clocks.h"

#include "central/centre.h"
#include "central/own_clock.h"
#include "shared/clock.h"

static int disagree(
	const struct offset_reading *m, const struct offset_claim *node, const struct offset_claim *own)
{
	if (!m || node->error_us < 0 || own->error_us < 0)
		return -1;
	return offset_disagrees(m, node, own);
}

int clocks_disagree(const struct node_run *run)
{
	struct offset_reading m;
	struct offset_claim node = node_clock_claim(run), own = own_clock_claim();
	bool known = offset_read(&run->clock.measured, clock_mono_us(), &m);

	return disagree(known ? &m : NULL, &node, &own);
}

static void put_flag(struct buf *out, const char *name, int flag)
{
	buf_printf(out, ",\"%s\":%s", name, flag < 0 ? "null" : flag ? "true" : "false");
}

static void put_measure(struct buf *out, const struct offset_reading *m)
{
	buf_text(out, "\"offset_us\":");
	centre_put_known(out, m, m ? m->offset_us : 0);
	buf_text(out, ",\"error_us\":");
	centre_put_known(out, m, m ? m->error_us : 0);
	buf_text(out, ",\"rtt_us\":");
	centre_put_known(out, m, m ? m->rtt_us : 0);
	buf_text(out, ",\"age_s\":");
	centre_put_seconds(out, m ? (double)m->age_us / 1e6 : -1);
	put_flag(out, "skewed", m ? offset_is_skewed(m) : -1);
}

/* What the node says of its clock; chronyd's word grows older here too. */
static void put_keeper(struct buf *out, const struct node_run *run, const struct offset_claim *node)
{
	struct chrony c = node_chrony(run);
	struct reason words = {"not told yet"};
	const char *source = NULL;
	bool told = run->clock.told;

	if (c.age_s >= 0)
		c.age_s += (clock_mono_us() - run->clock.told_us) / 1000000;
	if (told) {
		source = chrony_source_of(&c, node->error_us);
		chrony_describe(&c, node->error_us, &words);
	}
	put_flag(out, "synchronised", told ? node->kept == OFFSET_SYNCHRONISED : -1);
	buf_text(out, ",\"own_error_us\":");
	centre_put_known(out, node->error_us >= 0, node->error_us);
	buf_text(out, ",\"source\":");
	centre_put_text(out, source ? source : "");
	buf_text(out, ",\"keeper\":");
	buf_json_text(out, span_of(words.text));
	buf_text(out, ",\"chrony\":");
	chrony_put(&c, out);
}

void clocks_put(struct buf *out, const struct node_run *run)
{
	struct offset_reading m;
	struct reason words;
	struct offset_claim node = node_clock_claim(run), own = own_clock_claim();
	bool known = offset_read(&run->clock.measured, clock_mono_us(), &m);

	offset_describe(known ? &m : NULL, &node, &own, &words);
	buf_text(out, ",\"clock\":{");
	put_measure(out, known ? &m : NULL);
	put_flag(out, "disagrees", disagree(known ? &m : NULL, &node, &own));
	buf_text(out, ",\"reason\":");
	buf_json_text(out, span_of(words.text));
	put_keeper(out, run, &node);
	buf_char(out, '}');
}
