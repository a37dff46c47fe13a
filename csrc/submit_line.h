/*
 * A submit as the gate understands it: what submit_line.c reads and gate.c judges.
 */
#ifndef BASELOAD_SUBMIT_LINE_H
#define BASELOAD_SUBMIT_LINE_H

#include "common.h"

struct submit_line {
    const uint8_t *id; /* as it came, quotes included */
    size_t id_size;
    const uint8_t *worker_name;
    size_t worker_name_size;
    uint32_t job_number;
    uint32_t ntime;
    uint32_t nonce;
    uint32_t version_bits; /* 0 where there are none */
    uint8_t extranonce2[GATE_EXTRANONCE_MAX];
};

/* Returns 1 if the line is a plain submit, else 0: then it may be anything.
 * Never reads past size; submit points into line. */
int submit_line_read(struct submit_line *submit, const uint8_t *line, size_t size,
                     size_t extranonce2_size);

#endif
