#include "local/routes.h"

#include "local/apply.h"
#include "local/buckets.h"
#include "local/feed.h"
#include "local/records.h"
#include "local/status.h"

#define RECORDS_BODY_MAX (8 * 1024 * 1024)
#define SMALL_BODY_MAX (64 * 1024)

static const struct route routes[] = {
	/* health */
	{HTTP_GET, "/healthz", ROUTE_OPEN, 0, status_healthz, NULL},
	{HTTP_GET, "/readyz", ROUTE_OPEN, 0, status_readyz, NULL},
	{HTTP_GET, "/openapi.yaml", ROUTE_APP, 0, status_openapi, NULL},
	{HTTP_GET, "/metrics", ROUTE_APP, 0, status_metrics, NULL},
	{HTTP_GET, "/v1/status", ROUTE_APP, 0, status_get, NULL},
	/* applications */
	{HTTP_GET, "/v1/records", ROUTE_APP, 0, records_list, "after type deleted limit "},
	{HTTP_POST, "/v1/records", ROUTE_APP, RECORDS_BODY_MAX, records_post, NULL},
	{HTTP_GET, "/v1/records/{id}", ROUTE_APP, 0, records_get, NULL},
	{HTTP_PUT, "/v1/records/{id}", ROUTE_APP, RECORD_LINE_MAX, records_put, NULL},
	{HTTP_DELETE, "/v1/records/{id}", ROUTE_APP, 0, records_delete, NULL},
	{HTTP_GET, "/v1/replaced", ROUTE_APP, 0, records_replaced, "after limit "},
	/* replication */
	{HTTP_GET, "/v1/changes", ROUTE_CENTRE, 0, feed_get,
		"centre request protocol epoch witness after limit max_bytes wait recount check "},
	{HTTP_POST, "/v1/apply", ROUTE_CENTRE, PUSH_BYTES_MAX, apply_post,
		"centre request protocol epoch witness check "},
	{HTTP_POST, "/v1/epoch", ROUTE_CENTRE, SMALL_BODY_MAX, apply_epoch, "check "},
	{HTTP_GET, "/v1/digest", ROUTE_CENTRE, 0, buckets_get,
		"centre request protocol epoch witness bits check "},
	{HTTP_POST, "/v1/fetch", ROUTE_CENTRE, RECORD_LINE_MAX, buckets_fetch,
		"centre request protocol epoch witness max_bytes check "},
};

void routes_init(struct router *ret, struct local *l)
{
	*ret = (struct router){.routes = routes,
		.n = sizeof(routes) / sizeof(*routes),
		.ctx = l,
		.certified = ROUTE_CENTRE,
		.packed = ROUTE_CENTRE};
}
