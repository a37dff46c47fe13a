/*
 * Virtual rigs: a pool's bytes become submit lines and tallies.
 *
 * One crossing from Python takes everything that one read of a socket gave. Two kinds of line are
 * taken here, those that come by the ten thousand: a notify, and the answer to a share. What
 * happens once per connection or once per minute is the caller's.
 *
 * A share differs from every other of its rig by its extranonce2, so no two can be duplicates.
 * Variable time; public inputs only.
 */
#include "swarm_parts.h"

#define MAX_PARAMS 16
#define MAX_BRANCH 24 /* 2^24 transactions don't fit a block */
#define MAX_EXTRANONCE2 16

/* 2^20 hashes take a tenth of a second: a share that needs more is not for a swarm. */
#define SEARCH_NONCES (1 << 18)
#define SEARCH_ROWS 4

/* Neighbours in number get nonces and version bits that look like chance. */
#define SCATTER UINT32_C(0x9e3779b1)

/* ---- Making shares ---- */

struct share {
    uint64_t number;
    uint8_t extranonce2[MAX_EXTRANONCE2];
    uint32_t ntime, nonce, version_bits;
};

/* The next extranonce2, a little-endian counter as cgminer's. */
static void next_extranonce2(struct share *share, struct swarm_rig *rig)
{
    memset(share->extranonce2, 0, sizeof share->extranonce2);
    store_le64(share->extranonce2, rig->extranonce2++);
}

/* Find a nonce that meets the job's target. Returns 1 if there was one within reason. */
static int find_nonce(struct share *share, struct swarm_rig *rig)
{
    const struct swarm_terms *terms = &rig->terms;
    uint32_t version = (rig->version & ~rig->version_mask) | share->version_bits;
    uint8_t extranonce[SWARM_EXTRANONCE + MAX_EXTRANONCE2], hash32[32], header80[80];
    memcpy(extranonce, terms->extranonce1, sizeof terms->extranonce1);

    for (int row = 0; row < SEARCH_ROWS; row++) {
        memcpy(extranonce + terms->extranonce1_size, share->extranonce2, MAX_EXTRANONCE2);
        if (share_check(hash32, header80, &rig->job, extranonce,
                        terms->extranonce1_size + terms->extranonce2_size, NULL, 0, version,
                        share->ntime, share->nonce, terms->target) ||
            nonce_search(&share->nonce, header80, terms->target, share->nonce, SEARCH_NONCES))
            return 1;
        next_extranonce2(share, rig);
    }
    return 0;
}

static int make_share(struct share *share, struct swarm_rig *rig, uint64_t now_ns)
{
    uint64_t elapsed = (now_ns - rig->job_ns) / SECOND_NS;
    uint32_t roll = elapsed < rig->ntime_roll ? (uint32_t)elapsed : rig->ntime_roll;
    share->number = rig->sent;
    share->ntime = rig->ntime + roll;
    share->nonce = (uint32_t)share->number * SCATTER;
    share->version_bits = share->nonce & rig->version_mask;
    next_extranonce2(share, rig);
    return rig->space == NULL || find_nonce(share, rig);
}

static uint8_t *put_hex(uint8_t *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = (uint8_t)digits[bytes[i] >> 4];
        *out++ = (uint8_t)digits[bytes[i] & 15];
    }
    return out;
}

static uint8_t *put_hex32(uint8_t *out, uint32_t number)
{
    uint8_t bytes[4];
    store_be32(bytes, number);
    return put_hex(out, bytes, sizeof bytes);
}

static uint8_t *put_decimal(uint8_t *out, uint64_t number)
{
    uint8_t digits[20];
    size_t count = 0;
    do {
        digits[count++] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

/* Fill the rig's submit line. Returns to after its end. */
static uint8_t *put_line(uint8_t *out, const struct swarm_rig *rig, const struct share *share)
{
    for (size_t i = 0; i < rig->line_size; i++) {
        switch (rig->line[i]) {
        case SWARM_PUT_ID:
            out = put_decimal(out, rig->first_id + share->number);
            break;
        case SWARM_PUT_JOB_ID:
            memcpy(out, rig->job_id, rig->job_id_size);
            out += rig->job_id_size;
            break;
        case SWARM_PUT_EXTRANONCE2:
            out = put_hex(out, share->extranonce2, rig->terms.extranonce2_size);
            break;
        case SWARM_PUT_NTIME:
            out = put_hex32(out, share->ntime);
            break;
        case SWARM_PUT_NONCE:
            out = put_hex32(out, share->nonce);
            break;
        case SWARM_PUT_VERSION_BITS:
            out = put_hex32(out, share->version_bits);
            break;
        default:
            *out++ = rig->line[i];
        }
    }
    return out;
}

/* Whether a share can go out now; its place in flight, NULL where none is kept. */
static int has_room(struct swarm_share **place, const struct swarm *swarm,
                    const struct swarm_rig *rig)
{
    const size_t most = SWARM_JOB_ID + 2 * MAX_EXTRANONCE2 + 3 * 8 + 20;
    *place = NULL;
    if (!swarm->is_open || !rig->is_ready || rig->job_id_size == 0 ||
        rig->terms.extranonce2_size == 0 ||
        swarm->out_room - swarm->out_size < rig->line_size + most)
        return 0;
    if (rig->in_flight == NULL)
        return 1;
    *place = &rig->in_flight[rig->sent & (rig->in_flight_size - 1)];
    return !(*place)->waits;
}

/* Returns 1 if a share was made and its line is in out. */
static int send_share(struct swarm *swarm, struct swarm_rig *rig, uint64_t due_ns,
                      uint64_t now_ns)
{
    struct swarm_share *place;
    struct share share;
    if (!has_room(&place, swarm, rig))
        return 0;
    if (!make_share(&share, rig, now_ns)) {
        swarm->unfound++;
        return 0;
    }

    uint8_t *end = put_line(swarm->out + swarm->out_size, rig, &share);
    swarm->out_size = (size_t)(end - swarm->out);
    rig->sent++;
    if (place == NULL) {
        swarm->untracked++;
        return 1;
    }
    *place = (struct swarm_share){due_ns, share.number, rig->epoch, 1};
    rig->waiting++;
    swarm->submitted++;
    tally_lag(swarm, due_ns, now_ns);
    return 1;
}

static void fill_window(struct swarm *swarm, struct swarm_rig *rig, uint64_t now_ns)
{
    while (rig->waiting < rig->window && send_share(swarm, rig, now_ns, now_ns))
        continue;
}

int swarm_submit(struct swarm *swarm, uint32_t index, uint64_t due_ns, uint64_t now_ns)
{
    swarm->out_size = 0;
    if (!send_share(swarm, &swarm->rigs[index], due_ns, now_ns))
        swarm->unsent++;
    return (int)swarm->out_size;
}

/* ---- Answers ---- */

/* The share that an id belongs to, or NULL. */
static struct swarm_share *asked(const struct swarm_rig *rig, struct span id)
{
    uint64_t number;
    if (rig->in_flight == NULL || !span_number(&number, id) || number < rig->first_id)
        return NULL;
    number -= rig->first_id;
    if (rig->same_id && number != 0)
        return NULL;
    if (rig->same_id)
        number = rig->oldest;
    struct swarm_share *share = &rig->in_flight[number & (rig->in_flight_size - 1)];
    return share->waits && share->number == number ? share : NULL;
}

static int has_error(const struct pool_line *line)
{
    return line->error.at != NULL && !span_equals(line->error, "null");
}

/* Why it was refused: the error, ckpool's reject-reason, or a bare result. */
static struct span reason(const struct pool_line *line)
{
    if (has_error(line))
        return line->error;
    return line->reject_reason.at != NULL ? line->reject_reason : line->result;
}

/* Returns 1 if the line was the answer to a share. */
static int take_answer(struct swarm *swarm, struct swarm_rig *rig, const struct pool_line *line,
                       uint64_t now_ns)
{
    struct swarm_share *share = asked(rig, line->id);
    if (share == NULL || reason(line).at == NULL)
        return 0;
    share->waits = 0;
    rig->waiting--;
    rig->oldest++;
    tally_answer(swarm, share->due_ns, now_ns);

    if (span_equals(line->result, "true") && !has_error(line))
        swarm->accepted++;
    else
        tally_refusal(swarm, rig, reason(line), share, now_ns);
    return 1;
}

void swarm_disconnect(struct swarm *swarm, uint32_t index)
{
    struct swarm_rig *rig = &swarm->rigs[index];
    if (rig->in_flight != NULL)
        memset(rig->in_flight, 0, rig->in_flight_size * sizeof *rig->in_flight);
    swarm->lost += rig->waiting;
    rig->waiting = 0;
    rig->oldest = rig->sent;
    rig->job_id_size = 0;
    rig->is_ready = 0;
    rig->early_count = 0;
}

/* ---- Jobs ---- */

/* The coinbase and the branch as bytes. Returns 1 if they are readable and find room. */
static int load_work(struct swarm_rig *rig, const struct span *params)
{
    struct share_job *job = &rig->job;
    struct span branch[MAX_BRANCH], text;
    uint8_t words[32], *space = rig->space;
    int count = array_read(branch, MAX_BRANCH, params[4]);
    if (count < 0 || !span_hex(words, 32, params[1]))
        return 0;
    for (size_t i = 0; i < 32; i++) /* each word of prevhash is turned on the wire */
        job->prevhash[i] = words[i ^ 3];

    job->coinb1_size = span_string(&text, params[2]) ? text.size / 2 : 0;
    job->coinb2_size = span_string(&text, params[3]) ? text.size / 2 : 0;
    job->branch_count = (size_t)count;
    if (job->coinb1_size + job->coinb2_size + 32 * job->branch_count > rig->space_size ||
        !span_hex(space, job->coinb1_size, params[2]) ||
        !span_hex(space + job->coinb1_size, job->coinb2_size, params[3]))
        return 0;
    job->coinb1 = space;
    job->coinb2 = space + job->coinb1_size;
    job->branch = space + job->coinb1_size + job->coinb2_size;
    for (int i = 0; i < count; i++)
        if (!span_hex(space + (job->branch - space) + 32 * i, 32, branch[i]))
            return 0;
    job->coinb2_end = NULL;
    job->coinb2_end_size = 0;
    share_job_init(job);
    return 1;
}

/* Returns 1 if the rig works on this now. */
static int take_notify(struct swarm *swarm, struct swarm_rig *rig, struct span params,
                       uint64_t now_ns)
{
    struct span items[MAX_PARAMS], job_id, prevhash;
    uint32_t version, nbits, ntime;
    int count = array_read(items, MAX_PARAMS, params);
    if (count < 8 || !span_string(&job_id, items[0]) || job_id.size == 0 ||
        job_id.size > SWARM_JOB_ID || !span_string(&prevhash, items[1]) || prevhash.size != 64 ||
        !span_hex32(&version, items[5]) || !span_hex32(&nbits, items[6]) ||
        !span_hex32(&ntime, items[7]))
        return 0;
    uint32_t had_job = rig->job_id_size;
    rig->job_id_size = 0;
    if (rig->space != NULL && !load_work(rig, items))
        return 0;

    int is_new = memcmp(rig->prevhash, prevhash.at, sizeof rig->prevhash) != 0;
    if (is_new) {
        memcpy(rig->prevhash, prevhash.at, sizeof rig->prevhash);
        rig->extranonce2 = 0;
        if (had_job)
            tally_tip(swarm, rig->prevhash, now_ns);
    }
    if (is_new || (count > 8 && span_equals(items[count - 1], "true")))
        tally_clean_jobs(swarm, rig, now_ns);

    memcpy(rig->job_id, job_id.at, job_id.size);
    rig->job_id_size = (uint32_t)job_id.size;
    rig->version = version;
    rig->job.nbits = nbits;
    rig->ntime = ntime;
    rig->job_ns = now_ns;
    rig->terms = rig->next;
    return 1;
}

/* ---- Bytes ---- */

/* Returns 1 if the line was ours. */
static int take_line(struct swarm *swarm, struct swarm_rig *rig, uint64_t now_ns)
{
    struct pool_line line;
    if (!pool_line_read(&line, swarm->got + swarm->line_at, swarm->line_size))
        return 0;
    if (line.method.at == NULL)
        return take_answer(swarm, rig, &line, now_ns);
    return span_equals(line.method, "\"mining.notify\"") &&
           take_notify(swarm, rig, line.params, now_ns);
}

int swarm_resume(struct swarm *swarm, uint32_t index, uint64_t now_ns)
{
    struct swarm_rig *rig = &swarm->rigs[index];
    int outcome = 0;
    while (swarm->got_used < swarm->got_size) {
        const uint8_t *start = swarm->got + swarm->got_used;
        const uint8_t *end = memchr(start, '\n', swarm->got_size - swarm->got_used);
        if (end == NULL) {
            outcome = SWARM_PARTIAL;
            break;
        }
        swarm->line_at = swarm->got_used;
        swarm->line_size = (size_t)(end - start);
        swarm->got_used += swarm->line_size + 1;
        if (!take_line(swarm, rig, now_ns))
            return SWARM_LINE;
    }
    fill_window(swarm, rig, now_ns);
    return outcome ? outcome : (int)swarm->out_size;
}

int swarm_receive(struct swarm *swarm, uint32_t index, size_t size, uint64_t now_ns)
{
    swarm->got_size = size;
    swarm->got_used = 0;
    swarm->out_size = 0;
    return swarm_resume(swarm, index, now_ns);
}
