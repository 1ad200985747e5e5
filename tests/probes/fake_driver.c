/* A driver that answers as it is told: NVML and CUDA's driver library in one file, built under both names.

   FAKE_DRIVER holds lines; `gpu` and `slice` repeat, a slice belongs to the gpu above it.
     driver 580.95.05            what NVML calls the driver
     cuda 13000                  what both call CUDA's version
     gpu 9.0 85899345920 GPU-00000000-0000-0000-0000-000000000001 NVIDIA H100 PCIe
     lost                        a GPU that has fallen off the bus
     slice 10737418240 MIG-00000000-0000-0000-0000-000000000002 NVIDIA H100 PCIe MIG 1g.10gb
     sees 0 2                    the places of the devices that libcuda lists, slices counting, all if not given
     hang|crash|fail FUNCTION [CODE]
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { unsigned long long total, free, used; } memory;
typedef struct { int kind, major, minor, parent; unsigned long long bytes; char uuid[64], name[96]; } device;
enum { GPU, LOST, SLICE };

static device devices[32];
static int count, cuda_version, seen[32], seen_count = -1;
static char driver[64], failing[64], way[16];
static int code;

static void read_script(void) {
    static int done;
    if (done++) return;
    char *text = strdup(getenv("FAKE_DRIVER") ? getenv("FAKE_DRIVER") : ""), *rest = NULL;
    int parent = -1;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        device *here = &devices[count];
        if (sscanf(line, "driver %63s", driver) == 1 || sscanf(line, "cuda %d", &cuda_version) == 1) continue;
        if (sscanf(line, "gpu %d.%d %llu %63s %95[^\n]", &here->major, &here->minor, &here->bytes, here->uuid, here->name) == 5)
            here->kind = GPU, parent = count++;
        else if (!strcmp(line, "lost")) here->kind = LOST, count++;
        else if (sscanf(line, "slice %llu %63s %95[^\n]", &here->bytes, here->uuid, here->name) == 3)
            here->kind = SLICE, here->parent = parent, here->major = devices[parent].major,
            here->minor = devices[parent].minor, count++;
        else if (!strncmp(line, "sees", 4)) {
            char *end = line + 4;
            seen_count = 0;
            for (char *next = end; seen[seen_count] = (int)strtol(end, &next, 10), next != end; end = next) seen_count++;
        } else sscanf(line, "%15s %63s %d", way, failing, &code);
    }
}

static int begin(const char *function) {
    read_script();
    if (strcmp(function, failing)) return 0;
    if (!strcmp(way, "hang")) for (;;) pause();
    if (!strcmp(way, "crash")) abort();
    return code;
}

#define BEGIN { int refused = begin(__func__); if (refused) return refused; }

static int place_of(int kind, int parent, unsigned number) {
    for (int place = 0; place < count; place++)
        if ((kind == SLICE ? devices[place].kind == SLICE && devices[place].parent == parent : devices[place].kind != SLICE)
            && !number--) return place;
    return -1;
}

int nvmlInitWithFlags(unsigned flags) { BEGIN return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int error) { return error == 18 ? "Driver/library version mismatch" : "Another error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { BEGIN strncpy(text, driver, size); return 0; }
#ifndef OLD
int nvmlSystemGetCudaDriverVersion_v2(int *version) { BEGIN *version = cuda_version; return 0; }
int nvmlDeviceGetMigMode(device *gpu, unsigned *now, unsigned *pending) {
    BEGIN
    if (gpu->major < 8) return 3; /* not supported */
    *now = *pending = place_of(SLICE, (int)(gpu - devices), 0) >= 0;
    return 0;
}
#endif
int nvmlDeviceGetCount_v2(unsigned *answer) {
    BEGIN
    for (*answer = 0; place_of(GPU, 0, *answer) >= 0;) ++*answer;
    return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned number, device **handle) {
    BEGIN
    int place = place_of(GPU, 0, number);
    if (place < 0 || devices[place].kind == LOST) return 15; /* fallen off the bus */
    *handle = &devices[place];
    return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(device *gpu, unsigned *most) { *most = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(device *gpu, unsigned number, device **handle) {
    int place = place_of(SLICE, (int)(gpu - devices), number);
    if (place < 0) return 6; /* not found */
    *handle = &devices[place];
    return 0;
}
int nvmlDeviceGetName(device *gpu, char *text, unsigned size) { BEGIN strncpy(text, gpu->name, size); return 0; }
int nvmlDeviceGetUUID(device *gpu, char *text, unsigned size) { BEGIN strncpy(text, gpu->uuid, size); return 0; }
int nvmlDeviceGetMemoryInfo(device *gpu, memory *info) { BEGIN info->total = gpu->bytes; return 0; }
int nvmlDeviceGetCudaComputeCapability(device *gpu, int *major, int *minor) {
    BEGIN *major = gpu->major; *minor = gpu->minor;
    return 0;
}

int cuDriverGetVersion(int *version) { BEGIN *version = cuda_version; return 0; }
int cuInit(unsigned flags) { BEGIN return 0; }
int cuGetErrorName(int error, const char **text) {
    *text = error == 803 ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" : "CUDA_ERROR_UNKNOWN";
    return 0;
}
int cuDeviceGetCount(int *answer) { BEGIN *answer = seen_count < 0 ? count : seen_count; return 0; }
int cuDeviceGet(int *answer, int number) { BEGIN *answer = seen_count < 0 ? number : seen[number]; return 0; }
int cuDeviceGetName(char *text, int size, int which) { strncpy(text, devices[which].name, size); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int which) {
    *value = attribute == 75 ? devices[which].major : devices[which].minor;
    return 0;
}
#ifndef OLD
int cuDeviceGetUuid_v2(unsigned char *bytes, int which) {
    const char *digits = devices[which].uuid + 4;
    for (int place = 0; place < 16; digits += 2) {
        if (*digits == '-') digits++;
        sscanf(digits, "%2hhx", &bytes[place++]);
    }
    return 0;
}
#endif
