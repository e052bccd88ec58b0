/* api_page - the dashboard: its files, embedded.  They hold no data, so nothing of them needs a token. */
#ifndef CENTRAL_API_PAGE_H
#define CENTRAL_API_PAGE_H

#include "shared/router.h"

route_fn
	api_page_front; /* the page, for whoever does not rather accept text or JSON: then the list of calls */
route_fn api_page_file; /* {name} */

#endif
