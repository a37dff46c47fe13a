/*
 * Print one line for each back end of this machine; exit 1 if one computes wrongly.
 *
 *   cc -std=c11 -O3 -o selftest csrc/[a-z]*.c && ./selftest
 *   cc -std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
 *      -o selftest csrc/[a-z]*.c && ./selftest
 *   aarch64-linux-gnu-gcc -std=c11 -O3 -static -o selftest csrc/[a-z]*.c &&
 *      qemu-aarch64-static -cpu max ./selftest armv8
 *
 * With an argument it also fails unless that back end is the one chosen, so
 * that CI notices a machine on which the interesting code never ran.
 */
#include <stdio.h>
#include <string.h>

#include "common.h"

/* Returns 1 if the back end failed. */
static int report(int index)
{
    const char *name = sha256_backend_name(index);
    if (!sha256_backend_usable(index)) {
        printf("%-9s not on this CPU\n", name);
        return 0;
    }
    const char *failure = hashing_selftest(index);
    printf("%-9s %s%s\n", name, failure ? "FAILED: " : "ok", failure ? failure : "");
    return failure != NULL;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int index = 0; sha256_backend_name(index); index++)
        failures += report(index);

    const char *chosen = sha256_autodetect();
    printf("chosen    %s\n", chosen);
    if (argc > 1 && strcmp(argv[1], chosen) != 0) {
        printf("FAILED: expected %s\n", argv[1]);
        failures++;
    }
    return failures != 0;
}
