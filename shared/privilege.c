#include "shared/privilege.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/log.h"

/* Nothing here can fail in a way that anybody could mend: an old kernel, or a filter of system calls, leaves it as it is. */
void privilege_hide(void)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = 0; /* also of what it runs; who wants one raises it again */
		(void)setrlimit(RLIMIT_CORE, &core);
	}
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void privilege_drop(const struct privilege *keep)
{
	(void)umask(S_IRWXG | S_IRWXO);
	if (!keep->core_dumps)
		privilege_hide();
	if (!keep->children)
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void privilege_tell(void)
{
	if (geteuid() == 0)
		log_event(LOG_WARN, "root", "reason",
			"it runs as root and needs no right of root: give it a user of its own, as its "
			"systemd unit "
			"does (or: setpriv --reuid=USER --regid=GROUP --init-groups --no-new-privs …)",
			NULL);
}
