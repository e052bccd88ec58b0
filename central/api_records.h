/* api_records - records of all owners; a change here is a version of the centre, pushed to its owner. */
#ifndef CENTRAL_API_RECORDS_H
#define CENTRAL_API_RECORDS_H

#include "shared/router.h"

route_fn api_records_list, api_records_post, api_records_get, api_records_put, api_records_delete;

#endif
