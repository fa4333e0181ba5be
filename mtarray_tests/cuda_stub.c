/* A libcuda.so.1 for tests of the code that drives a GPU, where there is none: device memory is host memory, kernels are called back.
   Calls that a driver would refuse are refused here too: frees and waits while a stream is captured, shared memory that nobody asked for.
   `cuda_stub.py` builds and loads it. A "cubin" is the text "name size size ...", with the sizes of its parameters in bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int R;
typedef unsigned long long P;
enum { OK = 0, INVALID = 1, NO_MEMORY = 2, UNSUPPORTED = 900, INVALIDATED = 901 };
enum { LIMIT = 1 << 28, MOST = 1 << 16, ARGS = 64 };

typedef struct Op { struct Op *next; struct Kernel *kernel; unsigned dims[7]; char *params[ARGS]; P to; P from; size_t n; } Op;
typedef struct Graph { Op *first, *last; } Graph;
typedef struct Stream { int capturing, broken; Graph *graph; } Stream;
typedef struct Kernel { char name[256]; int count; int sizes[ARGS]; int shared; } Kernel;
typedef struct { P start; size_t size; } Block;

static Block blocks[MOST];
static int count;
static size_t used, most = LIMIT;
static char log_[1 << 20];
static size_t logged;
static void (*on_launch)(const char *, const unsigned *, void **);
static Stream legacy, per_thread;

static void say(const char *what) {
    size_t n = strlen(what);
    if (logged + n + 2 < sizeof log_) { memcpy(log_ + logged, what, n); logged += n; log_[logged++] = '\n'; log_[logged] = 0; }
}
const char *stub_log(void) { return log_; }
void stub_clear(void) { logged = 0; log_[0] = 0; }
void stub_on_launch(void *f) { on_launch = f; }
void stub_limit(size_t n) { most = n; }
size_t stub_used(void) { return used; }
int stub_find(P address, P *start, size_t *size) { /* 1 if a living block holds the address */
    for (int i = 0; i < count; i++)
        if (blocks[i].start && blocks[i].start <= address && address <= blocks[i].start + blocks[i].size) {
            *start = blocks[i].start; *size = blocks[i].size; return 1;
        }
    return 0;
}
static Stream *of(void *s) { return s == 0 || s == (void *)1 ? &legacy : s == (void *)2 ? &per_thread : s; }
static R ok(void) { return OK; }

R cuInit(unsigned f) { return OK; }
R cuDriverGetVersion(int *v) { *v = 13000; return OK; }
R cuDeviceGetCount(int *n) { *n = 1; return OK; }
R cuDeviceGet(int *d, int i) { *d = i; return i == 0 ? OK : 101; }
R cuDeviceGetName(char *s, int n, int d) { snprintf(s, n, "a stub"); return OK; }
R cuDeviceTotalMem(size_t *n, int d) { *n = LIMIT; return OK; }
R cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? 9 : a == 76 ? 0 : a == 16 ? 4 : a == 97 ? 232448 : 1; return OK; }
R cuDevicePrimaryCtxRetain(P *c, int d) { *c = 0x1000; return OK; }
R cuCtxGetCurrent(P *c) { *c = 0x1000; return OK; }
R cuCtxPopCurrent(P *c) { *c = 0x1000; return OK; }
R cuCtxGetDevice(int *d) { *d = 0; return OK; }
R cuStreamGetCtx(void *s, P *c) { *c = 0x1000; return OK; }
R cuStreamGetDevice(void *s, int *d) { *d = 0; return OK; }
R cuStreamCreateWithPriority(Stream **s, unsigned f, int p) { *s = calloc(1, sizeof **s); return OK; }
R cuStreamCreate(Stream **s, unsigned f) { *s = calloc(1, sizeof **s); return OK; }
R cuStreamSynchronize(void *s) {
    Stream *t = of(s);
    say("synchronise");
    if (t->capturing) { t->broken = 1; return UNSUPPORTED; }
    return OK;
}
R cuEventCreate(P *e, unsigned f) { *e = (P)malloc(8); return OK; }
R cuEventRecord(P e, void *s) { say(s == (void *)1 || !s ? "record legacy" : of(s)->capturing ? "record capturing" : "record"); return OK; }
R cuEventRecordWithFlags(P e, void *s, unsigned f) { return cuEventRecord(e, s); }
R cuStreamWaitEvent(void *s, P e, unsigned f) { say(s == (void *)1 || !s ? "wait legacy" : "wait"); return OK; }

R cuDeviceGetDefaultMemPool(P *p, int d) { *p = 0x2000; return OK; }
R cuDeviceGetMemPool(P *p, int d) { *p = 0x2000; return OK; }
R cuMemGetDefaultMemPool(P *p, void *l, int t) { *p = 0x2000; return OK; }
R cuMemGetMemPool(P *p, void *l, int t) { *p = 0x2000; return OK; }
R cuMemPoolGetAttribute(P p, int a, void *v) { *(size_t *)v = a >= 5 ? used : 0; return OK; }
R cuMemGetInfo(size_t *f, size_t *t) { *f = most - used; *t = most; return OK; }
R cuMemPoolTrimTo(P p, size_t n) { say("trim"); return OK; }
static R take(P *p, size_t n) {
    if (used + n > most) return NO_MEMORY;
    void *m = 0;
    if (posix_memalign(&m, 512, n ? n : 1)) return NO_MEMORY;
    memset(m, 0xAB, n);
    int i = 0;
    while (i < count && blocks[i].start) i++;
    if (i == MOST) return NO_MEMORY;
    if (i == count) count++;
    blocks[i].start = (P)m; blocks[i].size = n; used += n; *p = (P)m;
    return OK;
}
R cuMemAllocFromPoolAsync(P *p, size_t n, P pool, void *s) {
    if (of(s)->capturing) say("VIOLATION: allocated in a capture");
    return take(p, n);
}
R cuMemAllocAsync(P *p, size_t n, void *s) { return cuMemAllocFromPoolAsync(p, n, 0, s); }
R cuMemFreeAsync(P p, void *s) {
    if (of(s)->capturing) { say("VIOLATION: freed in a capture"); return INVALID; }
    for (int i = 0; i < count; i++)
        if (blocks[i].start == p) { used -= blocks[i].size; memset((void *)p, 0xDD, blocks[i].size); free((void *)p); blocks[i].start = 0; return OK; }
    say("VIOLATION: freed what was not allocated");
    return INVALID;
}
R cuMemHostAlloc(void **p, size_t n, unsigned f) { say("pinned"); return posix_memalign(p, 512, n) ? NO_MEMORY : OK; }
R cuMemFreeHost(void *p) { free(p); return OK; }
R cuPointerGetAttribute(void *out, int a, P p) {
    P start; size_t size; int found = stub_find(p, &start, &size);
    if (a == 2) *(unsigned *)out = 2; else if (a == 1) *(P *)out = 0x1000; else if (a == 9 || a == 8) *(int *)out = 0; else *(P *)out = 0;
    return found ? OK : INVALID;
}
R cuPointerGetAttributes(unsigned n, int *a, void **out, P p) {
    for (unsigned i = 0; i < n; i++) cuPointerGetAttribute(out[i], a[i], p);
    return OK;
}

static Op *record(Stream *s) {
    Op *o = calloc(1, sizeof *o);
    if (s->graph->last) s->graph->last->next = o; else s->graph->first = o;
    return s->graph->last = o;
}
static R copied(P to, P from, size_t n, void *s) {
    Stream *t = of(s);
    if (t->capturing) { Op *o = record(t); o->to = to; o->from = from; o->n = n; return OK; }
    memmove((void *)to, (void *)from, n);
    return OK;
}
R cuMemcpyDtoDAsync(P to, P from, size_t n, void *s) { return copied(to, from, n, s); }
R cuMemcpyHtoDAsync(P to, void *from, size_t n, void *s) { if (of(s)->capturing) say("VIOLATION: host copy in a capture"); return copied(to, (P)from, n, s); }
R cuMemcpyDtoHAsync(void *to, P from, size_t n, void *s) { if (of(s)->capturing) say("VIOLATION: host copy in a capture"); return copied((P)to, from, n, s); }

R cuLibraryLoadData(Kernel **l, const char *code, void *a, void *b, unsigned c, void *d, void *e, unsigned f) {
    Kernel *k = calloc(1, sizeof *k);
    int at = 0, step;
    if (sscanf(code, "%255s%n", k->name, &at) != 1) return INVALID;
    while (k->count < ARGS && sscanf(code + at, "%d%n", &k->sizes[k->count], &step) == 1) { at += step; k->count++; }
    *l = k;
    return OK;
}
R cuLibraryGetKernel(Kernel **k, Kernel *l, const char *name) { *k = l; return strcmp(name, l->name) ? 500 : OK; }
R cuKernelGetFunction(Kernel **f, Kernel *k) { *f = k; return OK; }
R cuKernelGetParamInfo(Kernel *k, size_t i, size_t *o, size_t *n) { if (i >= (size_t)k->count) return INVALID; *o = 0; *n = k->sizes[i]; return OK; }
R cuKernelSetAttribute(int a, int v, Kernel *k, int d) { if (a == 8) k->shared = v; return OK; }
R cuKernelGetAttribute(int *v, int a, Kernel *k, int d) { *v = a == 8 ? k->shared : 0; return OK; }
R cuLaunchKernel(Kernel *k, unsigned a, unsigned b, unsigned c, unsigned x, unsigned y, unsigned z, unsigned shared, void *s, void **params, void **e) {
    unsigned dims[7] = {a, b, c, x, y, z, shared};
    if (!a || !b || !c || !x || !y || !z || x * y * z > 1024 || b > 65535 || c > 65535 || (shared > 48 << 10 && k->shared < (int)shared)) return INVALID;
    Stream *t = of(s);
    if (t->capturing) {
        Op *o = record(t);
        o->kernel = k; memcpy(o->dims, dims, sizeof dims);
        for (int i = 0; i < k->count; i++) { o->params[i] = malloc(k->sizes[i]); memcpy(o->params[i], params[i], k->sizes[i]); }
        return OK;
    }
    if (on_launch) on_launch(k->name, dims, params);
    return OK;
}
typedef struct { unsigned a, b, c, x, y, z, shared; void *s; void *attributes; unsigned n; } Config;
R cuLaunchKernelEx(const Config *g, Kernel *k, void **params, void **e) {
    return cuLaunchKernel(k, g->a, g->b, g->c, g->x, g->y, g->z, g->shared, g->s, params, e);
}

R cuStreamIsCapturing(void *s, int *v) { *v = of(s)->capturing; return OK; }
R cuStreamBeginCapture(Stream *s, int mode) {
    if (s->capturing) return INVALID;
    s->capturing = 1; s->broken = 0; s->graph = calloc(1, sizeof(Graph));
    return OK;
}
R cuStreamEndCapture(Stream *s, Graph **g) {
    if (!s->capturing) return INVALID;
    s->capturing = 0;
    *g = s->broken ? 0 : s->graph;
    return s->broken ? INVALIDATED : OK;
}
R cuGraphInstantiateWithFlags(Graph **x, Graph *g, unsigned long long f) { *x = g; return OK; }
R cuGraphDestroy(Graph *g) { say("graph destroyed"); return OK; }
R cuGraphExecDestroy(Graph *g) { say("exec destroyed"); return OK; }
R cuGraphLaunch(Graph *g, void *s) {
    if (of(s)->capturing) return UNSUPPORTED;
    for (Op *o = g->first; o; o = o->next)
        if (!o->kernel) memmove((void *)o->to, (void *)o->from, o->n);
        else if (on_launch) on_launch(o->kernel->name, o->dims, (void **)o->params);
    return OK;
}
R cuGetErrorName(int e, const char **s) {
    *s = e == OK ? "CUDA_SUCCESS" : e == NO_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : e == UNSUPPORTED ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED" : "CUDA_ERROR";
    return OK;
}
R cuGetErrorString(int e, const char **s) { *s = "an error of the stub"; return OK; }

R cuGetProcAddress(const char *symbol, void **f, int version, unsigned long long flags, int *status) {
    char name[128];
    snprintf(name, sizeof name, "%s", symbol);
    if (!strcmp(name, "cuGraphInstantiate")) strcpy(name, "cuGraphInstantiateWithFlags");
    if (!strcmp(name, "cuGetProcAddress_v2")) strcpy(name, "cuGetProcAddress");
    Dl_info self;
    dladdr((void *)stub_log, &self);
    void *here = dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    *f = dlsym(here, name);
    if (!*f) *f = (void *)ok;
    if (status) *status = 0;
    return OK;
}
R cuGetProcAddress_v2(const char *symbol, void **f, int version, unsigned long long flags, int *status) { return cuGetProcAddress(symbol, f, version, flags, status); }
