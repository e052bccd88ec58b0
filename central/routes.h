/*
 * routes - what the centre serves: the table for the router.
 */
#ifndef CENTRAL_ROUTES_H
#define CENTRAL_ROUTES_H

#include "central/centre.h"
#include "shared/router.h"

/* Fills the router's table and ctx; tokens and hosts are the caller's to set. */
void central_routes_init(struct router *ret, struct centre *c);

#endif
