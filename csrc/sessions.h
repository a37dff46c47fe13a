/*
 * What gate.c alone needs of sessions.c; the rest is in hashing.h.
 */
#ifndef BASELOAD_SESSIONS_H
#define BASELOAD_SESSIONS_H

#include "common.h"

/* Where a job is, or the empty place where it belongs. */
struct gate_job *gate_find_job(const struct gate *gate, uint32_t number);

/* A sum of 128 bits. */
void gate_add_work(uint64_t *low, uint64_t *high, uint64_t weight);

#endif
