#include "central/routes.h"

#include "central/api_backup.h"
#include "central/api_edit.h"
#include "central/api_events.h"
#include "central/api_metrics.h"
#include "central/api_nodes.h"
#include "central/api_page.h"
#include "central/api_notifications.h"
#include "central/api_quarantine.h"
#include "central/api_records.h"
#include "central/api_session.h"
#include "central/api_status.h"
#include "central/api_stream.h"
#include "central/api_tokens.h"
#include "central/api_why.h"

#define RECORDS_BODY_MAX (8 * 1024 * 1024)
#define SMALL_BODY_MAX (16 * 1024)
#define SESSION_BODY_MAX 1024

static const struct route routes[] = {
	/* health */
	{HTTP_GET, "/healthz", ROUTE_ALWAYS, 0, api_healthz, NULL},
	{HTTP_GET, "/readyz", ROUTE_OPEN, 0, api_readyz, NULL},
	{HTTP_GET, "/", ROUTE_ALWAYS, 0, api_page_front, NULL},
	{HTTP_GET, "/page/{name}", ROUTE_ALWAYS, 0, api_page_file, NULL},
	{HTTP_GET, "/v1", ROUTE_VIEWER, 0, api_index, NULL},
	{HTTP_GET, "/openapi.yaml", ROUTE_VIEWER, 0, api_openapi, NULL},
	{HTTP_GET, "/metrics", ROUTE_VIEWER, 0, api_metrics, NULL},
	{HTTP_GET, "/v1/status", ROUTE_VIEWER, 0, api_status, NULL},
	{HTTP_GET, "/v1/backup", ROUTE_ADMIN, 0, api_backup, NULL},
	/* who may ask */
	{HTTP_GET, "/v1/session", ROUTE_VIEWER, 0, api_session_get, NULL},
	{HTTP_POST, "/v1/session", ROUTE_OPEN, SESSION_BODY_MAX, api_session_begin, NULL},
	{HTTP_DELETE, "/v1/session", ROUTE_OPEN, 0, api_session_end, NULL},
	{HTTP_GET, "/v1/tokens", ROUTE_ADMIN, 0, api_tokens_list, "after limit "},
	{HTTP_POST, "/v1/tokens", ROUTE_ADMIN, SMALL_BODY_MAX, api_tokens_add, NULL},
	{HTTP_DELETE, "/v1/tokens/{name}", ROUTE_ADMIN, 0, api_tokens_remove, NULL},
	/* nodes */
	{HTTP_GET, "/v1/nodes", ROUTE_VIEWER, 0, api_nodes_list, "state unwell order q history after limit "},
	{HTTP_POST, "/v1/nodes", ROUTE_ADMIN, SMALL_BODY_MAX, api_edit_add, NULL},
	{HTTP_GET, "/v1/nodes/{name}", ROUTE_VIEWER, 0, api_nodes_get, NULL},
	{HTTP_PATCH, "/v1/nodes/{name}", ROUTE_ADMIN, SMALL_BODY_MAX, api_edit_change, NULL},
	{HTTP_DELETE, "/v1/nodes/{name}", ROUTE_ADMIN, 0, api_edit_remove, NULL},
	{HTTP_GET, "/v1/nodes/{name}/why", ROUTE_VIEWER, 0, api_why_get, NULL},
	{HTTP_GET, "/v1/nodes/{name}/safe", ROUTE_VIEWER, 0, api_why_safe, "since position "},
	{HTTP_GET, "/v1/nodes/{name}/check", ROUTE_VIEWER, 0, api_why_check, "after "},
	{HTTP_GET, "/v1/nodes/{name}/token", ROUTE_ADMIN, 0, api_edit_token, NULL},
	{HTTP_POST, "/v1/nodes/{name}/rotate", ROUTE_ADMIN, 0, api_edit_rotate, NULL},
	{HTTP_POST, "/v1/nodes/{name}/{verb}", ROUTE_OPERATOR, 0, api_edit_do, NULL},
	/* records */
	{HTTP_GET, "/v1/records", ROUTE_VIEWER, 0, api_records_list, "owner type after limit deleted "},
	{HTTP_POST, "/v1/records", ROUTE_OPERATOR, RECORDS_BODY_MAX, api_records_post, NULL},
	{HTTP_GET, "/v1/records/{owner}/{id}", ROUTE_VIEWER, 0, api_records_get, NULL},
	{HTTP_PUT, "/v1/records/{owner}/{id}", ROUTE_OPERATOR, RECORD_LINE_MAX, api_records_put, NULL},
	{HTTP_DELETE, "/v1/records/{owner}/{id}", ROUTE_OPERATOR, 0, api_records_delete, NULL},
	/* what happened */
	{HTTP_GET, "/v1/events", ROUTE_VIEWER, 0, api_events_list,
		"node level moves audit who after before limit "},
	{HTTP_GET, "/v1/events/stream", ROUTE_VIEWER, 0, api_stream, "node level moves audit who after "},
	{HTTP_GET, "/v1/conflicts", ROUTE_VIEWER, 0, api_conflicts_list, "owner order after limit "},
	{HTTP_POST, "/v1/conflicts/{id}/promote", ROUTE_OPERATOR, 0, api_conflicts_promote, NULL},
	{HTTP_GET, "/v1/quarantine", ROUTE_VIEWER, 0, api_quarantine_list, "owner after limit "},
	{HTTP_POST, "/v1/quarantine/{id}/retry", ROUTE_OPERATOR, 0, api_quarantine_retry, NULL},
	{HTTP_DELETE, "/v1/quarantine/{id}", ROUTE_OPERATOR, 0, api_quarantine_drop, NULL},
	/* who is told */
	{HTTP_GET, "/v1/notifications", ROUTE_VIEWER, 0, api_notifications_list, "after limit "},
	{HTTP_GET, "/v1/notifications/receivers", ROUTE_VIEWER, 0, api_notifications_receivers, NULL},
	{HTTP_POST, "/v1/notifications/test", ROUTE_OPERATOR, 0, api_notifications_test, NULL},
};

void central_routes_init(struct router *ret, struct centre *c)
{
	*ret = (struct router){.routes = routes, .n = sizeof routes / sizeof *routes, .ctx = c};
}
