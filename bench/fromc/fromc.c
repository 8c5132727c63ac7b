// Runs one model in ONNX Runtime without Greenlight's adapter, to show what the adapter costs:
//
//     fromc LIBRARY MODEL ROWS COLUMNS DATA INPUT [OUTPUT ELEMENT_TYPE COLUMNS]...
//
// prints, for each line that it reads, the time of a Run in nanoseconds over a round of 50 ms. The rows
// of the file DATA (float32, the machine's order) take turns as the only row of a batch, copied into
// the same input, and outputs are allocated once, as in engines.go. The numbers are positions in the
// OrtApi structure of onnxruntime_c_api.h.

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_OUTPUTS = 4, ROUND_NS = 50 * 1000 * 1000 };

static void **api;

static void check(void *status) {
    if (status == NULL) return;
    fprintf(stderr, "fromc: %s\n", ((const char *(*)(void *))api[2])(status));
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *wrap(void *memory, int type, int64_t columns) {
    int64_t shape[] = {1, columns};
    size_t size = (type == 7 ? 8 : 4) * (columns > 0 ? columns : 1);
    void *value = NULL;
    check(((void *(*)(void *, void *, size_t, const int64_t *, size_t, int, void **))api[49])(
        memory, calloc(1, size), size, shape, columns > 0 ? 2 : 1, type, &value));
    return value;
}

int main(int argc, char **argv) {
    if (argc < 10 || (argc - 7) % 3 != 0) return 2;
    void *library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "fromc: %s\n", dlerror());
        return 1;
    }
    void **base = ((void **(*)(void))dlsym(library, "OrtGetApiBase"))();
    api = ((void **(*)(uint32_t))base[0])(15);

    void *env, *options, *session, *memory;
    check(((void *(*)(int, const char *, void **))api[3])(4, "bench", &env));
    check(((void *(*)(void **))api[10])(&options));
    check(((void *(*)(void *, int))api[24])(options, 1));
    check(((void *(*)(void *, int))api[25])(options, 1));
    check(((void *(*)(void *, const char *, void *, void **))api[7])(env, argv[2], options, &session));
    check(((void *(*)(int, int, void **))api[69])(0, 0, &memory));

    int rows = atoi(argv[3]), columns = atoi(argv[4]), outputs = (argc - 7) / 3;
    float *data = malloc(sizeof(float) * rows * columns), *x;
    FILE *file = fopen(argv[5], "rb");
    if (outputs > MAX_OUTPUTS || file == NULL || fread(data, sizeof(float) * columns, rows, file) != (size_t)rows) return 1;
    void *input = wrap(memory, 1, columns), *out[MAX_OUTPUTS];
    check(((void *(*)(void *, void **))api[51])(input, (void **)&x));
    const char *names[MAX_OUTPUTS];
    for (int i = 0; i < outputs; i++) {
        names[i] = argv[7 + 3 * i];
        out[i] = wrap(memory, atoi(argv[8 + 3 * i]), atoi(argv[9 + 3 * i]));
    }

    void *(*run)(void *, void *, const char **, void **, size_t, const char **, size_t, void **) = api[9];
    while (getchar() == '\n') {
        int64_t started = now(), calls = 0;
        do {
            for (int i = 0; i < 1000; i++, calls++) {
                memcpy(x, data + calls % rows * columns, sizeof(float) * columns);
                check(run(session, NULL, (const char **)&argv[6], &input, 1, names, outputs, out));
            }
        } while (now() - started < ROUND_NS);
        printf("%.1f\n", (double)(now() - started) / calls);
        fflush(stdout);
    }
    return 0;
}
