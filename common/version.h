/* version: the one place that says which release this is. */
#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H

#define ACTSEARCH_VERSION "0.1.0"

#endif
