#include <string.h>

#include "central/outlook.h"

/* What a person can do, where the last exchange failed.  {name} and {url} are the node's. */
static const char *const remedies[POLL_RESULTS] = {
	[POLL_REFUSED] =
		"nobody listens at {url}: start tidemark-local there, or tell the centre where it is now "
		"(`tidemark node set {name} --url URL`); it is asked again by itself, at once by `tidemark "
		"pull {name}`",
	[POLL_TIMEOUT] = "does `curl {url}/healthz` answer from the centre's machine? If not, look at the "
			 "network and the "
			 "machine (a firewall that drops, a machine that hangs); if so, it is overloaded or "
			 "its disk is slow",
	[POLL_RESOLVE] =
		"the host in {url} has no address: check the name and the name server, or give an address "
		"instead (`tidemark node set {name} --url URL`)",
	[POLL_TLS] = "no encrypted connection to {url}: check the certificates (`openssl s_client -connect "
		     "HOST:PORT` shows "
		     "the one there), both clocks, and whether the other end speaks http or https; after a "
		     "change of files "
		     "both programs take them on SIGHUP",
	[POLL_NETWORK] =
		"the connection to {url} breaks off: check the network and any proxy between, and the log "
		"of tidemark-local there",
	[POLL_HTTP] =
		"the node answers and says what is wrong: see its log, and whether its disk has room; it is "
		"asked again by itself",
	[POLL_UNAUTHORISED] =
		"give tidemark-local there what `tidemark node token {name}` prints, as its --token-file, "
		"and reload it (SIGHUP; under systemd restart it); where it said 403, let {url} name it as "
		"it knows itself, or by its address",
	[POLL_NOT_TIDEMARK] =
		"something else listens at {url}: correct the URL (`tidemark node set {name} --url "
		"URL`), or free that port for tidemark-local",
	[POLL_WRONG_NODE] =
		"{url} is the address of another node: correct the URL (`tidemark node set {name} --url "
		"URL`), or --node of the tidemark-local there",
	[POLL_BAD_BODY] = "nothing of its answer was taken: check what stands between (a proxy that cuts or "
			  "changes answers), "
			  "the versions of the programs, and the node's disk; it is asked again by itself",
	[POLL_INCOMPATIBLE] = "upgrade the end that the reason names; the centre then goes on by itself",
	[POLL_STORE] =
		"nothing at the node: the centre's own store must work again (see `tidemark status`, the "
		"centre's log, its disk, PostgreSQL); the centre then goes on by itself",
};

static const char paused[] = "`tidemark node resume {name}`";
static const char identity[] =
	"find out which database is the right one. What answers at {url} now: `tidemark node resume {name}` "
	"accepts "
	"it, and both ends are compared. The other: stop this one and start that one at {url}";
static const char diverged[] = "one end holds a record that its counters do not know, or cannot read it: "
			       "check both disks, then `tidemark "
			       "node resume {name}` compares and counts everything again; if it comes back, "
			       "wipe the local's database (the "
			       "centre refills it) after a look at `tidemark conflicts`";
static const char full[] =
	"make room where the tidemark-local of {name} keeps its database; what is to be pushed is "
	"tried again by itself, at once by `tidemark push {name}`";
static const char push_failing[] = "see the log of the tidemark-local at {url}, and any proxy between that "
				   "may think a push too large; it is "
				   "tried again by itself, at once by `tidemark push {name}`";
static const char rejected[] =
	"`tidemark events --node {name} --level warn` names what it cannot hold and why: change or delete "
	"that "
	"record (`tidemark put`, `tidemark delete`), or upgrade the tidemark-local there";
static const char damaged[] = "its disk or somebody changed records beneath the program: `tidemark safe "
			      "{name}`, then wipe its database and the "
			      "centre gives it all of them back (check the disk first), or write each anew "
			      "there; `tidemark verify {name}` looks "
			      "again";
static const char writes_fail[] =
	"look at the disk and the file system under the database of the tidemark-local at {url} (read-only, "
	"failing, "
	"wrong owner?) and at its log; it takes writes again by itself when they work";
static const char low[] =
	"make room where the tidemark-local of {name} keeps its database, before it is full";
static const char token_old[] =
	"give the tidemark-local of {name} what `tidemark node token {name}` prints as its --token-file, the "
	"token that it "
	"has on a line below or not at all, and reload it (SIGHUP); until then it is shown the one before";
static const char certificate[] = "give the tidemark-local of {name} a new TLS certificate "
				  "(deploy/certificates makes one of a private authority), and let "
				  "it read its settings again (SIGHUP)";
static const char skewed[] =
	"set the clocks right: let chronyd keep both (deploy/chrony); `tidemark node {name}` shows who "
	"keeps which. Nothing depends on it";
static const char quarantined[] =
	"`tidemark quarantine --node {name}` shows them and why; mend the cause, then "
	"`tidemark quarantine retry ID`";

static void put_remedy(const struct outlook_seen *s, const char *text, struct buf *out)
{
	for (const char *open; (open = strchr(text, '{')); text = strchr(open, '}') + 1) {
		buf_add(out, text, (size_t)(open - text));
		buf_text(out, open[1] == 'n' ? s->node->name : s->url);
	}
	buf_text(out, text);
}

static const char *remedy_of_halt(enum node_halt halt)
{
	switch (halt) {
	case HALT_IDENTITY:
		return identity;
	case HALT_DIVERGED:
		return diverged;
	case HALT_NONE:
		break;
	}
	return NULL;
}

static bool says_full(const struct reason *why)
{
	return strstr(why->text, "507 ") || strstr(why->text, REASON_DISK_FULL);
}

/* NULL also for what nothing depends on. */
static const char *remedy_of_ailment(unsigned ailing)
{
	static const char *const of[AILMENTS] = {
		[AILMENT_DAMAGED] = damaged,
		[AILMENT_WRITES_FAIL] = writes_fail,
		[AILMENT_DISK_FULL] = full,
		[AILMENT_DISK_LOW] = low,
		[AILMENT_CERTIFICATE] = certificate,
		[AILMENT_REJECTED] = rejected,
		[AILMENT_QUARANTINED] = quarantined,
		[AILMENT_TOKEN_OLD] = token_old,
		[AILMENT_CLOCK_SKEWED] = skewed,
		[AILMENT_CLOCK_DISAGREES] = skewed,
	};

	for (int a = 0; a < AILMENTS; a++)
		if (ailing & AILMENT_BIT(a) && of[a])
			return of[a];
	return NULL;
}

/* The worst comes first: the next one shows when that is mended.  NULL: nobody needs to do anything. */
static const char *remedy_of(const struct outlook_seen *s)
{
	const struct node_run *run = s->run;

	if (s->node->paused)
		return paused;
	if (s->node->sync.halt != HALT_NONE)
		return remedy_of_halt(s->node->sync.halt);
	if (s->turn == OUTLOOK_STORE || (run->store_failures > 0 && run->failures == 0))
		return remedies[POLL_STORE];
	if (run->failures > 0)
		return remedies[run->last_result] ? remedies[run->last_result] : remedies[POLL_NETWORK];
	if (run->push_failures > 0)
		return says_full(&node_trouble(run)->push_reason) ? full : push_failing;
	if (s->rejected.known && s->rejected.n > 0)
		return rejected;
	return remedy_of_ailment(outlook_ailing(s->node, run, s->now_us, &s->clock));
}

bool outlook_unblock(const struct outlook_seen *s, struct buf *out)
{
	const char *text = remedy_of(s);

	if (text)
		put_remedy(s, text, out);
	return text;
}
