/*
 * Jobs as gate.c looks them up; the rest of sessions.c is in hashing.h.
 */
#ifndef BASELOAD_SESSIONS_H
#define BASELOAD_SESSIONS_H

#include "common.h"

/* Where a job is, or the empty place where it belongs. */
struct gate_job *gate_find_job(const struct gate *gate, uint32_t number);

#endif
