/* The ten lines of kvc.h, as a program: a prompt in, a text out. Also says which library it was built for and runs on. */
#include <stdio.h>

#include <kvc/kvc.h>

int main(void) {
    kvc_engine_t *engine;
    kvc_request_t request;
    kvc_response_t *answer = NULL;
    if (kvc_abi_version() != KVC_ABI_VERSION) return 2;
    if (kvc_engine_create(NULL, &engine) != KVC_OK) return 1;
    kvc_request_init(&request, sizeof request);
    request.prompt = "In the beginning";
    request.max_tokens = 8;
    if (kvc_process(engine, &request, &answer) != KVC_OK || answer->n_tokens == 0) return 3;
    puts(answer->text);
    kvc_response_free(answer);
    kvc_engine_destroy(engine);
    return 0;
}
