/* build - what this program calls itself. */
#ifndef SHARED_BUILD_H
#define SHARED_BUILD_H

#define TIDEMARK_VERSION "0.1.0"

#endif
