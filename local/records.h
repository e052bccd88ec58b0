/*
 * records - the applications' calls: real data in and out of a local.
 */
#ifndef LOCAL_RECORDS_H
#define LOCAL_RECORDS_H

#include "local/local.h"
#include "shared/router.h"

route_fn records_list, records_post, records_get, records_put, records_delete;
route_fn records_replaced; /* versions that pushes replaced */

#endif
