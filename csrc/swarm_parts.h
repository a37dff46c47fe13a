/*
 * What the files of the swarm share: reading a pool's lines (swarm_lines.c), and what is counted
 * (swarm_tally.c).
 */
#ifndef BASELOAD_SWARM_PARTS_H
#define BASELOAD_SWARM_PARTS_H

#include "sha256.h"

#define SECOND_NS UINT64_C(1000000000)

/* ---- Lines ---- */

/* A stretch of a line; at is NULL where there is none. A string is with its quotes. */
struct span {
    const uint8_t *at;
    size_t size;
};

struct pool_line {
    struct span id, method, params, result, error, reject_reason;
};

/* Returns 1 if the line is an object; members that are missing have no span. */
int pool_line_read(struct pool_line *line, const uint8_t *at, size_t size);

/* The items of an array. Returns their number, or -1 for no array or one of more than room. */
int array_read(struct span *items, int room, struct span array);

int span_equals(struct span span, const char *text);

/* A number in decimal digits, bare or as a string. Returns 1 if it is one. */
int span_number(uint64_t *number, struct span span);

/* What stands between the quotes. Returns 1 for a string. */
int span_string(struct span *inside, struct span span);

/* Hex digits of a string into size bytes. Returns 1 if there are exactly so many. */
int span_hex(uint8_t *bytes, size_t size, struct span span);

/* Up to eight hex digits of a string: some pools leave out leading zeros. Returns 1 if it is. */
int span_hex32(uint32_t *number, struct span span);

/* ---- Tallies ---- */

/* A share was answered. */
void tally_answer(struct swarm *swarm, uint64_t due_ns, uint64_t now_ns);

/* A share was made, perhaps later than it was due. */
void tally_lag(struct swarm *swarm, uint64_t due_ns, uint64_t now_ns);

/* A share was refused in these words. */
void tally_refusal(struct swarm *swarm, struct swarm_rig *rig, struct span text,
                   const struct swarm_share *share, uint64_t now_ns);

/* A rig heard of a new previous block: the first one makes its entry, the others add themselves. */
void tally_tip(struct swarm *swarm, const uint8_t prevhash[64], uint64_t now_ns);

/* A rig's old work is void: refusals of it that came a moment ago have their reason now. */
void tally_clean_jobs(struct swarm *swarm, struct swarm_rig *rig, uint64_t now_ns);

#endif
