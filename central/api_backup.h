/* api_backup - the whole store as a file. */
#ifndef CENTRAL_API_BACKUP_H
#define CENTRAL_API_BACKUP_H

#include "shared/router.h"

route_fn api_backup;

#endif
