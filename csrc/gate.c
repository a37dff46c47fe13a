/*
 * The gate: judge the plain shares of one read, write them down, answer.
 *
 *   line -> scan -> job, worker, ntime, version -> hash -> verdict -> record, reply
 *
 * Up to the hash, whatever is unusual is left to the caller with nothing changed, and so is a share
 * that is a block. After it there are four verdicts: stale, duplicate, low difficulty, accepted.
 * stratum/mining/judge.py has the same rules; what differs between the two is a bug.
 */
#include "sessions.h"
#include "sha256.h"
#include "submit_line.h"

/* ntime may be rolled this far past the job's, and this far past the clock: mining/judge.py. */
#define NTIME_ROLL 7000
#define NTIME_FUTURE 7200

/* Beside the results of hashing.h: the line is taken, go on. */
#define TAKEN (-1)

/* ---- One share ------------------------------------------------------------ */

/* A submit with all that it is judged by. */
struct attempt {
    struct submit_line submit;
    const struct gate_work *work;
    struct gate_worker *worker;
    uint64_t weight;
    uint32_t version;
    uint8_t hash32[32];
};

static int time_is_good(const struct gate_work *work, uint64_t first, uint64_t ntime,
                        uint64_t now_us)
{
    uint64_t elapsed_us = now_us > work->received_us ? now_us - work->received_us : 0;
    uint64_t clock = work->curtime + elapsed_us / 1000000;
    if (clock < work->mintime)
        clock = work->mintime;
    if (clock > work->max_ntime)
        clock = work->max_ntime;
    return first <= ntime && ntime <= first + NTIME_ROLL && ntime <= clock + NTIME_FUTURE &&
           ntime <= work->max_ntime;
}

/* BIP 310, and the whole version where it agrees outside the mask: mining/judge.py. */
static int merge_version(uint32_t *version, const struct gate_work *work, uint32_t mask,
                         uint32_t bits)
{
    mask &= work->version_mask;
    *version = (work->version & ~mask) | (bits & mask);
    return (bits & ~mask) == 0 || (bits & ~mask) == (work->version & ~mask);
}

/* All that must be right before it is hashed. */
static int prepare(struct attempt *attempt, const struct gate *gate, struct gate_session *session,
                   const uint8_t *line, size_t size, uint64_t now_us)
{
    struct submit_line *submit = &attempt->submit;
    if (!session->extranonce1_size ||
        !submit_line_read(submit, line, size, session->extranonce2_size))
        return 0;

    int64_t worker = gate_worker_index(session, submit->worker_name, submit->worker_name_size);
    if (worker < 0)
        return 0;
    session->worker_hint = (uint32_t)worker;
    attempt->worker = session->workers + worker;
    attempt->weight = gate_weight_of(session, submit->job_number);
    const struct gate_job *job = gate_find_job(gate, submit->job_number);
    attempt->work = job->work;
    return attempt->weight && job->work && job->work->job_index >= 0 &&
           time_is_good(job->work, job->ntime, submit->ntime, now_us) &&
           merge_version(&attempt->version, job->work, session->masks, submit->version_bits);
}

/* Returns 1 if the hash is a block's. */
static int hash_share(struct attempt *attempt, const struct gate_session *session)
{
    const struct share_job *share = attempt->work->share;
    const struct submit_line *submit = &attempt->submit;
    size_t size1 = session->extranonce1_size, size2 = session->extranonce2_size;
    uint8_t extranonce[2 * GATE_EXTRANONCE_MAX], header80[80];
    memcpy(extranonce, session->extranonce1, size1);
    memcpy(extranonce + size1, submit->extranonce2, size2);
    return share_check(attempt->hash32, header80, share, extranonce, size1 + size2, session->payee,
                       session->payee_size, attempt->version, submit->ntime, submit->nonce,
                       share->network_target) != 0;
}

/* hash * weight > 0xffff * 2^(208 + shift), all of it: the same as hash > target of the weight. */
static int is_below_difficulty(const uint8_t hash32[32], uint64_t weight, uint32_t scale_shift)
{
    uint64_t product[5], limit[6] = {0};
    uint64_t carry = 0;
    for (size_t i = 0; i < 4; i++) {
        unsigned __int128 wide = (unsigned __int128)load_le64(hash32 + 8 * i) * weight + carry;
        product[i] = (uint64_t)wide;
        carry = (uint64_t)(wide >> 64);
    }
    product[4] = carry;

    uint32_t bit = 208 + scale_shift;
    unsigned __int128 ones = (unsigned __int128)0xffff << bit % 64;
    limit[bit / 64] = (uint64_t)ones;
    limit[bit / 64 + 1] = (uint64_t)(ones >> 64);
    for (size_t i = 5; i-- > 0;)
        if (product[i] != limit[i])
            return product[i] > limit[i];
    return 0;
}

/* How good the hash is, in two bytes: ledger/records.py, best_of. */
static uint32_t best_of(const uint8_t hash32[32])
{
    uint32_t zeros = 0;
    int top = 31;
    for (; top >= 0 && hash32[top] == 0; top--)
        zeros += 8;
    if (top < 0)
        return 0xffff;
    uint32_t two = (uint32_t)hash32[top] << 8 | (top ? hash32[top - 1] : 0u);
    uint32_t shift = (uint32_t)__builtin_clz(two) - 16;
    return (zeros + shift) << 8 | (two << shift >> 8 & 0xff);
}

/* ---- The record, ledger/records.py, ShareRecord --------------------------- */

#define LEAF_TYPE_SHARE 1
#define LEAF_VERSION 1

static void store_le16(uint8_t *bytes, uint32_t word)
{
    bytes[0] = (uint8_t)word;
    bytes[1] = (uint8_t)(word >> 8);
}

static void pack_leaf(uint8_t leaf80[LEAF_SIZE], const struct attempt *attempt,
                      const struct gate_session *session, const struct log_tail *tail,
                      uint64_t now_us)
{
    const struct submit_line *submit = &attempt->submit;
    uint8_t size1 = session->extranonce1_size, size2 = session->extranonce2_size;
    memset(leaf80, 0, LEAF_SIZE);
    leaf80[0] = LEAF_TYPE_SHARE;
    leaf80[1] = LEAF_VERSION;
    store_le16(leaf80 + 2, tail->edge_id);
    store_le32(leaf80 + 4, (uint32_t)session->tier << 8); /* flags: no block, not graced */
    store_le64(leaf80 + 8, tail->next_edge_seq);
    store_le64(leaf80 + 16, now_us);
    store_le64(leaf80 + 24, (uint64_t)attempt->work->job_index);
    store_le32(leaf80 + 32, attempt->worker->account_id);
    store_le32(leaf80 + 36, attempt->worker->worker_id);
    store_le64(leaf80 + 40, attempt->weight);
    store_le32(leaf80 + 48, attempt->version);
    store_le32(leaf80 + 52, submit->ntime);
    store_le32(leaf80 + 56, submit->nonce);
    leaf80[60] = size1;
    leaf80[61] = size2;
    store_le16(leaf80 + 62, best_of(attempt->hash32));
    memcpy(leaf80 + 64, session->extranonce1, size1);
    memcpy(leaf80 + 64 + size1, submit->extranonce2, size2);
}

/* ---- The verdict ---------------------------------------------------------- */

struct text {
    const char *bytes;
    size_t size;
};

#define TEXT(text) {text, sizeof(text) - 1}

/* What follows the id: mining/verdicts.py, REJECTION. */
static const struct text ENDINGS[] = {
    [VERDICT_ACCEPTED] = TEXT(",\"result\":true,\"error\":null}\n"),
    [VERDICT_STALE] = TEXT(",\"result\":null,\"error\":[21,\"Stale share\",null]}\n"),
    [VERDICT_DUPLICATE] = TEXT(",\"result\":null,\"error\":[22,\"Duplicate share\",null]}\n"),
    [VERDICT_LOW_DIFFICULTY] =
        TEXT(",\"result\":null,\"error\":[23,\"Low difficulty share\",null]}\n"),
};

static void append(struct gate_result *result, const void *bytes, size_t size)
{
    memcpy(result->reply + result->reply_size, bytes, size);
    result->reply_size += (uint32_t)size;
}

static void reply(struct gate_result *result, const struct attempt *attempt, size_t verdict)
{
    append(result, "{\"id\":", 6);
    append(result, attempt->submit.id, attempt->submit.id_size);
    append(result, ENDINGS[verdict].bytes, ENDINGS[verdict].size);
}

static int reject(struct gate_result *result, struct gate *gate, struct gate_session *session,
                  const struct attempt *attempt, size_t verdict)
{
    gate->verdicts[verdict]++;
    session->rejected++;
    attempt->worker->rejected[verdict]++;
    reply(result, attempt, verdict);
    return TAKEN;
}

static int accept(struct gate_result *result, struct gate *gate, struct gate_session *session,
                  const struct attempt *attempt, uint64_t now_us)
{
    struct log_tail *tail = gate->log;
    uint8_t leaf80[LEAF_SIZE];
    if (!tail)
        return GATE_LOG_FULL; /* what isn't written down isn't answered true */
    pack_leaf(leaf80, attempt, session, tail, now_us);
    if (!log_append(tail, leaf80))
        return GATE_LOG_FULL;
    tail->next_edge_seq++;
    seen_add(gate->seen, attempt->hash32);
    gate->verdicts[VERDICT_ACCEPTED]++;
    gate_add_work(&gate->work_low, &gate->work_high, attempt->weight);
    gate_count_share(gate, session, attempt->weight, best_of(attempt->hash32), now_us);
    result->accepted++;
    reply(result, attempt, VERDICT_ACCEPTED);
    return TAKEN;
}

/* Returns TAKEN, or why the line is not; then nothing but the worker's hint has changed. */
static int take_line(struct gate_result *result, struct gate *gate, struct gate_session *session,
                     const uint8_t *line, size_t size, uint64_t now_us)
{
    struct attempt attempt;
    if (!prepare(&attempt, gate, session, line, size, now_us) || hash_share(&attempt, session))
        return GATE_LINE;
    if (attempt.work->generation != gate->generation)
        return reject(result, gate, session, &attempt, VERDICT_STALE);

    if (!gate->seen || gate->seen_generation != gate->generation)
        return GATE_SEEN;
    if (seen_holds(gate->seen, attempt.hash32))
        return reject(result, gate, session, &attempt, VERDICT_DUPLICATE);
    if (is_below_difficulty(attempt.hash32, attempt.weight, gate->scale_shift)) {
        if (gate->junk_limit && session->junk_run + 1 >= gate->junk_limit)
            return GATE_LINE;
        session->junk_run++;
        return reject(result, gate, session, &attempt, VERDICT_LOW_DIFFICULTY);
    }
    if (!seen_has_room(gate->seen, attempt.hash32) || gate_is_full(gate, session))
        return GATE_SEEN;
    if (!attempt.worker->worker_id)
        return GATE_WORKER;
    return accept(result, gate, session, &attempt, now_us);
}

int gate_take(struct gate_result *result, struct gate *gate, struct gate_session *session,
              const uint8_t *data, uint32_t start, uint32_t end, uint64_t now_us)
{
    result->consumed = start;
    result->reply_size = result->lines = result->accepted = 0;
    for (;;) {
        const uint8_t *line = data + result->consumed;
        size_t left = end - result->consumed;
        size_t within = left > GATE_LINE_MAX ? GATE_LINE_MAX + 1 : left;
        const uint8_t *line_end = within ? memchr(line, '\n', within) : NULL;
        if (!line_end)
            return left > GATE_LINE_MAX ? GATE_LINE : GATE_MORE;
        if (result->lines == GATE_LINES || result->reply_room - result->reply_size < GATE_REPLY_MAX)
            return GATE_LIMIT;
        if (gate_line_wait(gate, session, now_us))
            return GATE_BUDGET;

        size_t size = (size_t)(line_end - line);
        int status = take_line(result, gate, session, line, size, now_us);
        if (status != TAKEN)
            return status;
        gate_pay_line(gate, session, now_us);
        session->last_line_us = now_us;
        result->lines++;
        result->consumed += (uint32_t)size + 1;
    }
}
