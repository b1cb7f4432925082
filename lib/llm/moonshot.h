/*
 * Files at Moonshot: it reads them for its models, whatever they are. A conversation holds its name for one,
 * {"type":"file","file_id",…}, and the part of the message is {type: file, file_url: {url: "fileid://ID"}}.
 */
#ifndef LF_LLM_MOONSHOT_H
#define LF_LLM_MOONSHOT_H
#include "lib/llm/llm.h"

enum { MOONSHOT_FILE_MAX = 100 * 1024 * 1024, MOONSHOT_ID_MAX = 127 };

bool is_moonshot(const char *provider);
/*
 * Send the first n bytes of an open file; of the request provider, address, key, proxy and cancel count. What was sent with
 * that key before, by what is in it, is not sent again (the last 256). INVALID: it is too large, or none that Moonshot takes;
 * UPSTREAM, CANCELLED; NOMEM. The answer's why says it but for NOMEM.
 */
enum err moonshot_file(const struct llm_request *, const char *filename, const char *media_type, int fd, uint64_t n,
    char ret_id[static MOONSHOT_ID_MAX + 1], struct llm_answer *) MUST_CHECK;
#endif
