/*
 * What a swarm counts: latencies, refusals, tips.
 *
 * Whether a latency belongs to a second with a tip is known only when that second is over; so
 * each second has a histogram of its own first. Whether a refusal is excused by a tip may be
 * known only after it, since pools tell rigs one after the other.
 */
#include "swarm_parts.h"

/* A refusal of old work may be this much ahead of the clean_jobs that explains it. */
#define GRACE_NS SECOND_NS

static void record(struct swarm_histogram *histogram, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
    if (us > UINT32_MAX)
        us = UINT32_MAX;
    unsigned beyond = us < 64 ? 0 : 58u - (unsigned)__builtin_clzll(us);
    histogram->counts[32 * beyond + (us >> beyond)]++;
    if (us > histogram->max_us)
        histogram->max_us = us;
}

/* The second is over: its latencies go where they belong. */
static void settle(struct swarm *swarm)
{
    struct swarm_histogram *recent = &swarm->recent;
    struct swarm_histogram *home = swarm->tip_end > swarm->second ? &swarm->tip : &swarm->calm;
    for (size_t i = 0; i < SWARM_BUCKETS; i++)
        home->counts[i] += recent->counts[i];
    if (recent->max_us > home->max_us)
        home->max_us = recent->max_us;
    memset(recent, 0, sizeof *recent);
}

static void turn_to(struct swarm *swarm, uint64_t now_ns)
{
    if (now_ns / SECOND_NS == swarm->second)
        return;
    settle(swarm);
    swarm->second = now_ns / SECOND_NS;
}

void tally_answer(struct swarm *swarm, uint64_t due_ns, uint64_t now_ns)
{
    if (!swarm->is_timed)
        return;
    turn_to(swarm, now_ns);
    int tip = due_ns / SECOND_NS < swarm->tip_end;
    record(tip ? &swarm->tip : &swarm->recent, due_ns, now_ns);
}

void tally_lag(struct swarm *swarm, uint64_t due_ns, uint64_t now_ns)
{
    if (swarm->is_timed)
        record(&swarm->lag, due_ns, now_ns);
}

/* Which kind of refusal this is; new ones are remembered while there is room. */
static uint32_t kind_of_refusal(struct swarm *swarm, struct span text)
{
    uint32_t size = text.size < SWARM_TEXT ? (uint32_t)text.size : SWARM_TEXT;
    uint32_t count = swarm->refusal_count;
    for (uint32_t kind = 0; kind < count; kind++) {
        const struct swarm_refusal *known = &swarm->refusals[kind];
        if (known->text_size == size && memcmp(known->text, text.at, size) == 0)
            return kind;
    }
    if (count == SWARM_REFUSALS)
        return SWARM_REFUSALS - 1;
    if (count < SWARM_REFUSALS - 1) {
        swarm->refusals[count].text_size = size;
        memcpy(swarm->refusals[count].text, text.at, size);
    }
    swarm->refusal_count++;
    return count;
}

void tally_refusal(struct swarm *swarm, struct swarm_rig *rig, struct span text,
                   const struct swarm_share *share, uint64_t now_ns)
{
    uint32_t kind = kind_of_refusal(swarm, text);
    swarm->refusals[kind].count++;
    if (share->epoch != rig->epoch) {
        swarm->refusals[kind].late++;
        return;
    }
    if (rig->early_refusal != kind)
        rig->early_count = 0;
    rig->early_refusal = kind;
    rig->early_count++;
    rig->early_ns = now_ns;
}

void tally_tip(struct swarm *swarm, const uint8_t prevhash[64], uint64_t now_ns)
{
    turn_to(swarm, now_ns);
    swarm->tip_end = swarm->second + 1;
    uint64_t oldest = swarm->tip_count < SWARM_TIPS ? 0 : swarm->tip_count - SWARM_TIPS;
    for (uint64_t n = swarm->tip_count; n-- > oldest;) {
        struct swarm_tip *tip = &swarm->tips[n % SWARM_TIPS];
        if (memcmp(tip->prevhash, prevhash, sizeof tip->prevhash) == 0) {
            tip->last_ns = now_ns;
            tip->rigs++;
            return;
        }
    }
    struct swarm_tip *tip = &swarm->tips[swarm->tip_count++ % SWARM_TIPS];
    memcpy(tip->prevhash, prevhash, sizeof tip->prevhash);
    tip->first_ns = tip->last_ns = now_ns;
    tip->rigs = 1;
}

void tally_clean_jobs(struct swarm *swarm, struct swarm_rig *rig, uint64_t now_ns)
{
    rig->epoch++;
    if (now_ns - rig->early_ns < GRACE_NS)
        swarm->refusals[rig->early_refusal].late += rig->early_count;
    rig->early_count = 0;
}
