#include "coordinator/status/assets.h"

#include "common/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The assembler takes the bytes in as they are: plain, and compressed by gzip. WEB_FILES is the folder that the
 * Makefile has gathered them in. */
#define TAKE_IN(symbol, file)                                                                                \
    __asm__(".pushsection .rodata\n.balign 16\n" #symbol ":\n.incbin \"" WEB_FILES "/" file "\"\n" #symbol   \
            "_end:\n.popsection\n");                                                                         \
    extern const uint8_t symbol[], symbol##_end[];
#define ASSET(name, path, type, file) TAKE_IN(asset_##name, file) TAKE_IN(asset_##name##_gz, file ".gz")
#include "coordinator/status/assets.def"

struct asset {
    const char *path, *type;
    const uint8_t *plain, *plain_end, *gzip, *gzip_end;
};

static const struct asset assets[] = {
#define ASSET(name, path, type, file)                                                                        \
    {path, type, asset_##name, asset_##name##_end, asset_##name##_gz, asset_##name##_gz_end},
#include "coordinator/status/assets.def"
};

/* Whether the header If-None-Match, a list of tags or '*', has this one. */
static bool has_tag(const char *list, const char *etag)
{
    return list && (strcmp(list, "*") == 0 || strstr(list, etag) != NULL);
}

bool asset_answer(const struct http_request *request, const char *path, struct http_response *ret_response)
{
    const struct asset *asset = NULL;
    for (size_t i = 0; i < sizeof assets / sizeof *assets && !asset; i++)
        if (strcmp(assets[i].path, path) == 0)
            asset = &assets[i];
    if (!asset)
        return false;
    struct http_response *response = ret_response;
    response->status = 200;
    response->type = asset->type;
    response->file_gzip = request->gzip;
    response->file = request->gzip ? asset->gzip : asset->plain;
    response->file_size = (size_t)((request->gzip ? asset->gzip_end : asset->plain_end) - response->file);
    /* A tag names the bytes that travel, so the two forms of a file have two. */
    snprintf(response->etag, sizeof response->etag, "\"%016" PRIx64 "\"",
             hash64(response->file, response->file_size));
    if (has_tag(request->if_none_match, response->etag)) {
        response->status = 304;
        response->file_size = 0;
    }
    return true;
}
