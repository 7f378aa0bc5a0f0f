/* assets: the files of the web page, which are part of the program: coordinator/web/ and the chart library. */
#ifndef COORDINATOR_STATUS_ASSETS_H
#define COORDINATOR_STATUS_ASSETS_H

#include "coordinator/status/request.h"
#include "coordinator/status/response.h"

/* Answers where the path is one of them: with the file, compressed where the browser takes it, or with 304 where it
 * has it already. */
bool asset_answer(const struct http_request *request, const char *path, struct http_response *ret_response);

#endif
