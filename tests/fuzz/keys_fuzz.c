/* keys_fuzz: a key file. Reading one neither crashes nor keeps what is not whole; what is refused says why.
 */
#include "proto/keys.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key key = {0};
    struct problem problem = {0}, name_problem;
    if (key_parse((const char *)data, size, &key, &problem) != 0) {
        assert(problem.text[0] != '\0' && problem.line >= 0);
        assert(key.public_key[0] == '\0' && key.secret_key[0] == '\0');
        return 0;
    }
    assert(strlen(key.public_key) == KEY_TEXT);
    assert((key.kind != KEY_PUBLIC) == (strlen(key.secret_key) == KEY_TEXT));
    assert(key.kind != KEY_WORKER || strlen(key.server_key) == KEY_TEXT);
    assert(key.name[0] == '\0' || key_name_check(key.name, &name_problem) == 0);
    key_wipe(&key);
    return 0;
}
