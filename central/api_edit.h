/* api_edit - what changes nodes: add, edit, remove, pause, resume, ask, verify, tokens. */
#ifndef CENTRAL_API_EDIT_H
#define CENTRAL_API_EDIT_H

#include "shared/router.h"

route_fn api_edit_add, api_edit_change, api_edit_remove, api_edit_do, api_edit_token, api_edit_rotate;

#endif
