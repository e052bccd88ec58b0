/*
 * routes - what a local serves: one table for the router.
 */
#ifndef LOCAL_ROUTES_H
#define LOCAL_ROUTES_H

#include "local/local.h"
#include "shared/router.h"

/* Fills the router's table and ctx; tokens and hosts are the caller's to set. */
void routes_init(struct router *ret, struct local *l);

#endif
