/* A C program that goes on without a device. */
#include <kvc/kvc_cuda.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    kvc_cuda_options_t options;
    kvc_cuda_t *cuda = NULL;
    kvc_error_t error;
    kvc_status_t status;
    memset(&options, 0, sizeof options);
    memset(&error, 0, sizeof error);
    options.struct_size = sizeof options;
    error.struct_size = sizeof error;
    status = kvc_cuda_open(&options, &cuda, &error);
    printf("%d %s\n", (int)status, status == KVC_OK ? "a device" : error.message);
    kvc_cuda_close(cuda);
    return status == KVC_OK || (status == KVC_E_UNSUPPORTED && cuda == NULL && error.message[0] != 0) ? 0 : 1;
}
