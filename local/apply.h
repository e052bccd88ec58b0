/*
 * apply - POST /v1/apply: records pushed by the centre, compared and set one by one in one transaction;
 * and POST /v1/epoch: a rewound database gets another epoch.
 */
#ifndef LOCAL_APPLY_H
#define LOCAL_APPLY_H

#include "local/local.h"
#include "shared/router.h"

route_fn apply_post, apply_epoch;

#endif
